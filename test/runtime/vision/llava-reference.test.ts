/** The runtime's own vision tower against numbers that llama.cpp's image code has computed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadClipEncoder } from '../../../runtime/src/vision/clip-encoder.ts';
import { clipParts } from '../../../runtime/src/vision/image-parts.ts';
import { readProjector } from '../../../runtime/src/vision/projector-file.ts';
import { writeRandomProjector } from '../../support/gguf/random-projector.ts';
import { drawn, type Reference, sample, TOWERS } from './llava/cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-llava-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const references: readonly Reference[] = JSON.parse(
  readFileSync(join(import.meta.dirname, 'llava', 'reference.json'), 'utf8'),
);

/** llama.cpp's attention rounds to half precision, which quantised matrices amplify. */
const TOLERANCE: Readonly<Record<string, number>> = { f16: 0.002, q8_0: 0.03, q4_0: 0.03 };

describe.each(Object.entries(TOWERS))('%s', (tower, options) => {
  const file = join(folder, `${Object.keys(TOWERS).indexOf(tower)}.gguf`);
  writeRandomProjector(file, options);
  const { shape } = readProjector(file);
  const perTile = shape.tokensPerTile;

  it.each(references.filter((each) => each.tower === tower))('$size', ({ chunks, size }) => {
    const encoder = loadClipEncoder({ file, threads: 1 });
    const { picture } = clipParts(drawn(...size), shape);
    const rows = encoder.encode(
      { width: picture.width, height: picture.height, rgb: picture.rgb },
      0,
    );
    encoder.dispose();
    // The overview is our first square and llama.cpp's last; it sends small pictures without tiles.
    const theirs = [...chunks.slice(-1), ...chunks.slice(0, -1)].flat();
    const peak = Math.max(...theirs.map(Math.abs));
    for (let tile = 0; tile < chunks.length; tile += 1) {
      const ours = sample(rows.slice(tile * perTile, (tile + 1) * perTile));
      const expected = theirs.slice(tile * perTile, (tile + 1) * perTile);
      const worst = Math.max(...ours.map((value, index) => Math.abs(value - expected[index]!)));
      expect(worst / peak).toBeLessThan(TOLERANCE[options.type ?? 'f16']!);
    }
  });
});

describe('LLaVA 1.6', () => {
  const shape = { imageSize: 112, patchSize: 14, hasNewline: true };
  const grids = [112, 224].flatMap((height) =>
    [112, 224].map((width) => ({ width, height })).filter((grid) => grid.width + height > 224),
  );
  const file = join(folder, 'newline.gguf');

  it('sends the whole picture, then its lines across all tiles, each with a mark at its end', () => {
    writeRandomProjector(file, { grids: [224, 112, 112, 224, 224, 224], newline: true });
    const projector = readProjector(file).shape;
    expect(projector).toMatchObject({ ...shape, grids: expect.arrayContaining(grids) });
    const { parts, picture } = clipParts(drawn(400, 100), projector);
    // 224 × 56 of 224 × 112 pixels are picture: 4 of 8 lines of 16 patches.
    expect(parts).toEqual([{ kind: 'rows', count: 64 + 4 * 17, layout: null, isWhole: false }]);
    const firstLine = Array.from(picture.order?.subarray(64, 64 + 17) ?? []);
    const line = (tile: number): number[] =>
      Array.from({ length: 8 }, (_, x) => tile * 64 + 2 * 8 + x);
    expect(firstLine).toEqual([...line(1), ...line(2), -1]);
    const encoder = loadClipEncoder({ file, threads: 1 });
    const rows = encoder.encode(picture, 0);
    const ends = rows.filter((_, index) => index >= 64 && (index - 64) % 17 === 16);
    encoder.dispose();
    expect(rows).toHaveLength(132);
    expect(new Set(ends.map((row) => row.join())).size).toBe(1);
    expect(Math.max(...ends[0]!.map(Math.abs))).toBeGreaterThan(0);
  });
});
