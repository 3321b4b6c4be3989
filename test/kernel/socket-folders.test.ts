/** What kernels that were killed leave in the temporary folder. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  makeSocketFolder,
  removeStaleFolders,
  socketIn,
} from '../../extension/kernel/socket-folders.ts';

let temporary: string;
const before = process.env['TMPDIR'];
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'sockets-'));
  process.env['TMPDIR'] = temporary;
});
afterEach(() => {
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
  rmSync(temporary, { recursive: true, force: true });
});

/** A process that listens in the folder, as a kernel does; ended by SIGKILL. */
async function listener(folder: string): Promise<() => Promise<unknown>> {
  const script =
    'require("node:net").createServer().listen(process.argv[1], () => console.log("up"))';
  const child = spawn(process.execPath, ['-e', script, socketIn(folder)], { stdio: 'pipe' });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    return gone;
  };
}

it.skipIf(process.platform === 'win32')(
  'goes when a kernel starts, and nothing else does',
  async () => {
    const [lives, killed, empty, starting, foreign] = [
      makeSocketFolder(),
      makeSocketFolder(),
      makeSocketFolder(),
      makeSocketFolder(),
      mkdtempSync(join(temporary, 'sglnb-output-')),
    ];
    expect(statSync(lives).mode & 0o777).toBe(0o700);
    const kill = await listener(lives);
    await (
      await listener(killed)
    )();
    expect(readdirSync(killed)).toHaveLength(1);
    utimesSync(empty, new Date(0), new Date(0));
    await removeStaleFolders();
    expect([lives, killed, empty, starting, foreign].map((path) => existsSync(path))).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
    await kill();
    await removeStaleFolders();
    expect(existsSync(lives)).toBe(false);
  },
);
