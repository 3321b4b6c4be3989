import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { probeGpus } from '../../extension/model-manager/gpu-probe.ts';

const folder = mkdtempSync(join(tmpdir(), 'gpu-probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function runtime(name: string, code: string): string {
  const file = join(folder, name);
  writeFileSync(file, code);
  return file;
}

const DEVICES = [
  { name: 'CUDA0', description: 'NVIDIA T4 ', kind: 'gpu', free: 14e9, total: 16e9 },
  { name: 'Vulkan1', description: '', kind: 'igpu', free: 3e9, total: 4e9 },
  { name: 'CPU', description: 'Some CPU', kind: 'cpu', free: 7e9, total: 8e9 },
];

describe('the GPUs of this machine', () => {
  it('are those that the runtime names, whatever its drivers print', async () => {
    const line = `SGLNB_DEVICES ${JSON.stringify({ devices: DEVICES, skipped: [] })}`;
    const entry = runtime(
      'talks.mjs',
      `if (process.argv[2] !== '--list-devices' || process.env.WHICH !== 'one') process.exit(1);
       process.stdout.write(${JSON.stringify(`loading…\n${line}\nbye\n`)});`,
    );
    expect(await probeGpus(entry, { ...process.env, WHICH: 'one' })).toEqual([
      { name: 'NVIDIA T4', free: 14e9, total: 16e9 },
      { name: 'Vulkan1', free: 3e9, total: 4e9 },
    ]);
  });

  it('are none when the runtime is missing, fails, or says nothing', async () => {
    const fails = runtime('fails.mjs', 'process.kill(process.pid, "SIGKILL")');
    const silent = runtime('silent.mjs', '');
    for (const entry of [join(folder, 'missing.mjs'), fails, silent]) {
      expect(await probeGpus(entry, process.env), entry).toEqual([]);
    }
  });
});
