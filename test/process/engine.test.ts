import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BatchToken, Engine } from '../../runtime/src/engine/engine.ts';
import { EngineError } from '../../runtime/src/engine/engine.ts';
import { loadEngine } from '../../runtime/src/engine/llama-engine.ts';
import { openVocabulary } from '../../runtime/src/engine/llama-vocabulary.ts';
import { promptLogprob } from '../../runtime/src/sampling/logprobs.ts';
import { GREEDY, SamplingState } from '../../runtime/src/sampling/sampling-state.ts';
import { Sampler } from '../../runtime/src/sampling/sampler.ts';
import { detokenize } from '../../runtime/src/tokenizer/detokenizer.ts';
import { writeRandomModel } from '../support/gguf/random-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'engine-test-'));
const tiny = join(folder, 'tiny.gguf');
const starter = new URL('../../runtime/starter-model/starter.gguf', import.meta.url).pathname;
const TEXT = 'the capital of France is Paris and the capital of Germany is';
const open: { dispose(): void }[] = [];

beforeAll(() => writeRandomModel(tiny));
afterEach(() => {
  for (const one of open.splice(0)) one.dispose();
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(options: Partial<Parameters<typeof loadEngine>[0]> = {}): Engine {
  const engine = loadEngine({ modelPath: tiny, cells: 1024, sequences: 8, threads: 1, ...options });
  open.push(engine);
  return engine;
}

function tokensOf(engine: Engine, text = TEXT): number[] {
  return engine.vocabulary.tokenize(text, { addSpecial: false, parseSpecial: true });
}

function batch(
  sequence: number,
  from: number,
  tokens: readonly number[],
  all = false,
): BatchToken[] {
  return tokens.map((token, index) => ({
    token,
    position: from + index,
    sequence,
    wantsLogits: all || index === tokens.length - 1,
  }));
}

/** Logits after the tokens, alone in an empty context. */
function alone(engine: Engine, tokens: readonly number[]): Float32Array {
  engine.clear();
  expect(engine.forward(batch(0, 0, tokens))).toEqual({ status: 'ok' });
  return engine.logits(tokens.length - 1).slice();
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
}

function codeOf(action: () => unknown): { code: string; message: string } {
  try {
    action();
  } catch (error) {
    if (error instanceof EngineError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('no error was thrown');
}

describe('forward', () => {
  test('sequences of one batch do not see each other', () => {
    const engine = load();
    const tokens = tokensOf(engine);
    const other = tokensOf(engine, 'some other text that is longer than the first one was');
    const expected = alone(engine, tokens);
    engine.clear();
    engine.forward([...batch(3, 0, other), ...batch(5, 0, tokens)]);
    const together = engine.logits(other.length + tokens.length - 1);
    expect(largestDifference(together, expected)).toBeLessThan(0.05);
  });

  test('shared cells give the logits of unshared ones', () => {
    const engine = load();
    const tokens = tokensOf(engine);
    const expected = alone(engine, [...tokens.slice(0, 20), ...tokens.slice(0, 3)]);
    engine.clear();
    engine.forward(batch(0, 0, tokens));
    engine.copySequence(0, 1, 0, 20);
    engine.removeSequence(0, 0, -1);
    engine.forward(batch(1, 20, tokens.slice(0, 3)));
    const shared = engine.logits(2).slice();
    expect(largestDifference(shared, expected)).toBeLessThan(0.05);
    expect(largestDifference(shared, alone(engine, tokens))).toBeGreaterThan(0.5);
  });

  test('sharing takes no cells; a full cache says so and is unchanged', () => {
    const engine = load({ cells: 512, sequences: 64 });
    expect(engine.limits.cells).toBe(512);
    const prefix = Array.from({ length: 300 }, (_, index) => 256 + (index % 200));
    engine.forward(batch(0, 0, prefix));
    for (let sequence = 1; sequence < 64; sequence += 1) engine.copySequence(0, sequence, 0, -1);
    const step = (position: number): BatchToken[] =>
      Array.from({ length: 64 }, (_, sequence) =>
        batch(sequence, position, [300 + sequence]),
      ).flat();
    for (let position = 300; position < 303; position += 1) {
      expect(engine.forward(step(position))).toEqual({ status: 'ok' });
    }
    const before = engine.logits(7).slice();
    expect(engine.forward(step(303))).toEqual({ status: 'full' });
    for (let sequence = 32; sequence < 64; sequence += 1) engine.removeSequence(sequence, 0, -1);
    engine.removeSequence(7, 302, -1);
    expect(engine.forward(batch(7, 302, [307]))).toEqual({ status: 'ok' });
    expect(largestDifference(engine.logits(0), before)).toBeLessThan(0.05);
  });

  test('a saved sequence continues with the same logits in another context', () => {
    const engine = load();
    const tokens = tokensOf(engine);
    const expected = alone(engine, [...tokens, 300]);
    engine.clear();
    engine.forward(batch(0, 0, tokens));
    const state = engine.saveSequence(0);
    const other = load();
    expect(other.restoreSequence(4, state)).toBe(true);
    other.forward(batch(4, tokens.length, [300]));
    expect(largestDifference(other.logits(0), expected)).toBeLessThan(0.05);
    expect(other.restoreSequence(2, state.slice(0, state.length >> 1))).toBe(false);
  });

  test('log probabilities of a prompt equal those computed token by token', () => {
    const engine = load();
    const tokens = tokensOf(engine);
    engine.forward(batch(0, 0, tokens, true));
    const atOnce = tokens
      .slice(1)
      .map((token, at) => promptLogprob(engine.logits(at), token, 0).logprob);
    const oneByOne = tokens.slice(1).map((token, at) => {
      const logits = alone(engine, tokens.slice(0, at + 1));
      const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
      return logits[token]! - Math.log(sum);
    });
    atOnce.forEach((logprob, at) => expect(logprob).toBeCloseTo(oneByOne[at]!, 1));
  });

  test('invalid batches are errors that leave the cache as it was', () => {
    const engine = load();
    const tokens = tokensOf(engine);
    const expected = alone(engine, [...tokens, 300]);
    engine.removeSequence(0, tokens.length, -1);
    expect(codeOf(() => engine.forward([]))).toMatchObject({ code: 'DECODE_FAILED' });
    for (const wrong of [
      batch(0, tokens.length, [99_999]),
      batch(0, tokens.length + 5, [300]),
      batch(0, 2, [300]),
      batch(8, 0, [300]),
      batch(3, -1, [300]),
      [...batch(3, 0, [300]), ...batch(3, 0, [301])],
      batch(
        0,
        0,
        Array.from({ length: 513 }, () => 300),
      ),
    ]) {
      expect(codeOf(() => engine.forward(wrong)).code).toBe('DECODE_FAILED');
    }
    expect(codeOf(() => engine.copySequence(0, 99, 0, -1)).message).toContain('no sequence 99');
    expect(codeOf(() => engine.removeSequence(-1, 0, -1)).message).toContain('no sequence -1');
    engine.forward(batch(0, tokens.length, [300]));
    expect(largestDifference(engine.logits(0), expected)).toBeLessThan(0.05);
  });

  test('another thread aborts a forward; the batch leaves nothing behind', () => {
    const flag = new Uint8Array(new SharedArrayBuffer(8));
    const engine = load({ abortFlag: flag });
    flag[0] = 1;
    expect(engine.forward(batch(0, 0, tokensOf(engine)))).toEqual({ status: 'aborted' });
    flag[0] = 0;
    const tokens = tokensOf(engine);
    expect(engine.forward(batch(0, 0, tokens))).toEqual({ status: 'ok' });
    const after = engine.logits(tokens.length - 1).slice();
    expect(largestDifference(after, alone(engine, tokens))).toBeLessThan(0.05);
  });

  test('the abort reaches a forward in progress', async () => {
    const flag = new Uint8Array(new SharedArrayBuffer(8));
    const engine = load({ abortFlag: flag });
    const source = `const { parentPort, workerData } = require('node:worker_threads');
      parentPort.postMessage('started');
      setTimeout(() => { new Uint8Array(workerData)[0] = 1; }, 20);`;
    const worker = new Worker(source, { eval: true, workerData: flag.buffer });
    await new Promise((resolve) => worker.once('message', resolve));
    const prompt = batch(
      0,
      0,
      Array.from({ length: 512 }, (_, index) => 256 + index),
    );
    let status = 'ok';
    while (status === 'ok') {
      engine.clear();
      status = engine.forward(prompt).status;
    }
    expect(status).toBe('aborted');
    await worker.terminate();
  });

  test('disposing twice is fine; calls afterwards are errors', () => {
    const engine = load();
    engine.dispose();
    engine.dispose();
    expect(codeOf(() => engine.forward(batch(0, 0, [300]))).message).toContain('disposed');
    expect(() => engine.clear()).toThrow('disposed');
    expect(() => tokensOf(engine)).toThrow('disposed');
  });
});

describe('in threads', () => {
  test('an engine in a worker and a vocabulary here use one library', async () => {
    const source = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { loadEngine } = await import(workerData.module);
      const engine = loadEngine({ modelPath: workerData.path, cells: 256, threads: 1 });
      engine.forward([{ token: 300, position: 0, sequence: 0, wantsLogits: true }]);
      parentPort.postMessage(engine.logits(0).slice(0, 4));
      engine.dispose();`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: {
        module: new URL('../../runtime/src/engine/llama-engine.ts', import.meta.url).href,
        path: tiny,
      },
    });
    const logits = await new Promise<Float32Array>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    await worker.terminate();
    const vocabulary = openVocabulary(tiny);
    open.push(vocabulary);
    expect(vocabulary.size).toBe(1024);
    expect(logits).toEqual(alone(load({ cells: 256 }), [300]).slice(0, 4));
  });
});

describe('vocabulary', () => {
  const texts = [
    '',
    ' ',
    'the capital',
    '  two  spaces\n\n',
    '世界 größe 😀',
    'a\0b',
    '.,;: .',
    '1234',
    '\u{feff}x',
  ];

  test.each(texts)('%j survives tokens', (text) => {
    const vocabulary = openVocabulary(tiny);
    open.push(vocabulary);
    const tokens = vocabulary.tokenize(text, { addSpecial: false, parseSpecial: false });
    expect(detokenize(vocabulary, tokens, { skipSpecialTokens: true })).toBe(text);
  });

  test('control tokens are parsed only when asked, and leave no text', () => {
    const vocabulary = openVocabulary(tiny);
    open.push(vocabulary);
    const text = '<|im_start|>user\nhi<|im_end|>';
    const parsed = vocabulary.tokenize(text, { addSpecial: true, parseSpecial: true });
    const plain = vocabulary.tokenize(text, { addSpecial: true, parseSpecial: false });
    expect(parsed.filter((token) => vocabulary.isControl(token))).toEqual([1022, 1023]);
    expect(plain.some((token) => vocabulary.isControl(token))).toBe(false);
    expect(detokenize(vocabulary, parsed, { skipSpecialTokens: true })).toBe('user\nhi');
    expect(detokenize(vocabulary, parsed, { skipSpecialTokens: false })).toBe(text);
    expect(vocabulary.endOfGeneration).toContain(1023);
    expect(vocabulary.isEndOfGeneration(1023)).toBe(true);
    expect(vocabulary.isControl(1000)).toBe(true);
    expect(vocabulary.bytes(99_999, true)).toHaveLength(0);
  });

  test('a long text without spaces does not exhaust the stack', () => {
    const vocabulary = openVocabulary(tiny);
    open.push(vocabulary);
    const tokens = vocabulary.tokenize('x'.repeat(200_000), {
      addSpecial: false,
      parseSpecial: true,
    });
    expect(tokens.length).toBe(200_000);
  });
});

describe('model files that cannot be loaded', () => {
  const write = (name: string, data: Uint8Array): string => {
    writeFileSync(join(folder, name), data);
    return join(folder, name);
  };

  test('missing', () => {
    const { code, message } = codeOf(() => load({ modelPath: join(folder, 'absent.gguf') }));
    expect(code).toBe('MODEL_NOT_FOUND');
    expect(message).toContain('absent.gguf');
  });

  test('a folder', () => {
    expect(codeOf(() => load({ modelPath: folder })).code).toBe('MODEL_INVALID');
  });

  test('not GGUF', () => {
    const path = write('text.gguf', Buffer.from('<html>not found</html>'));
    expect(codeOf(() => load({ modelPath: path })).message).toContain('is not a GGUF model file');
  });

  test.each([0.1, 0.5, 0.99])('truncated to %f', (part) => {
    const whole = readFileSync(tiny);
    const path = write('truncated.gguf', whole.subarray(0, Math.floor(whole.length * part)));
    const { code, message } = codeOf(() => load({ modelPath: path }));
    expect(code).toBe('MODEL_INVALID');
    expect(message).toContain('truncated');
  });

  test('an unknown architecture', () => {
    const path = join(folder, 'unknown.gguf');
    writeRandomModel(path, { architecture: 'hyperllama' });
    const { code, message } = codeOf(() => load({ modelPath: path }));
    expect(code).toBe('MODEL_UNSUPPORTED');
    expect(message).toContain("unknown model architecture: 'hyperllama'");
    expect(codeOf(() => openVocabulary(path)).code).toBe('MODEL_UNSUPPORTED');
  });

  test('a tensor missing', () => {
    const path = join(folder, 'layers.gguf');
    writeRandomModel(path, { layers: 1 });
    const data = readFileSync(path);
    data.write('blk.9', data.indexOf('blk.0.ffn_up.weight'));
    const { code, message } = codeOf(() => load({ modelPath: write('missing.gguf', data) }));
    expect(code).toBe('MODEL_INVALID');
    expect(message).toContain('ffn_up');
  });

  test('a context that no memory can hold', () => {
    const { code, message } = codeOf(() => load({ cells: 2 ** 31 }));
    expect(code).toBe('OUT_OF_MEMORY');
    expect(message).toContain('Try a smaller context');
  });

  test('a library folder without llama.cpp is not used once another is loaded', () => {
    expect(load({ library: { directory: folder } }).limits.cells).toBe(1024);
  });
});

describe('starter model', () => {
  test('answers greedily, and its vocabulary keeps any text', () => {
    const engine = load({ modelPath: starter, cells: 1024 });
    const prompt =
      '<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n';
    const tokens = tokensOf(engine, prompt);
    const sampler = new Sampler(engine.vocabulary.size, engine.vocabulary.endOfGeneration);
    const state = new SamplingState(GREEDY);
    engine.forward(batch(0, 0, tokens));
    let logits = engine.logits(tokens.length - 1);
    const output: number[] = [];
    while (output.length < 40) {
      const { token } = sampler.sample(logits, state, {
        mask: null,
        wantsLogprob: false,
        topLogprobs: 0,
      });
      if (engine.vocabulary.isEndOfGeneration(token)) break;
      output.push(token);
      engine.forward(batch(0, tokens.length + output.length - 1, [token]));
      logits = engine.logits(0);
    }
    expect(detokenize(engine.vocabulary, output, { skipSpecialTokens: true })).toContain('Paris');
    const text = 'Größe 世界 😀 <tag> 3.14 \t\n end';
    expect(detokenize(engine.vocabulary, tokensOf(engine, text), { skipSpecialTokens: true })).toBe(
      text,
    );
  });
});
