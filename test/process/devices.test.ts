/** Which build of llama.cpp runs, where, and what happens when one of them cannot. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findNativeLibrary } from '../../runtime/src/engine/native-library.ts';
import { makeCrashingLibrary } from '../support/crashing-library.ts';
import { root, RuntimeProcess } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'devices-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The list of tried libraries lies beside the models: not the user's. */
const OWN_FOLDER = { SGLNB_MODELS: join(folder, 'models') };

const HELLO = { text: 'Hello', sampling_params: { max_new_tokens: 4, temperature: 0 } };

describe('the runtime', () => {
  it('computes the same on the processor alone, and tells its memory', async () => {
    const answers: string[] = [];
    for (const flags of [[], ['--device', 'cpu']]) {
      const runtime = await RuntimeProcess.start(flags);
      try {
        answers.push((await runtime.generate(HELLO)).text);
        const { body } = await runtime.get('/get_server_info');
        expect(body.memory.process_bytes).toBeGreaterThan(20e6);
        expect(body.memory.devices).toContainEqual(
          expect.objectContaining({ name: 'CPU', kind: 'cpu' }),
        );
        expect(body.memory.devices[0].total).toBeGreaterThan(1e9);
      } finally {
        await runtime.stop();
      }
    }
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).not.toBe('');
  });

  it('runs on the bundled library when the named one ends its process, and says why', async ({
    skip,
  }) => {
    skip(process.platform !== 'linux', 'the broken library is made for Linux only');
    const broken = join(folder, 'broken');
    makeCrashingLibrary(dirname(findNativeLibrary().llama), broken);
    const runtime = await RuntimeProcess.start(['--llama-library', broken], OWN_FOLDER);
    try {
      expect(runtime.output).toMatch(
        /NOTICE: the library in .*broken cannot be used: it was ended by SIGILL/,
      );
      expect((await runtime.generate(HELLO)).text).not.toBe('');
    } finally {
      await runtime.stop();
    }
  });

  it('lists what a start would compute on, and which builds could not be used', () => {
    const env = { ...process.env, ...OWN_FOLDER, SGLNB_LLAMA_LIBRARY: folder };
    const main = join(root, 'runtime/src/main.ts');
    const { stdout, status } = spawnSync(process.execPath, [main, '--list-devices'], {
      env,
      encoding: 'utf8',
    });
    const { devices, skipped } = JSON.parse(/^SGLNB_DEVICES (.*)$/m.exec(stdout)?.[1] ?? '');
    expect(status).toBe(0);
    expect(skipped[0]).toContain('cannot be used: llama.cpp was not found in');
    for (const device of devices) expect(device.total).toBeGreaterThan(0);
  });

  it('runs on the bundled library when the named folder holds none', async () => {
    const runtime = await RuntimeProcess.start([], {
      ...OWN_FOLDER,
      SGLNB_LLAMA_LIBRARY: folder,
    });
    try {
      expect(runtime.output).toMatch(/cannot be used: llama.cpp was not found in .*devices-/);
    } finally {
      await runtime.stop();
    }
  });

  it('gives its memory back when idle, answers questions meanwhile, and comes back for work', async () => {
    const runtime = await RuntimeProcess.start([
      '--idle-unload',
      '1',
      '--max-total-tokens',
      '60000',
    ]);
    const memory = async (): Promise<number> =>
      (await runtime.get('/get_server_info')).body.memory.process_bytes;
    try {
      const first = (await runtime.generate(HELLO)).text;
      const loaded = await memory();
      await runtime.waitForOutput(/The model was unloaded: nothing was asked for 1 s/);
      expect(loaded - (await memory())).toBeGreaterThan(30e6);
      expect((await runtime.get('/flush_cache')).status).toBe(200);
      expect((await runtime.get('/v1/models')).status).toBe(200);
      const both = await Promise.all([runtime.generate(HELLO), runtime.generate(HELLO)]);
      expect(both.map(({ text }) => text)).toEqual([first, first]);
      const { inUse, running } = await runtime.freeCells();
      expect([inUse, running]).toEqual([0, 0]);
    } finally {
      await runtime.stop();
    }
  });

  it('takes a library of the same version from anywhere, and tries it but once', async () => {
    const library = findNativeLibrary().llama;
    const list = join(folder, 'backends', 'probed.json');
    for (const start of ['first', 'second']) {
      const runtime = await RuntimeProcess.start(['--llama-library', dirname(library)], OWN_FOLDER);
      try {
        expect(runtime.output).not.toContain('cannot be used');
        expect((await runtime.generate(HELLO)).text, start).not.toBe('');
        expect(Object.keys(JSON.parse(readFileSync(list, 'utf8')))).toEqual([library]);
      } finally {
        await runtime.stop();
      }
    }
  });
});
