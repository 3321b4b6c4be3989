/** Beginnings of prompts with images on a plane (M-RoPE), out of llama.cpp's cache and back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EdgeTransfer } from '../../runtime/src/cache/edge-transfer.ts';
import type { BatchToken } from '../../runtime/src/engine/engine.ts';
import { loadEngine, type NativeEngine } from '../../runtime/src/engine/llama-engine.ts';
import { TINY, writeRandomModel } from '../support/gguf/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'plane-cache-'));
const modelPath = join(folder, 'model.gguf');
const SPARE = 7;

/** Rows of a picture on a plane of 4 × 2: four positions for eight tokens. */
const LAYOUT = { positions: 4, columns: 4 };
const ROWS = 8;

const text = (position: number): BatchToken => ({
  token: 300 + position,
  position,
  sequence: 0,
  wantsLogits: true,
});

function picture(start: number): BatchToken[] {
  const image = { start, length: ROWS, layout: LAYOUT, isWhole: false };
  return Array.from({ length: ROWS }, (_, row) => ({
    ...text(start + row),
    token: 2 ** 52 + start,
    image,
    embedding: Float32Array.from({ length: TINY.width }, (_unused, at) =>
      Math.sin(start + row * 3 + at),
    ),
  }));
}

/** Three tokens, a picture, two tokens, a picture, three tokens. */
const PROMPT = [
  ...[0, 1, 2].map(text),
  ...picture(3),
  ...[11, 12].map(text),
  ...picture(13),
  ...[21, 22, 23].map(text),
];
const LAST = PROMPT.length - 1;
const path = PROMPT.map(({ token }) => token);

let engine: NativeEngine;
beforeAll(() => {
  writeRandomModel(modelPath, { architecture: 'qwen2vl' });
  engine = loadEngine({ modelPath, cells: 1024, sequences: 8, threads: 1 });
  engine.usePlane();
});
afterAll(() => {
  engine.dispose();
  rmSync(folder, { recursive: true });
});

function last(): Float32Array {
  expect(engine.forward(PROMPT.slice(LAST))).toEqual({ status: 'ok' });
  return engine.logits(0).slice();
}

describe('what was saved of a sequence', () => {
  it.each([
    ['everything', 0],
    ['from the first picture on', 3],
    ['from the text behind it on', 12],
    ['from the second picture on', 13],
    ['from the text behind that on', 22],
  ])('continues with the same logits: %s', (_, from) => {
    engine.clear();
    engine.forward(PROMPT.slice(0, LAST));
    const expected = last();
    engine.removeSequence(0, LAST, -1);
    const transfer = new EdgeTransfer(engine, SPARE);
    const edge = transfer.save(0, path.slice(0, LAST), from, Number.POSITIVE_INFINITY);
    expect(engine.savedBytes(0)).toBeGreaterThanOrEqual(edge?.state.length ?? Infinity);
    engine.removeSequence(0, from, -1);
    // Somebody else computes in the cells that became free.
    engine.forward([0, 1, 2, 3].map((at) => ({ ...text(at), token: 400 + at, sequence: 3 })));
    expect([engine.sequenceLength(0), engine.sequenceLength(SPARE)]).toEqual([from, 0]);
    expect(transfer.restore(edge!, 0, from, LAST)).toBe(true);
    expect(engine.sequenceLength(0)).toBe(LAST);
    // The same numbers in other cells: only the order of a sum can differ.
    const difference = last().reduce(
      (most, value, at) => Math.max(most, Math.abs(value - (expected[at] ?? 0))),
      0,
    );
    expect(difference).toBeLessThan(1e-3);
  });

  it('says no when there is no room, and leaves nothing behind', () => {
    engine.clear();
    engine.forward(PROMPT);
    const state = engine.saveSequence(0);
    engine.clear();
    for (const start of [0, 508]) {
      const tokens = Array.from({ length: 508 }, (_, at) => ({ ...text(start + at), token: 300 }));
      engine.forward(tokens.map((token) => ({ ...token, wantsLogits: false })));
    }
    expect(engine.restoreSequence(SPARE, state)).toBe(false);
    expect(engine.sequenceLength(SPARE)).toBe(0);
  });
});
