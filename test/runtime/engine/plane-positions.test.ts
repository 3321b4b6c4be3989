import { describe, expect, it } from 'vitest';
import type { BatchToken } from '../../../runtime/src/engine/engine.ts';
import { PlanePositions } from '../../../runtime/src/engine/plane-positions.ts';

/** Six rows on a plane of 3 × 2 take three positions. */
const image = (start: number) => ({
  start,
  length: 6,
  layout: { positions: 3, columns: 3 },
  isWhole: false,
});

const token = (position: number, sequence = 0): BatchToken => ({
  token: 1,
  position,
  sequence,
  wantsLogits: false,
});

function row(start: number, index: number, sequence = 0): BatchToken {
  return { ...token(index, sequence), image: image(start), embedding: new Float32Array(1) };
}

/** Two tokens, an image, a token. */
function prompt(sequence = 0): BatchToken[] {
  const rows = [2, 3, 4, 5, 6, 7].map((index) => row(2, index, sequence));
  return [token(0, sequence), token(1, sequence), ...rows, token(8, sequence)];
}

describe('positions of images on a plane', () => {
  it('count rows by line and column, and text behind them by the longer side', () => {
    const placed = new PlanePositions().place(prompt());
    expect(placed.map(({ position }) => position)).toEqual([0, 1, 2, 2, 2, 2, 2, 2, 5]);
    expect(placed.slice(2, 8).map(({ place }) => [place?.row, place?.column])).toEqual([
      [2, 2],
      [2, 3],
      [2, 4],
      [3, 2],
      [3, 3],
      [3, 4],
    ]);
  });

  it('are the same when the batch is cut inside the image', () => {
    const positions = new PlanePositions();
    const cut = [...positions.place(prompt().slice(0, 5)), ...positions.place(prompt().slice(5))];
    expect(cut).toEqual(new PlanePositions().place(prompt()));
    expect([0, 2, 8, 9, -1].map((index) => positions.positionOf(0, index))).toEqual([
      0, 2, 5, 6, -1,
    ]);
    expect(positions.length(0)).toBe(9);
  });

  it('go along when a beginning is shared, and are forgotten with what is removed', () => {
    const positions = new PlanePositions();
    positions.place(prompt());
    positions.copy(0, 1, 8);
    expect([positions.length(1), positions.positionOf(1, 8)]).toEqual([8, 5]);
    const second = [8, 9, 10, 11, 12, 13].map((index) => row(8, index, 1));
    expect(positions.place(second)[5]?.place).toEqual({ row: 6, column: 7 });
    expect(positions.positionOf(1, 14)).toBe(8);
    positions.remove(1, 8, -1);
    expect([positions.length(1), positions.positionOf(1, 14)]).toEqual([8, 11]);
    positions.remove(1, 0, -1);
    expect([positions.length(1), positions.positionOf(1, 14)]).toEqual([0, 14]);
    expect(positions.positionOf(0, 8)).toBe(5);
  });

  it('are known behind what was not copied, and of what was saved', () => {
    const positions = new PlanePositions();
    positions.place(prompt());
    // As a copy of its last token alone does.
    positions.copy(0, 1, 9);
    const saved = positions.save(1);
    positions.remove(1, 0, -1);
    positions.restore(2, saved);
    expect([1, 2].map((sequence) => positions.length(sequence))).toEqual([0, 9]);
    expect(positions.positionOf(2, 8)).toBe(5);
    expect(positions.save(2)).toEqual(saved);
  });
});
