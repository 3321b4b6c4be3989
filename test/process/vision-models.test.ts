/**
 * Models with random weights and the shapes of real ones, in the runtime process, against what llama.cpp's
 * own tools wrote for the same pictures and prompts: LLaVA's by the runtime's own graph, others by libmtmd.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMtmd } from '../../runtime/src/vision/find-mtmd.ts';
import { drawn, OTHERS, PROMPT, type Reference, TOWERS } from '../runtime/vision/llava/cases.ts';
import { type RandomModelOptions, writeRandomModel } from '../support/gguf/random-model.ts';
import {
  type RandomProjectorOptions,
  writeRandomProjector,
} from '../support/gguf/random-projector.ts';
import { paintPng } from '../support/png.ts';
import { root, RuntimeProcess } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-vision-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const references: readonly Reference[] = JSON.parse(
  readFileSync(join(root, 'test/runtime/vision/llava/reference.json'), 'utf8'),
);

const mtmd = findMtmd(process.env['SGLNB_MTMD_LIBRARY'] || null, {});
const NO_MTMD = 'there is no libmtmd: `npm run build:mtmd` builds one';

/** Of the runtimes with libmtmd: two long prompts, and not a third. */
const CELLS = 2048;

function png([width, height]: readonly [number, number]): string {
  const { rgb } = drawn(width, height);
  const pixel = (x: number, y: number, channel: number) => rgb[(y * width + x) * 3 + channel]!;
  const colour = (x: number, y: number) => [0, 1, 2].map((channel) => pixel(x, y, channel));
  return paintPng(width, height, (x, y) => {
    const [red = 0, green = 0, blue = 0] = colour(x, y);
    return [red, green, blue];
  }).toString('base64');
}

const greedy = { temperature: 0, max_new_tokens: PROMPT.tokens, ignore_eos: true };
const prompt = `${PROMPT.before}<image>${PROMPT.after}`;

function start(
  beside: RandomModelOptions,
  tower: RandomProjectorOptions,
  flags: readonly string[] = [],
): Promise<RuntimeProcess> {
  const [model, projector] = [join(folder, 'model.gguf'), join(folder, 'tower.gguf')];
  writeRandomModel(model, beside);
  writeRandomProjector(projector, tower);
  const device = ['--device', 'cpu', '--threads', '1'];
  return RuntimeProcess.start(['--model-path', model, '--mmproj', projector, ...device, ...flags]);
}

/** Tokens of a tower with four-bit weights that are compared: then two of the model's are as good. */
const SURE_TOKENS = 6;

/** Its tokens for every picture of a tower, and llama.cpp's. */
async function compare(runtime: RuntimeProcess, tower: string): Promise<void> {
  const sure = TOWERS[tower]?.type === 'q4_0' ? SURE_TOKENS : PROMPT.tokens;
  for (const { output, size } of references.filter((each) => each.tower === tower)) {
    const request = { text: prompt, image_data: png(size), sampling_params: greedy };
    const answer = await runtime.generate(request);
    expect([size, answer.output_ids.slice(0, sure)]).toEqual([size, output?.slice(0, sure)]);
  }
}

describe('LLaVA', () => {
  const own = Object.entries(TOWERS).filter(([, { grids }]) => grids === undefined);
  it.each(own)("%s: writes llama.cpp's tokens", async (tower, options) => {
    const runtime = await start({}, options);
    try {
      await compare(runtime, tower);
    } finally {
      await runtime.stop();
    }
  });

  it('1.6 sends more rows for what is larger than a square', async () => {
    const runtime = await start({}, TOWERS['LLaVA 1.6, F16']!);
    const tokens = async (size: readonly [number, number]): Promise<number> => {
      const request = { text: prompt, image_data: png(size), sampling_params: greedy };
      return (await runtime.generate(request)).meta_info.prompt_tokens;
    };
    try {
      const [small, large] = [await tokens([112, 112]), await tokens([300, 300])];
      expect(large - small).toBe((4 - 1) * 64);
    } finally {
      await runtime.stop();
    }
  });
});

const built = findMtmd(null, {});
describe.skipIf(built === null)(
  built === null ? `skipped: ${NO_MTMD}` : 'the built libmtmd',
  () => {
    it('contains none of the libraries of others that have no notice in a package', () => {
      const bytes = readFileSync(built ?? '');
      expect(bytes.includes('mtmd_init_from_file')).toBe(true);
      // llama.cpp's helpers decode files by stb_image and miniaudio; the runtime has decoders of its own.
      for (const word of ['mtmd_helper_', 'miniaudio', 'stbi_']) {
        expect(bytes.includes(word), word).toBe(false);
      }
    });
  },
);

