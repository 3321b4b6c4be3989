import type { Batch } from './batch.ts';
import type { Request } from './request.ts';

/** Decode steps between two "Decode batch" lines, as SGLang's `--decode-log-interval`. */
const DECODE_INTERVAL = 40;

export interface StepNumbers {
  readonly usedCells: number;
  readonly allCells: number;
  readonly running: number;
  readonly queued: number;
}

/** SGLang's scheduler lines, same words and numbers. */
export class StepLog {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  #promptTokens = 0;
  #cachedTokens = 0;
  #decodeSteps = 0;
  #sinceTokens = 0;
  #sinceTime: number;
  lastThroughput = 0;

  /** `now` in milliseconds. */
  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
    this.#sinceTime = now();
  }

  /** After a batch with prompt tokens; `running` excludes the requests that joined. */
  prefill(batch: Batch, joined: readonly Request[], numbers: StepNumbers): void {
    const prompts = batch.slices.filter(({ request }) => request.isPrefilling);
    const fresh = prompts.reduce((sum, slice) => sum + slice.count, 0);
    const cached = joined.reduce((sum, request) => sum + request.cachedTokens, 0);
    if (fresh === 0 && joined.length === 0) return;
    this.#promptTokens += fresh + cached;
    this.#cachedTokens += cached;
    const rate = this.#promptTokens === 0 ? 0 : (100 * this.#cachedTokens) / this.#promptTokens;
    this.#write(
      `Prefill batch. #new-seq: ${joined.length}, #new-token: ${fresh}, #cached-token: ${cached}, ` +
        `cache hit rate: ${rate.toFixed(2)}%, token usage: ${usage(numbers)}, ` +
        `#running-req: ${numbers.running - joined.length}, #queue-req: ${numbers.queued}`,
    );
  }

  /** After a step in which `tokens` tokens came out. */
  decode(tokens: number, decoding: number, numbers: StepNumbers): void {
    if (this.#decodeSteps === 0 && this.#sinceTokens === 0) this.#sinceTime = this.#now();
    this.#sinceTokens += tokens;
    if (decoding === 0) return;
    this.#decodeSteps += 1;
    if (this.#decodeSteps % DECODE_INTERVAL !== 0) return;
    const seconds = Math.max(1e-6, (this.#now() - this.#sinceTime) / 1000);
    this.lastThroughput = this.#sinceTokens / seconds;
    this.#sinceTokens = 0;
    this.#sinceTime = this.#now();
    this.#write(
      `Decode batch. #running-req: ${numbers.running}, #token: ${numbers.usedCells}, ` +
        `token usage: ${usage(numbers)}, gen throughput (token/s): ${this.lastThroughput.toFixed(2)}, ` +
        `#queue-req: ${numbers.queued}`,
    );
  }
}

function usage({ usedCells, allCells }: StepNumbers): string {
  return (usedCells / allCells).toFixed(2);
}
