import {
  type BatchToken,
  type Engine,
  EngineError,
  type EngineLimits,
  type ForwardResult,
  type ModelInfo,
} from './engine.ts';
import { FakeVocabulary } from './fake-vocabulary.ts';

export interface FakeEngineOptions {
  readonly cells?: number;
  readonly sequences?: number;
  readonly batchTokens?: number;
  readonly vocabulary?: FakeVocabulary;
  /** Another seed is another model: same shapes, other logits. */
  readonly seed?: number;
  /** Longest context the pretended model was trained for. */
  readonly trainedContext?: number;
  readonly chatTemplate?: string | null;
  /** False: cutting a sequence in the middle fails, as with recurrent models. */
  readonly supportsPartialRemoval?: boolean;
  /**
   * Token that the model prefers by far after `history` (all tokens of the sequence so far); null
   * leaves the pseudo-random logits. Must be a pure function.
   */
  readonly script?: (history: readonly number[]) => number | null;
}

/** One position's keys and values: what was computed, and under which history it was. */
interface Cell {
  readonly token: number;
  readonly position: number;
  /** Hash of the tokens 0 … position at the time of computing. */
  readonly history: number;
  readonly sequences: Set<number>;
}

/**
 * An engine without a model. Logits are a pure function of the tokens of a sequence, so a scheduler
 * that shares, evicts or orders cells wrongly produces other text than one that does not; and what
 * llama.cpp would compute silently wrong (a gap, a cell computed under another history, two cells at
 * one position) is an error here.
 */
export class FakeEngine implements Engine {
  readonly model: ModelInfo;
  readonly limits: EngineLimits;
  readonly vocabulary: FakeVocabulary;
  readonly #seed: number;
  readonly #script: (history: readonly number[]) => number | null;
  /** Per sequence: its cells by position. */
  readonly #sequences: (Cell | undefined)[][];
  readonly #logits: Float32Array;
  #usedCells = 0;
  #histories: (readonly number[] | null)[] = [];
  #disposed = false;
  #abortNext = false;
  /** Sizes of all successful batches so far. */
  readonly batchSizes: number[] = [];

  constructor(options: FakeEngineOptions = {}) {
    this.vocabulary = options.vocabulary ?? new FakeVocabulary();
    this.limits = {
      cells: options.cells ?? 4096,
      sequences: options.sequences ?? 64,
      batchTokens: options.batchTokens ?? 512,
    };
    this.model = {
      path: 'fake',
      name: 'fake',
      architecture: 'fake',
      vocabularySize: this.vocabulary.size,
      trainedContext: options.trainedContext ?? 1_048_576,
      parameterCount: 0,
      sizeBytes: 0,
      chatTemplate: options.chatTemplate ?? null,
      supportsPartialRemoval: options.supportsPartialRemoval ?? true,
    };
    this.#seed = options.seed ?? 1;
    this.#script = options.script ?? (() => null);
    this.#sequences = Array.from({ length: this.limits.sequences }, () => []);
    this.#logits = new Float32Array(this.vocabulary.size);
  }