describe.each(Object.entries(OTHERS))('%s', (name, { model: beside, tower }) => {
  it('is refused without libmtmd, with what to do', async () => {
    const [model, projector] = [join(folder, 'refused.gguf'), join(folder, 'refused-tower.gguf')];
    writeRandomModel(model, beside);
    writeRandomProjector(projector, tower);
    const flags = ['--model-path', model, '--mmproj', projector];
    const library = ['--mtmd-library', join(folder, 'missing.so')];
    const { code, output } = await RuntimeProcess.runToEnd([...flags, ...library]);
    expect([code, output]).toEqual([
      3,
      expect.stringContaining('--mtmd-library: there is no file'),
    ]);
  });

  describe.skipIf(mtmd === null)(mtmd === null ? `skipped: ${NO_MTMD}` : 'by libmtmd', () => {
    let runtime: RuntimeProcess;
    const size = [151, 401] as const;
    const ask = (text: string, max_new_tokens = 6) =>
      runtime.generate({
        text,
        image_data: png(size),
        sampling_params: { ...greedy, max_new_tokens },
      });
    beforeAll(async () => {
      const cells = ['--max-total-tokens', `${CELLS}`];
      runtime = await start(beside, tower, ['--mtmd-library', mtmd ?? '', ...cells]);
    });
    afterAll(() => runtime?.stop());

    it("writes llama.cpp's tokens", () => compare(runtime, name));

    it('shares the picture between prompts, with the answers of an empty cache', async () => {
      const texts = ['One?', 'Two?', 'What is this?'].map((end) => `${prompt} ${end}`);
      const together = await Promise.all(texts.map((text) => ask(text)));
      const cached = await ask(texts[0]!);
      expect(cached.meta_info.cached_tokens).toBe(cached.meta_info.prompt_tokens - 1);
      const alone = [];
      for (const text of texts) {
        await runtime.post('/flush_cache', {});
        const answer = await ask(text);
        expect(answer.meta_info.cached_tokens).toBe(0);
        alone.push(answer);
      }
      const ids = (answers: { output_ids: number[] }[]) => answers.map((each) => each.output_ids);
      expect(ids(together)).toEqual(ids(alone));
      expect(cached.output_ids).toEqual(alone[0].output_ids);
      expect(await runtime.freeCells()).toEqual({ inUse: 0, running: 0, queued: 0 });
    });

    it('keeps the picture in host memory when others need its place', async () => {
      const text = `${prompt} Four?`;
      const first = await ask(text);
      for (const token of [400, 401, 402, 403]) {
        const input_ids = Array.from({ length: CELLS / 2 }, () => token);
        await runtime.generate({ input_ids, sampling_params: { ...greedy, max_new_tokens: 1 } });
      }
      const again = await ask(text);
      // All but the question, which is too short to be worth keeping.
      expect(again.meta_info.cached_tokens).toBeGreaterThan(again.meta_info.prompt_tokens - 8);
      expect(again.output_ids).toEqual(first.output_ids);
      await runtime.post('/flush_cache', {});
      const alone = await ask(text);
      expect([alone.meta_info.cached_tokens, alone.output_ids]).toEqual([0, first.output_ids]);
    });

    it('takes several pictures beside text, and goes on behind them', async () => {
      const request = {
        text: `A: <image> B: <image> ${PROMPT.after}`,
        image_data: [png([112, 112]), png([50, 80])],
        sampling_params: greedy,
      };
      const [first, beside] = await Promise.all([
        runtime.generate(request),
        runtime.generate({ text: 'The capital of', sampling_params: greedy }),
      ]);
      const longer = { ...request, text: `${request.text} More:` };
      await runtime.generate(longer);
      await runtime.post('/flush_cache', {});
      expect((await runtime.generate(request)).output_ids).toEqual(first.output_ids);
      const text = await runtime.generate({ text: 'The capital of', sampling_params: greedy });
      expect(text.output_ids).toEqual(beside.output_ids);
      expect(await runtime.freeCells()).toEqual({ inUse: 0, running: 0, queued: 0 });
    });
  });
});
