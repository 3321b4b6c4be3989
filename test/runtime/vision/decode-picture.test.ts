import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../../runtime/src/vision/decode-picture.ts';
import type { Picture } from '../../../runtime/src/vision/picture.ts';
import { fitOnCanvas, resize } from '../../../runtime/src/vision/resize.ts';
import { type Colour, paintPng, pngOf } from '../../support/png.ts';
import { FILLED_SHA256, filledGif, samplePictures } from './sample-pictures.ts';

const at = ({ rgb, width }: Picture, x: number, y: number): Colour => [
  rgb[(y * width + x) * 3]!,
  rgb[(y * width + x) * 3 + 1]!,
  rgb[(y * width + x) * 3 + 2]!,
];

/** The name of the nearest of the sample's colours. */
function named([red, green, blue]: Colour): string {
  const spread = Math.max(red, green, blue) - Math.min(red, green, blue);
  if (spread < 30) return red > 180 ? 'light' : 'dark';
  return red > blue ? 'red' : 'blue';
}

describe('formats', () => {
  it.each(Object.keys(samplePictures))('%s', async (name) => {
    const picture = await decodePicture(Buffer.from(samplePictures[name]!, 'base64'));
    const grey = name.includes('grey');
    const seen = [at(picture, 4, 4), at(picture, 18, 4), at(picture, 18, 15), at(picture, 4, 15)];
    expect([picture.width, picture.height, ...seen.map(named)]).toEqual(
      grey ? [24, 20, 'dark', 'light', 'dark', 'light'] : [24, 20, 'red', 'light', 'blue', 'light'],
    );
  });

  it('decodes JPEG to within the rounding of other decoders', async () => {
    const picture = await decodePicture(Buffer.from(samplePictures['baseline JPEG']!, 'base64'));
    const [red, green, blue] = at(picture, 5, 5);
    expect(Math.abs(red - 220)).toBeLessThan(8);
    expect(Math.abs(green - 40)).toBeLessThan(8);
    expect(Math.abs(blue - 40)).toBeLessThan(8);
  });

  it('unpacks a GIF whose codes fill the dictionary as Pillow does', async () => {
    const picture = await decodePicture(Buffer.from(filledGif, 'base64'));
    expect([picture.width, picture.height]).toEqual([180, 120]);
    const hash = createHash('sha256').update(picture.rgb).digest('hex');
    expect(hash).toBe(FILLED_SHA256);
  });

  it('undoes every PNG filter', async () => {
    const plain = [10, 20, 30, 60, 50, 40, 7, 8, 9];
    const paeth = (a: number, b: number, c: number): number => {
      const p = a + b - c;
      const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    };
    const left = (i: number) => (i >= 3 ? plain[i - 3]! : 0);
    const corner = left;
    const predictions = [
      () => 0,
      (i: number) => left(i),
      (i: number) => plain[i]!,
      (i: number) => (left(i) + plain[i]!) >> 1,
      (i: number) => paeth(left(i), plain[i]!, corner(i)),
    ];
    // The first row is plain; the row below it repeats it, filtered in each way.
    for (const [filter, predict] of predictions.entries()) {
      const second = plain.map((value, i) => (value - predict(i)) & 255);
      const rows = Buffer.from([0, ...plain, filter, ...second]);
      expect([...(await decodePicture(pngOf({ width: 3, height: 2 }, rows))).rgb]).toEqual([
        ...plain,
        ...plain,
      ]);
    }
  });

  it('puts interlaced rows where they belong', async () => {
    const value = (x: number, y: number): number => x * 20 + y;
    const passes = [
      [0, 0, 8, 8],
      [4, 0, 8, 8],
      [0, 4, 4, 8],
      [2, 0, 4, 4],
      [0, 2, 2, 4],
      [1, 0, 2, 2],
      [0, 1, 1, 2],
    ] as const;
    const rows: number[] = [];
    for (const [left, top, stepX, stepY] of passes) {
      for (let y = top; y < 9; y += stepY) {
        if (left >= 10) continue;
        rows.push(0);
        for (let x = left; x < 10; x += stepX) rows.push(value(x, y));
      }
    }
    const header = { width: 10, height: 9, colour: 0, interlaced: true };
    const picture = await decodePicture(pngOf(header, Buffer.from(rows)));
    for (let y = 0; y < 9; y += 1) {
      for (let x = 0; x < 10; x += 1) expect(at(picture, x, y)[0]).toBe(value(x, y));
    }
  });

  it('puts transparent pixels on white', async () => {
    const rows = Buffer.from([0, 200, 0, 0, 0, 200, 0, 0, 255]);
    const { rgb } = await decodePicture(pngOf({ width: 2, height: 1, colour: 6 }, rows));
    expect([...rgb]).toEqual([255, 255, 255, 200, 0, 0]);
  });
});

