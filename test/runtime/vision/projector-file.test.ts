import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readProjector, type ProjectorShape } from '../../../runtime/src/vision/projector-file.ts';
import { ProjectorError } from '../../../runtime/src/vision/projector-error.ts';
import { writeRandomProjector } from '../../support/gguf/random-projector.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const folder = mkdtempSync(join(tmpdir(), 'projector-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `SGLNB_FUZZ=full`: as many as before a release. */
const full = process.env['SGLNB_FUZZ'] === 'full';
const MUTATIONS = full ? 10_000 : 500;

/** Where the value of a key begins: behind the name, at its type. */
function typeOf(key: string, bytes: Buffer): number {
  const at = bytes.indexOf(key);
  expect(at).toBeGreaterThan(0);
  return at + key.length;
}

const F32 = 6;

it.each([
  ['heads', 'clip.vision.attention.head_count', 4e-45],
  ['a patch size', 'clip.vision.patch_size', 0.5],
  ['a block count', 'clip.vision.block_count', 1.5],
])('refuses %s that is no whole number: ggml would end the process', (_what, key, value) => {
  const path = join(folder, 'fraction.gguf');
  writeRandomProjector(path);
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(F32, typeOf(key, bytes));
  bytes.writeFloatLE(value, typeOf(key, bytes) + 4);
  writeFileSync(path, bytes);
  expect(() => readProjector(path)).toThrow(`has no valid ${key}.`);
});

it('refuses a spread of colours by which nothing can be divided', () => {
  const path = join(folder, 'spread.gguf');
  writeRandomProjector(path);
  const bytes = readFileSync(path);
  // Type, type of the items, count, items.
  bytes.writeFloatLE(0, typeOf('clip.vision.image_std', bytes) + 16);
  writeFileSync(path, bytes);
  expect(() => readProjector(path)).toThrow('has no valid clip.vision.image_std.');
});

it('gives a reason for every damaged header, or a shape', { timeout: 600_000 }, () => {
  const path = join(folder, 'mutated.gguf');
  writeRandomProjector(path, { grids: [112, 224, 224, 112], featureLayer: 4, newline: true });
  const original = readFileSync(path);
  const header = original.indexOf('mm.2.bias') + 200;
  const random = seededRandom(11);
  const file = openSync(path, 'r+');
  let refused = 0;
  for (let i = 0; i < MUTATIONS; i += 1) {
    const copy = Buffer.from(original.subarray(0, header));
    for (let changes = 1 + random.below(3); changes > 0; changes -= 1) {
      const at = random.below(header - 8);
      const kind = random.below(3);
      if (kind === 0) copy[at] = random.below(256);
      else if (kind === 1) copy.writeUInt32LE(random.below(16), at);
      else copy.fill(random.below(2) * 255, at, at + random.below(8));
    }
    writeSync(file, copy, 0, header, 0);
    let shape: ProjectorShape;
    try {
      ({ shape } = readProjector(path));
    } catch (error) {
      refused += 1;
      expect(error, String(error)).toBeInstanceOf(ProjectorError);
      continue;
    }
    for (const side of [shape.imageSize, shape.patchSize, shape.width, shape.heads, shape.blocks]) {
      expect(Number.isSafeInteger(side) && side > 0).toBe(true);
    }
    expect(shape.width % shape.heads).toBe(0);
    expect([...shape.mean, ...shape.deviation].every(Number.isFinite)).toBe(true);
    expect(shape.deviation.every((value) => value > 0)).toBe(true);
  }
  closeSync(file);
  expect(refused).toBeGreaterThan(MUTATIONS / 10);
  expect(refused).toBeLessThan(MUTATIONS);
});
