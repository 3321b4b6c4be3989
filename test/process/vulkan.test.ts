/**
 * The runtime on a real Vulkan device: same tokens as on the processor, all layers or some, less memory
 * than wanted, unloading. On software devices, which llama.cpp uses only when they are named
 * (GGML_VK_VISIBLE_DEVICES=0, with Mesa's lavapipe), the first run compiles shaders for minutes.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findMtmd } from '../../runtime/src/vision/find-mtmd.ts';
import { OTHERS } from '../runtime/vision/llava/cases.ts';
import { writeRandomModel } from '../support/gguf/random-model.ts';
import { writeRandomProjector } from '../support/gguf/random-projector.ts';
import { paintPng } from '../support/png.ts';
import { type Json, chat, root, RuntimeProcess } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-vulkan-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The list of tried libraries lies beside the models: not the user's. */
const OWN_FOLDER = { SGLNB_MODELS: join(folder, 'models') };
const MINUTES = 60_000;

/** Also fills the driver's cache of shaders. */
function vulkanDevice(): string | null {
  const main = join(root, 'runtime', 'src', 'main.ts');
  const { stdout } = spawnSync(process.execPath, [main, '--probe-library'], {
    encoding: 'utf8',
    timeout: 10 * MINUTES,
  });
  return /"name":"(Vulkan\d+)"/.exec(stdout)?.[1] ?? null;
}

const device = vulkanDevice();
const mtmd = findMtmd(process.env['SGLNB_MTMD_LIBRARY'] || null, {});
const title = device === null ? 'skipped: llama.cpp finds no Vulkan device here' : `on ${device}`;

const PROMPTS = [
  'The capital of France',
  chat('Tell me a joke.'),
  chat('What is the capital of Italy?'),
];
const greedy = { temperature: 0, max_new_tokens: 24 };
const disk = paintPng(144, 144, (x, y) =>
  Math.hypot(x - 72, y - 72) < 48 ? [220, 40, 40] : [248, 248, 248],
);

async function answers(runtime: RuntimeProcess): Promise<unknown> {
  const texts = await runtime.generate({ text: PROMPTS, sampling_params: greedy });
  const image = await runtime.generate({
    text: chat('<image>Describe the image in one short sentence.'),
    image_data: disk.toString('base64'),
    sampling_params: greedy,
  });
  return [...texts, image].map(({ output_ids }) => output_ids);
}

async function withRuntime<T>(
  flags: readonly string[],
  env: NodeJS.ProcessEnv,
  use: (runtime: RuntimeProcess) => Promise<T>,
): Promise<T> {
  const runtime = await RuntimeProcess.start(flags, { ...OWN_FOLDER, ...env });
  try {
    return await use(runtime);
  } finally {
    await runtime.stop();
  }
}

describe.skipIf(device === null)(title, { timeout: 10 * MINUTES }, () => {
  const onProcessor = () => withRuntime(['--device', 'cpu'], {}, answers);

  it("writes the processor's tokens with all layers there, or some", async () => {
    const expected = await onProcessor();
    for (const [flags, share] of [
      [[], 'all layers'],
      [['--gpu-layers', '3'], '3 of 7 layers'],
    ] as const) {
      await withRuntime(flags, {}, async (runtime) => {
        expect(runtime.output).toMatch(new RegExp(`runs on ${device} \\(.*: ${share}`));
        const { body } = await runtime.get('/get_server_info');
        expect(body.memory.devices).toContainEqual(
          expect.objectContaining({ name: device, kind: 'gpu', total: expect.any(Number) }),
        );
        expect(await answers(runtime)).toEqual(expected);
      });
    }
  });

  it('computes pictures there too, by libmtmd', async ({ skip }) => {
    skip(mtmd === null, 'there is no libmtmd');
    const [model, projector] = [join(folder, 'model.gguf'), join(folder, 'tower.gguf')];
    const { model: beside, tower } = OTHERS['Qwen2-VL']!;
    writeRandomModel(model, beside);
    writeRandomProjector(projector, tower);
    const files = ['--model-path', model, '--mmproj', projector, '--mtmd-library', mtmd ?? ''];
    const see = (runtime: RuntimeProcess): Promise<Json> =>
      runtime.generate({
        text: 'USER: <image>\nWhat is this? ASSISTANT:',
        image_data: disk.toString('base64'),
        sampling_params: { ...greedy, max_new_tokens: 6, ignore_eos: true },
      });
    const [there, here] = [
      await withRuntime(files, {}, async (runtime) => {
        expect(runtime.output).toMatch(new RegExp(`runs on ${device} \\(.*: all layers`));
        return see(runtime);
      }),
      await withRuntime([...files, '--device', 'cpu'], {}, see),
    ];
    expect(there.output_ids).toEqual(here.output_ids);
  });

  it('puts fewer layers there when memory is refused, at last none, and runs', async () => {
    const expected = await onProcessor();
    // Enough for the trial of the library, not for the cache of a layer.
    await withRuntime([], { GGML_VK_FORCE_MAX_BUFFER_SIZE: '1000000' }, async (runtime) => {
      const counts = Array.from(
        runtime.output.matchAll(/NOTICE: (\d) layers on the GPU now/g),
        (match) => Number(match[1]),
      );
      expect(counts).toEqual([5, 3, 2, 1, 0]);
      expect(await answers(runtime)).toEqual(expected);
    });
  });

  it('runs on the processor when the device refuses even the trial, and says why', async () => {
    // A folder in which nothing was tried yet.
    const env = { GGML_VK_FORCE_MAX_BUFFER_SIZE: '100000', SGLNB_MODELS: join(folder, 'new', 'm') };
    await withRuntime([], env, async (runtime) => {
      expect(runtime.output).toMatch(
        /the bundled library cannot be used: .*failed to allocate Vulkan/,
      );
      expect(await answers(runtime)).toEqual(await onProcessor());
    });
  });

  it('gives the memory of the device back when idle, and comes back', async () => {
    await withRuntime(['--idle-unload', '1'], {}, async (runtime) => {
      const first = await answers(runtime);
      await runtime.waitForOutput(/The model was unloaded: nothing was asked for 1 s/);
      expect(await answers(runtime)).toEqual(first);
    });
  });
});
