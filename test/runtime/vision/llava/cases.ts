/** Towers and pictures on which the runtime is held to llama.cpp's own image code. */
import type { Picture } from '../../../../runtime/src/vision/picture.ts';
import type { RandomModelOptions } from '../../../support/gguf/random-model.ts';
import type { RandomProjectorOptions } from '../../../support/gguf/random-projector.ts';

/** LLaVA 1.6's own, for squares of 336 pixels there: 1 × 2, 2 × 1, 2 × 2, 1 × 3 and 3 × 1 tiles. */
const GRIDS = [112, 224, 224, 112, 224, 224, 112, 336, 336, 112];

export const TOWERS: Readonly<Record<string, RandomProjectorOptions>> = {
  'LLaVA 1.5, F16': {},
  'LLaVA 1.5, F16, as its converter named things': { swapped: true },
  'with GELU and a last norm, Q8_0': { type: 'q8_0', gelu: true, postNorm: true },
  'with a named feature layer, Q4_0': { type: 'q4_0', featureLayer: 3 },
  'LLaVA 1.6, F16': { grids: GRIDS },
};

/** Towers that libmtmd computes, and the model beside each. */
export interface Other {
  readonly tower: RandomProjectorOptions;
  readonly model: RandomModelOptions;
}

export const OTHERS: Readonly<Record<string, Other>> = {
  'Qwen2-VL': { tower: { kind: 'qwen2vl_merger' }, model: { architecture: 'qwen2vl' } },
  'Gemma 3': { tower: { kind: 'gemma3', gelu: true }, model: {} },
  // Tiles of a picture, each between texts.
  SmolVLM: {
    tower: { kind: 'idefics3', gelu: true },
    model: { marks: ['ĊĊ', '<fake_token_around_image>', '<global-img>'] },
  },
};

export const SIZES = [
  [112, 112],
  [300, 120],
  [50, 80],
  [151, 401],
] as const;

/** Gradients, a pattern and a disk: every channel and place is different. */
export function drawn(width: number, height: number): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 3;
      rgb[at] = (x * 3 + y) % 256;
      rgb[at + 1] = ((x * y) >> 2) % 256;
      rgb[at + 2] = Math.hypot(x - 40, y - 30) < 25 ? 250 : 20;
    }
  }
  return { width, height, rgb };
}

/** Numbers kept of an image: every row, spread over its length. */
export function sample(rows: readonly Float32Array[]): number[] {
  return rows.map((row, index) => Number((row[(index * 29) % row.length] ?? 0).toPrecision(6)));
}

/** What is generated behind a picture is compared, too. */
export const PROMPT = {
  before: 'USER: ',
  after: '\nWhat is this? ASSISTANT:',
  tokens: 12,
} as const;

export interface Reference {
  readonly tower: string;
  readonly size: readonly [number, number];
  /** Of each chunk, as llama.cpp orders them. */
  readonly chunks: readonly (readonly number[])[];
  /** Greedy, on the random model of `random-model.ts`. Only where the prompt is the same. */
  readonly output: readonly number[] | null;
}
