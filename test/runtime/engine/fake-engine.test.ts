import { expect, test } from 'vitest';
import type { BatchToken } from '../../../runtime/src/engine/engine.ts';
import { FakeEngine } from '../../../runtime/src/engine/fake-engine.ts';
import { FakeVocabulary } from '../../../runtime/src/engine/fake-vocabulary.ts';

function batch(sequence: number, from: number, tokens: readonly number[]): BatchToken[] {
  return tokens.map((token, index) => ({
    token,
    position: from + index,
    sequence,
    wantsLogits: index === tokens.length - 1,
  }));
}

test('logits depend on the tokens of the sequence alone', () => {
  const engine = new FakeEngine();
  engine.forward([...batch(0, 0, [1, 2, 3]), ...batch(5, 0, [9])]);
  const together = engine.logits(2).slice();
  engine.clear();
  engine.forward(batch(3, 0, [1]));
  engine.forward(batch(3, 1, [2, 3]));
  expect(engine.logits(1)).toEqual(together);
  expect(engine.logitsAfter([1, 2, 3])).toEqual(together);
  expect(engine.logitsAfter([1, 2, 4])).not.toEqual(together);
  expect(new FakeEngine({ seed: 2 }).logitsAfter([1, 2, 3])).not.toEqual(together);
});

test('shared cells count once and live until their last sequence goes', () => {
  const engine = new FakeEngine({ cells: 10 });
  engine.forward(batch(0, 0, [1, 2, 3, 4]));
  engine.copySequence(0, 1, 0, 2);
  expect(engine.usedCells).toBe(4);
  engine.forward(batch(1, 2, [7]));
  expect(engine.logits(0)).toEqual(engine.logitsAfter([1, 2, 7]));
  expect(engine.usedCells).toBe(5);
  engine.removeSequence(0, 0, -1);
  expect(engine.usedCells).toBe(3);
  expect(engine.sequenceTokens(1)).toEqual([1, 2, 7]);
  engine.removeSequence(1, 0, -1);
  expect(engine.usedCells).toBe(0);
});

test('a batch that does not fit changes nothing', () => {
  const engine = new FakeEngine({ cells: 4 });
  engine.forward(batch(0, 0, [1, 2, 3]));
  expect(engine.forward(batch(0, 3, [4, 5]))).toEqual({ status: 'full' });
  expect(engine.sequenceTokens(0)).toEqual([1, 2, 3]);
  expect(engine.forward(batch(0, 3, [4]))).toEqual({ status: 'ok' });
});

test('an aborted batch changes nothing', () => {
  const engine = new FakeEngine();
  engine.abortNextForward();
  expect(engine.forward(batch(0, 0, [1]))).toEqual({ status: 'aborted' });
  expect(engine.usedCells).toBe(0);
  expect(engine.forward(batch(0, 0, [1]))).toEqual({ status: 'ok' });
});

test('reading over a gap is an error', () => {
  const engine = new FakeEngine();
  engine.forward(batch(0, 0, [1, 2, 3, 4]));
  engine.removeSequence(0, 1, 2);
  expect(() => engine.forward(batch(0, 4, [5]))).toThrow('gap at position 1');
  engine.clear();
  expect(() => engine.forward(batch(0, 3, [5]))).toThrow('ends at position -1');
});

test('a cell computed after other tokens is an error', () => {
  const engine = new FakeEngine();
  engine.forward(batch(0, 0, [1, 2, 3]));
  engine.forward(batch(1, 0, [9, 2]));
  engine.copySequence(0, 2, 0, 1);
  engine.copySequence(1, 2, 1, 2);
  expect(() => engine.forward(batch(2, 2, [5]))).toThrow('computed after other tokens');
});

test('two cells at one position are an error', () => {
  const engine = new FakeEngine();
  engine.forward(batch(0, 0, [1, 2]));
  engine.forward(batch(1, 0, [3]));
  expect(() => engine.copySequence(0, 1, 0, -1)).toThrow('already has another cell at position 0');
});

test('save and restore move a sequence; a full cache refuses', () => {
  const engine = new FakeEngine({ cells: 5 });
  engine.forward(batch(0, 0, [1, 2, 3]));
  const state = engine.saveSequence(0);
  expect(engine.restoreSequence(1, state)).toBe(false);
  engine.removeSequence(0, 0, -1);
  expect(engine.restoreSequence(1, state)).toBe(true);
  engine.forward(batch(1, 3, [4]));
  expect(engine.logits(0)).toEqual(engine.logitsAfter([1, 2, 3, 4]));
});

test('logits are only there where they were asked for, and the array is reused', () => {
  const engine = new FakeEngine();
  engine.forward(batch(0, 0, [1, 2]));
  expect(() => engine.logits(0)).toThrow('no logits were asked for at batch index 0');
  expect(engine.logits(1)).toBe(engine.logits(1));
});

test('a script decides the most likely token', () => {
  const engine = new FakeEngine({ script: (history) => (history.length === 1 ? 65 : null) });
  const logits = engine.logitsAfter([7]);
  expect(logits.indexOf(Math.max(...logits))).toBe(65);
});

test('calls after dispose are errors; disposing twice is not', () => {
  const engine = new FakeEngine();
  engine.dispose();
  engine.dispose();
  expect(() => engine.forward(batch(0, 0, [1]))).toThrow('disposed');
});

test('fake vocabulary: longest match, round trip, control tokens only when parsed', () => {
  const vocabulary = new FakeVocabulary();
  const text = 'in the 世界 😀 é<|im_end|>';
  const parsed = vocabulary.tokenize(text, { addSpecial: true, parseSpecial: true });
  const plain = vocabulary.tokenize(text, { addSpecial: true, parseSpecial: false });
  const back = (tokens: number[]) =>
    Buffer.concat(tokens.map((token) => vocabulary.bytes(token, true))).toString();
  expect(back(parsed)).toBe(text);
  expect(back(plain)).toBe(text);
  expect(parsed.at(-1)).toBe(vocabulary.endOfGeneration[0]);
  expect(plain.some((token) => vocabulary.isControl(token))).toBe(false);
  expect(vocabulary.bytes(parsed.at(-1)!, false)).toHaveLength(0);
});