  /** Cells that hold something; a cell shared by several sequences counts once. */
  get usedCells(): number {
    return this.#usedCells;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Tokens of a sequence by position; throws when there is a gap. */
  sequenceTokens(sequence: number): number[] {
    return this.#cellsUpTo(sequence, this.#cells(sequence).length - 1).map((cell) => cell.token);
  }

  /** The next `forward` answers 'aborted' without computing anything. */
  abortNextForward(): void {
    this.#abortNext = true;
  }

  forward(batch: readonly BatchToken[]): ForwardResult {
    this.#checkBatch(batch);
    this.#histories = [];
    if (this.#abortNext) {
      this.#abortNext = false;
      return { status: 'aborted' };
    }
    if (this.#usedCells + batch.length > this.limits.cells) return { status: 'full' };
    const checked = new Set<number>();
    for (const item of batch) {
      if (!checked.has(item.sequence)) this.#checkHistory(item.sequence);
      checked.add(item.sequence);
      this.#append(item);
    }
    this.#histories = batch.map((item) =>
      item.wantsLogits
        ? this.#cellsUpTo(item.sequence, item.position).map((cell) => cell.token)
        : null,
    );
    this.batchSizes.push(batch.length);
    return { status: 'ok' };
  }

  logits(index: number): Float32Array {
    this.#checkAlive();
    const history = this.#histories[index];
    if (!history) throw failure(`no logits were asked for at batch index ${index}`);
    return this.#fill(history);
  }

  /** Logits after `history`, computed afresh into a new array: the oracle for tests. */
  logitsAfter(history: readonly number[]): Float32Array {
    return this.#fill(history).slice();
  }

  copySequence(source: number, target: number, from: number, to: number): void {
    const cells = this.#cells(source);
    const targetCells = this.#cells(target);
    if (source === target) return;
    const end = to < 0 ? cells.length : Math.min(to, cells.length);
    for (let position = Math.max(0, from); position < end; position += 1) {
      const cell = cells[position];
      if (cell === undefined) continue;
      const existing = targetCells[position];
      if (existing !== undefined && existing !== cell) {
        throw failure(`sequence ${target} already has another cell at position ${position}`);
      }
      cell.sequences.add(target);
      put(targetCells, position, cell);
    }
  }

  removeSequence(sequence: number, from: number, to: number): boolean {
    const cells = this.#cells(sequence);
    const start = Math.max(0, from);
    const end = to < 0 ? cells.length : Math.min(to, cells.length);
    const whole = start === 0 && end === cells.length;
    if (!whole && start < end && !this.model.supportsPartialRemoval) return false;
    for (let position = start; position < end; position += 1) this.#drop(sequence, position);
    while (cells.length > 0 && cells.at(-1) === undefined) cells.pop();
    return true;
  }

  sequenceLength(sequence: number): number {
    return this.#cells(sequence).length;
  }

  saveSequence(sequence: number): Uint8Array {
    const cells = this.#cells(sequence).filter((cell) => cell !== undefined);
    const numbers = cells.flatMap(({ token, position, history }) => [token, position, history]);
    return new Uint8Array(Uint32Array.from(numbers).buffer);
  }

  savedBytes(sequence: number): number {
    return 12 * this.#cells(sequence).filter((cell) => cell !== undefined).length;
  }

  restoreSequence(sequence: number, state: Uint8Array): boolean {
    this.removeSequence(sequence, 0, -1);
    const numbers = new Uint32Array(state.slice().buffer);
    if (this.#usedCells + numbers.length / 3 > this.limits.cells) return false;
    for (let at = 0; at < numbers.length; at += 3) {
      const [token = 0, position = 0, history = 0] = numbers.subarray(at, at + 3);
      put(this.#cells(sequence), position, {
        token,
        position,
        history,
        sequences: new Set([sequence]),
      });
      this.#usedCells += 1;
    }
    return true;
  }

  clear(): void {
    this.#checkAlive();
    for (const cells of this.#sequences) cells.length = 0;
    this.#usedCells = 0;
    this.#histories = [];
  }

  dispose(): void {
    this.#disposed = true;
  }

  #append(item: { token: number; position: number; sequence: number }): void {
    const cells = this.#cells(item.sequence);
    if (item.position !== cells.length) {
      throw failure(
        `sequence ${item.sequence} ends at position ${cells.length - 1}; cannot compute ${item.position}`,
      );
    }
    const before = cells.at(-1)?.history ?? this.#seed;
    const history = mix(mix(before, item.token), item.position);
    const sequences = new Set([item.sequence]);
    cells.push({ token: item.token, position: item.position, history, sequences });
    this.#usedCells += 1;
  }

  #drop(sequence: number, position: number): void {
    const cells = this.#cells(sequence);
    const cell = cells[position];
    if (cell === undefined) return;
    cells[position] = undefined;
    cell.sequences.delete(sequence);
    if (cell.sequences.size === 0) this.#usedCells -= 1;
  }

  /** Every visible cell must have been computed under the tokens that are visible now. */
  #checkHistory(sequence: number): void {
    let history = this.#seed;
    for (const cell of this.#cellsUpTo(sequence, this.#cells(sequence).length - 1)) {
      history = mix(mix(history, cell.token), cell.position);
      if (history !== cell.history) {
        throw failure(
          `sequence ${sequence} sees a cell at position ${cell.position} that was computed after other tokens`,
        );
      }
    }
  }

  #cellsUpTo(sequence: number, position: number): Cell[] {
    const cells = this.#cells(sequence);
    return Array.from({ length: position + 1 }, (_, at) => {
      const cell = cells[at];
      if (cell === undefined) throw failure(`sequence ${sequence} has a gap at position ${at}`);
      return cell;
    });
  }

  #fill(history: readonly number[]): Float32Array {
    const hash = history.reduce(
      (state, token, position) => mix(mix(state, token), position),
      this.#seed,
    );
    for (let token = 0; token < this.#logits.length; token += 1) {
      this.#logits[token] = (mix(hash, token) / 0x1_0000_0000) * 16 - 8;
    }
    const preferred = this.#script(history);
    if (preferred !== null) this.#logits[preferred] = 24;
    return this.#logits;
  }

  #checkBatch(batch: readonly BatchToken[]): void {
    this.#checkAlive();
    if (batch.length === 0) throw failure('the batch is empty');
    if (batch.length > this.limits.batchTokens) {
      throw failure(
        `the batch has ${batch.length} tokens; the limit is ${this.limits.batchTokens}`,
      );
    }
    const wrong = batch.find(
      ({ token, embedding }) =>
        embedding === undefined && !(token >= 0 && token < this.vocabulary.size),
    );
    if (wrong) throw failure(`token ${wrong.token} is not in the vocabulary`);
  }

  #cells(sequence: number): (Cell | undefined)[] {
    this.#checkAlive();
    const cells = this.#sequences[sequence];
    if (cells === undefined) throw failure(`there is no sequence ${sequence}`);
    return cells;
  }

  #checkAlive(): void {
    if (this.#disposed) throw failure('the engine was disposed');
  }
}

function failure(message: string): EngineError {
  return new EngineError('DECODE_FAILED', message);
}

/** Sets an element, filling with explicit holes so that iteration never skips. */
function put(cells: (Cell | undefined)[], position: number, cell: Cell): void {
  while (cells.length < position) cells.push(undefined);
  cells[position] = cell;
}

/** 32-bit avalanche mix (the finaliser of MurmurHash3 over both words). */
function mix(state: number, value: number): number {
  let hash = Math.imul(state ^ Math.imul(value + 0x9e3779b9, 0x85ebca6b), 0xc2b2ae35);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
