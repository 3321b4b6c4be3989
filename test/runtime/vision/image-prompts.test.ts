import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readImageData } from '../../../runtime/src/http/image-data.ts';
import { CHAT_IMAGE_MARK, ImagePrompts } from '../../../runtime/src/http/image-prompts.ts';
import { findProjector } from '../../../runtime/src/vision/find-projector.ts';
import { clipParts } from '../../../runtime/src/vision/image-parts.ts';
import { ImageLoader, type LoadedImage } from '../../../runtime/src/vision/image-loader.ts';
import { isImageToken } from '../../../runtime/src/vision/image-tokens.ts';
import type { Picture } from '../../../runtime/src/vision/picture.ts';
import { readProjector } from '../../../runtime/src/vision/projector-file.ts';
import { ImageRows, PromptEmbeddings } from '../../../runtime/src/vision/prompt-images.ts';
import type { VisionEncoder } from '../../../runtime/src/vision/vision-encoder.ts';
import { paintPng } from '../../support/png.ts';
import { samplePictures } from './sample-pictures.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-vision-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const starterModel = new URL('../../../runtime/starter-model/', import.meta.url).pathname;
const mmproj = join(starterModel, 'starter-mmproj.gguf');
const signal = new AbortController().signal;

const reasonOf = (action: () => unknown): string => {
  try {
    action();
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

describe('image_data', () => {
  it.each<[string, unknown, number, boolean, unknown]>([
    ['nothing', null, 1, false, [[]]],
    ['one', 'a', 1, false, [['a']]],
    ['a list', ['a', 'b'], 1, false, [['a', 'b']]],
    ['a nested list', [['a', 'b']], 1, false, [['a', 'b']]],
    ['objects with a url', [{ url: 'a' }], 1, false, [['a']]],
    ['one for a batch', 'a', 2, true, [['a'], ['a']]],
    ['one for each', ['a', null], 2, true, [['a'], []]],
    ['lists for each', [['a', 'b'], ['c']], 2, true, [['a', 'b'], ['c']]],
  ])('%s', (_, value, prompts, isBatch, expected) => {
    expect(readImageData(value, prompts, isBatch)).toEqual(expected);
  });
});

const shape = { ...readProjector(mmproj).shape, imageSize: 8, patchSize: 8, tokensPerTile: 1 };
const square = async (picture: Picture) => clipParts(picture, shape);

describe('places in prompts', () => {
  const prompts = new ImagePrompts(square);
  const rows = { kind: 'rows', count: 3, layout: null, isWhole: false } as const;
  const picture = { width: 4, height: 4, rgb: new Uint8Array(48) };
  const [a, b] = [
    { tokens: [2 ** 52 + 1], picture, parts: [rows] },
    { tokens: [2 ** 52 + 2], picture, parts: [rows] },
  ];
  /** One token per character, and 1 at the start. */
  const tokenize = (text: string, isFirst: boolean): number[] => [
    ...(isFirst ? [1] : []),
    ...Array.from(text, (c) => c.codePointAt(0)!),
  ];
  const place = (text: string, images: readonly LoadedImage[] = [a, b]): string =>
    prompts
      .place(text, images, tokenize)
      .inputIds.map((id) => (isImageToken(id) ? `[${id - 2 ** 52}]` : String.fromCodePoint(id)))
      .join('');

  it.each([
    ['x<image>y<image>z', '\u0001x[1][1][1]y[2][2][2]z'],
    ['<image><image>', '[1][1][1][2][2][2]'],
    ['<|vision_start|><|image_pad|><|vision_end|>x<|image|>', '[1][1][1]x[2][2][2]'],
    [
      `say "<image>": ${CHAT_IMAGE_MARK}${CHAT_IMAGE_MARK}`,
      '\u0001say "<image>": [1][1][1][2][2][2]',
    ],
  ])('%s', (text, expected) => expect(place(text)).toBe(expected));

  it('puts the text that belongs to an image around its rows', () => {
    const mark = { kind: 'text', tokens: [60] } as const;
    const tiled = {
      tokens: [0, 2 ** 52 + 3, 0, 2 ** 52 + 4],
      picture,
      parts: [mark, rows, mark, rows],
    };
    expect(place('x<image>y', [tiled])).toBe('\u0001x<[3][3][3]<[4][4][4]y');
    const { images } = prompts.place('x<image>y', [tiled], tokenize);
    expect(images.map(({ part, start }) => [part, start])).toEqual([
      [1, 3],
      [3, 7],
    ]);
  });

  it('counts places and images', () => {
    expect(reasonOf(() => place('no mark', [a]))).toBe(
      'The prompt has 0 places for images ("<image>") and image_data has 1 image. Write "<image>" once for each image.',
    );
  });

  it('tells where each image begins', () => {
    const { images } = prompts.place('x<image>y<image>', [a, b], tokenize);
    expect(images.map(({ start, length }) => [start, length])).toEqual([
      [2, 3],
      [6, 3],
    ]);
  });
});

describe('content', () => {
  const loader = new ImageLoader(square);
  const load = (source: string) => loader.load(source, signal);

  it('decides the token: the file it comes in does not matter', async () => {
    const bytes = paintPng(8, 8, (x) => [x * 20, 0, 0]);
    const file = join(folder, 'a.png');
    writeFileSync(file, bytes);
    const plain = await load(bytes.toString('base64'));
    const [fromFile, fromUrl] = await Promise.all([
      load(file),
      load(`data:image/png;base64,${bytes.toString('base64')}`),
    ]);
    expect([fromFile.tokens, fromUrl.tokens]).toEqual([plain.tokens, plain.tokens]);
    const other = await load(paintPng(8, 8, (x) => [x * 20, 1, 0]).toString('base64'));
    expect(other.tokens).not.toEqual(plain.tokens);
    const [token = 0] = plain.tokens;
    expect(isImageToken(token) && Number.isSafeInteger(token)).toBe(true);
  });

  it('gives the tower a square of its size', async () => {
    for (const base64 of Object.values(samplePictures)) {
      expect((await load(base64)).picture.rgb).toHaveLength(8 * 8 * 3);
    }
  });
});

describe('rows', () => {
  class CountingEncoder implements VisionEncoder {
    encoded = 0;

    encode(picture: Picture): Float32Array[] {
      this.encoded += 1;
      return [0, 1, 2].map((row) => Float32Array.of(picture.rgb[0]!, row));
    }

    dispose(): void {}
  }

  it('are computed once per picture, when they are first needed', () => {
    const encoder = new CountingEncoder();
    const times: number[] = [];
    const rows = new ImageRows(encoder, (milliseconds) => times.push(milliseconds));
    const picture = { width: 1, height: 1, rgb: Uint8Array.of(7, 7, 7) };
    const shape = { length: 3, layout: null, isWhole: false, part: 0 };
    const image = { token: 2 ** 52, picture, ...shape };
    const first = new PromptEmbeddings([{ ...image, start: 2 }], rows);
    const second = new PromptEmbeddings([{ ...image, start: 0 }], rows);
    expect(encoder.encoded).toBe(0);
    const seen = [1, 2, 3, 4, 5].map((position) => first.at(position));
    expect(seen.map((row) => row && [...row])).toEqual([
      undefined,
      [7, 0],
      [7, 1],
      [7, 2],
      undefined,
    ]);
    expect([...second.at(1)!]).toEqual([7, 1]);
    expect([encoder.encoded, times.length]).toEqual([1, 1]);
  });
});

describe('projector files', () => {
  const model = join(folder, 'model.gguf');
  writeFileSync(model, '');

  it('are found beside the model, if they fit it', () => {
    const nothing = { kind: 'none', notice: null };
    expect(findProjector(model, 192, null)).toEqual(nothing);
    copyFileSync(mmproj, join(folder, 'model-mmproj.gguf'));
    expect(findProjector(model, 192, null)).toMatchObject({ shape: { outputLength: 192 } });
    expect(findProjector(model, 4096, null)).toEqual(nothing);
    expect(reasonOf(() => findProjector(model, 4096, mmproj))).toContain(
      'belongs to another model: it projects to 192 numbers per token, the model reads 4096',
    );
  });

  it.each<[string, (bytes: Buffer) => Buffer, string]>([
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 1000), 'it is truncated'],
    [
      'another kind',
      (bytes) => Buffer.from(bytes.toString('latin1').replace('mlp', 'ldp'), 'latin1'),
      'a vision projector of the type "ldp"',
    ],
    [
      'without a tensor',
      (bytes) =>
        Buffer.from(bytes.toString('latin1').replace('mm.2.weight', 'mm.9.weight'), 'latin1'),
      'the tensor mm.2.weight is missing',
    ],
    [
      'without a number',
      (bytes) =>
        Buffer.from(
          bytes.toString('latin1').replace('vision.patch_size', 'vision.patch_sizo'),
          'latin1',
        ),
      'no valid clip.vision.patch_size',
    ],
    ['text', () => Buffer.from('hello'), 'is not a GGUF'],
  ])('refused: %s', (name, change, expected) => {
    const file = join(folder, `${name}.gguf`);
    writeFileSync(file, change(readFileSync(mmproj)));
    expect(reasonOf(() => readProjector(file))).toContain(expected);
  });
});