describe('refusals', () => {
  const png = paintPng(8, 8, () => [1, 2, 3]);
  const huge = pngOf({ width: 100_000, height: 100_000 }, Buffer.alloc(4));
  const gif = Buffer.from(samplePictures['GIF']!, 'base64');
  const webp = Buffer.from(samplePictures['lossless WebP']!, 'base64');
  const hugeWebp = Buffer.from(webp);
  hugeWebp.writeUInt32LE(0xf_ffff_ff, 21);
  const hugeGif = Buffer.concat([Buffer.from('GIF89a'), Buffer.alloc(40, 255)]);
  const refusal = async (bytes: Buffer): Promise<string> => {
    try {
      await decodePicture(bytes);
      return 'decoded';
    } catch (error) {
      return error instanceof Error && 'code' in error
        ? `${error.code}: ${error.message}`
        : 'crash';
    }
  };

  it.each<[string, Buffer, string]>([
    ['nothing', Buffer.alloc(0), 'FORMAT: The image is empty.'],
    ['text', Buffer.from('hello world'), 'FORMAT: The image is neither PNG, JPEG, GIF nor WebP.'],
    [
      'a WebP without an image',
      Buffer.from('RIFF0000WEBP'),
      'CORRUPT: The image is damaged: it holds',
    ],
    ['half a WebP', webp.subarray(0, webp.length / 2), 'CORRUPT: The image is damaged: libwebp'],
    ['a huge WebP', hugeWebp, 'TOO_LARGE: The image has 16384 × 16384 pixels'],
    ['a bitmap', Buffer.from('BM000000'), 'FORMAT: The image is BMP; this runtime reads PNG'],
    ['half a GIF', gif.subarray(0, gif.length - 30), 'CORRUPT: The image is damaged: it ends'],
    ['a huge GIF', hugeGif, 'TOO_LARGE: The image has 65535 × 65535 pixels'],
    ['HEIC', Buffer.from('\0\0\0\u0018ftypheic'), 'FORMAT: The image is AVIF or HEIC;'],
    ['half a PNG', png.subarray(0, png.length - 30), 'CORRUPT: The image is damaged: '],
    ['a huge PNG', huge, 'TOO_LARGE: The image has 100000 × 100000 pixels; at most 64 million'],
    [
      'half a JPEG',
      Buffer.from(samplePictures['progressive JPEG']!, 'base64').subarray(0, 300),
      'CORRUPT: The image is damaged: ',
    ],
  ])('%s', async (_, bytes, expected) => {
    expect((await refusal(bytes)).slice(0, expected.length)).toBe(expected);
  });

  it('answers for every damaged file: a picture or a reason, never a crash', async () => {
    let state = 12_345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state % below;
    };
    const answers = new Map<string, number>();
    for (const base64 of Object.values(samplePictures)) {
      for (let round = 0; round < 60; round += 1) {
        const bytes = Buffer.from(base64, 'base64');
        for (let hit = 0; hit <= round % 6; hit += 1) bytes[random(bytes.length)] = random(256);
        const answer = (await refusal(bytes)).split(':')[0]!;
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    }
    expect(
      [...answers.keys()].filter(
        (key) => !['decoded', 'CORRUPT', 'FORMAT', 'TOO_LARGE'].includes(key),
      ),
    ).toEqual([]);
    expect(answers.get('CORRUPT')).toBeGreaterThan(50);
  });
});

/** `image.resize((4, 3), Image.BICUBIC)` of the same picture. */
const PILLOW = '1015015315079d150ce015121078075378259d7847e0786510db0d53db449ddb81e0dbb8';

describe('resizing', () => {
  const fit = (picture: Picture, side: number): Uint8Array =>
    fitOnCanvas(picture, { width: side, height: side }, [122, 116, 104]).rgb;

  it('keeps the proportions and pads to a square', async () => {
    const out = fit(await decodePicture(paintPng(40, 20, () => [200, 10, 10])), 8);
    const row = (y: number): number[] => [...out.subarray(y * 24, y * 24 + 3)];
    expect([row(0), row(2), row(5), row(7)]).toEqual([
      [122, 116, 104],
      [200, 10, 10],
      [200, 10, 10],
      [122, 116, 104],
    ]);
  });

  it('takes the mean of what a pixel covers', async () => {
    const stripes = paintPng(64, 64, (x) => (x % 2 === 0 ? [0, 0, 0] : [255, 255, 255]));
    const out = fit(await decodePicture(stripes), 8);
    for (const value of out.subarray(24, 48)) expect(Math.abs(value - 127.5)).toBeLessThan(20);
  });

  it('leaves a picture of the right size as it is', async () => {
    const picture = await decodePicture(paintPng(6, 6, (x, y) => [x * 40, y * 40, 9]));
    expect([...fit(picture, 6)]).toEqual([...picture.rgb]);
  });

  it("gives Pillow's bytes", async () => {
    const picture = await decodePicture(
      paintPng(7, 5, (x, y) => [x * 40, y * 60, (x * y * 9) % 256]),
    );
    expect(Buffer.from(resize(picture, { width: 4, height: 3 }).rgb).toString('hex')).toBe(PILLOW);
  });
});
