/**
 * What an image costs in the runtime: decoding the file, computing the tower, and a whole request with
 * a new picture, with a known picture and another question, and with everything cached, against a
 * request of the same length without one. Medians over the rounds, in one run on the starter model.
 *
 *     IMAGE_BENCH_ROUNDS   pictures of each row (30)
 */
import { loadClipEncoder } from '../../runtime/src/vision/clip-encoder.ts';
import { decodePicture } from '../../runtime/src/vision/decode-picture.ts';
import { clipParts, type TowerPicture } from '../../runtime/src/vision/image-parts.ts';
import { readProjector } from '../../runtime/src/vision/projector-file.ts';
import { chat, RuntimeProcess, starter } from '../process/runtime-process.ts';
import { paintPng } from '../support/png.ts';

const rounds = Number(process.env['IMAGE_BENCH_ROUNDS'] ?? 30);
const projector = starter.replace('starter.gguf', 'starter-mmproj.gguf');
const { shape } = readProjector(projector);

/** 512 × 512 pixels, another picture for each seed. */
const picture = (seed: number): Buffer =>
  paintPng(512, 512, (x, y) =>
    Math.hypot(x - 256, y - 256) < 60 + (seed % 90)
      ? [200, seed % 256, 40]
      : [240, 240, (seed * 7) % 256],
  );

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const rows: string[] = [];
const add = (name: string, values: readonly number[]): void => {
  rows.push(`${name.padEnd(58)}${median(values).toFixed(2).padStart(9)} ms`);
};

const timed = async (action: () => unknown): Promise<number> => {
  const start = performance.now();
  await action();
  return performance.now() - start;
};

const encoder = loadClipEncoder({ file: projector, threads: 1 });
const decoding: number[] = [];
const computing: number[] = [];
for (let seed = 0; seed < rounds; seed += 1) {
  const file = picture(seed);
  let seen: TowerPicture = { width: 0, height: 0, rgb: new Uint8Array(0) };
  const decode = async (): Promise<void> => {
    seen = clipParts(await decodePicture(file), shape).picture;
  };
  decoding.push(await timed(decode));
  computing.push(await timed(() => encoder.encode(seen, 0)));
}
encoder.dispose();
add('decode and resize a PNG of 512 × 512', decoding);
add(`compute the tower, ${shape.tokensPerTile} tokens, one thread`, computing);

const runtime = await RuntimeProcess.start();
try {
  const request = async (text: string, image_data?: string): Promise<number> => {
    const start = performance.now();
    const sampling_params = { temperature: 0, max_new_tokens: 1 };
    await runtime.generate({ text, image_data, sampling_params });
    return performance.now() - start;
  };
  const words = Array.from({ length: shape.tokensPerTile }, (_, i) => String(i % 10)).join('');
  const cost = {
    text: [] as number[],
    fresh: [] as number[],
    again: [] as number[],
    same: [] as number[],
  };
  await request(chat('warm up'));
  for (let seed = 0; seed < rounds; seed += 1) {
    const data = picture(1000 + seed).toString('base64');
    cost.text.push(await request(chat(`${seed}${words}What is this?`)));
    cost.fresh.push(await request(chat('<image>What is this?'), data));
    cost.again.push(await request(chat('<image>Which shape do you see?'), data));
    cost.same.push(await request(chat('<image>What is this?'), data));
  }
  add('request of one token: text of the same length', cost.text);
  add('request of one token: a new picture', cost.fresh);
  add('request of one token: a known picture, another question', cost.again);
  add('request of one token: everything cached', cost.same);
} finally {
  await runtime.stop();
}
console.log(rows.join('\n'));
