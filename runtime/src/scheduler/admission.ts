import type { PrefixCache } from '../cache/prefix-cache.ts';
import type { EngineLimits } from '../engine/engine.ts';
import { Batch } from './batch.ts';
import type { Request } from './request.ts';
import type { SchedulePolicy } from './waiting-order.ts';
import { inOrder, notePassedOver } from './waiting-order.ts';

export interface AdmissionOptions {
  /** Most prompt tokens of one step; keeps the gap between two tokens of running requests short. */
  readonly prefillTokens: number;
  readonly maxRunning: number;
  /** Most positions of one step whose logits are kept. */
  readonly logitRows: number;
  readonly policy: SchedulePolicy;
}

/** Tokens for which a running request has room set aside when others want in. */
const GROWTH_RESERVE = 16;
/** Most prompt tokens of a step in which others decode: their next token should not take long. */
const PREFILL_BESIDE_DECODING = 256;
/** Part of a step's prompt tokens for the prompt that came first, if it has so many. */
const SHARE_OF_ELDEST = 0.75;
/** A request waits for a running one to compute their common beginning if it is this much longer. */
const WORTH_WAITING_FOR = 32;

/**
 * Decides what the next batch is made of: first one token of every decoding request, then pieces of
 * prompts. When cells run out it evicts; when that is not enough, the
 * youngest running request is retracted: its cells stay in the cache as long as there is room, and
 * it goes back to the head of the queue.
 */
export class Admission {
  readonly running: Request[] = [];
  readonly waiting: Request[] = [];
  /** Requests put back into the queue so far. */
  retractions = 0;
  readonly #cache: PrefixCache;
  readonly #limits: EngineLimits;
  readonly #options: AdmissionOptions;

  constructor(cache: PrefixCache, limits: EngineLimits, options: AdmissionOptions) {
    this.#cache = cache;
    this.#limits = limits;
    this.#options = options;
  }

  get cellsInUse(): number {
    return this.running.reduce((sum, request) => sum + request.ownCells, 0);
  }

  get freeCells(): number {
    return this.#limits.cells - this.#cache.statistics.cached - this.cellsInUse;
  }

  /**
   * The next batch, for which there is room, and the requests that joined with it; without
   * `admit` only what already runs.
   */
  schedule(admit: boolean): { readonly batch: Batch; readonly joined: readonly Request[] } {
    this.#makeRoomForDecoding();
    const batch = new Batch();
    for (const request of this.#decoding()) batch.add(request, 1);
    const most = batch.tokens.length === 0 ? Number.POSITIVE_INFINITY : PREFILL_BESIDE_DECODING;
    const budget = new PrefillBudget(
      Math.min(this.#limits.batchTokens - batch.tokens.length, this.#options.prefillTokens, most),
      this.#options.logitRows - batch.tokens.length,
      this.#limits.batchTokens - batch.tokens.length,
    );
    const chunks = this.running.filter((request) => !request.isDecoding);
    // Forced text first: it is short, and its request is on its way.
    for (const request of chunks) {
      if (!request.isPrefilling) this.#addPrefill(batch, request, budget);
    }
    // Most is for the prompt that came first; a share of it lets short ones pass a long one.
    const [eldest, ...others] = chunks.filter((request) => request.isPrefilling);
    budget.keepFor(eldest?.pending ?? 0);
    for (const request of others) this.#addPrefill(batch, request, budget);
    const joined = admit ? this.#admit(batch, budget) : [];
    budget.keepFor(0);
    if (eldest !== undefined) this.#addPrefill(batch, eldest, budget);
    return { batch, joined };
  }

  /** Ends a request's hold on cells; what it computed stays in the cache for others. */
  leave(request: Request): void {
    remove(this.running, request);
    remove(this.waiting, request);
    const { lease } = request;
    if (lease === null) return;
    this.#cache.insert(lease, request.tokens.slice(0, request.edgeBefore(request.computed)));
    this.#cache.unlock(lease);
    request.lease = null;
  }

  /** Puts the youngest running request back into the queue. False if only one is left. */
  retractYoungest(): boolean {
    const youngest = this.running.at(-1);
    if (youngest === undefined || this.running.length === 1) return false;
    this.leave(youngest);
    youngest.retract();
    this.retractions += 1;
    this.waiting.unshift(youngest);
    return true;
  }

  #decoding(): Request[] {
    return this.running.filter((request) => request.isDecoding);
  }

  #makeRoomForDecoding(): void {
    while (!this.#makeRoom(this.#decoding().length)) {
      if (!this.retractYoungest()) return;
    }
  }

  #makeRoom(cells: number): boolean {
    const missing = cells - this.freeCells;
    return missing <= 0 || this.#cache.evict(missing) >= missing;
  }

  #addPrefill(batch: Batch, request: Request, budget: PrefillBudget): number {
    const wanted = budget.take(request);
    const room = this.#makeRoom(batch.tokens.length + wanted)
      ? wanted
      : Math.max(0, Math.min(wanted, this.freeCells - batch.tokens.length));
    const count = request.embeddings?.uncut(request.computed, room) ?? room;
    batch.add(request, count);
    return count;
  }

  #admit(batch: Batch, budget: PrefillBudget): Request[] {
    const joined: Request[] = [];
    const isFull = (): boolean => budget.isSpent || this.running.length >= this.#options.maxRunning;
    if (isFull()) return joined;
    const length = (request: Request): number => this.#cache.match(request.tokens).length;
    for (const request of inOrder(this.waiting, this.#options.policy, length)) {
      if (isFull()) break;
      if (this.#sharesWithUnfinishedPrompt(request)) continue;
      if (!this.#enter(request)) break;
      if (this.#addPrefill(batch, request, budget) === 0) break;
      joined.push(request);
    }
    notePassedOver(this.waiting, joined);
    return joined;
  }

  /** Takes a lease if the rest of the prompt, and some growth of everybody, will find room. */
  #enter(request: Request): boolean {
    if (!this.#mayFit(request)) return false;
    const lease = this.#cache.lock(request.tokens, request.reusableLength);
    if (lease === null) return false;
    request.begin(lease);
    remove(this.waiting, request);
    this.running.push(request);
    return true;
  }

  /** Asked before the lease: what it brings back from host memory would only have to go again. */
  #mayFit(request: Request): boolean {
    if (this.running.length === 0) return true;
    const { resident, evictable } = this.#cache.match(
      request.tokens.slice(0, request.reusableLength),
    );
    const growth = [...this.running, request].reduce(
      (sum, other) => sum + Math.min(GROWTH_RESERVE, other.remaining),
      0,
    );
    const pending = this.running.reduce((sum, other) => sum + other.pending, 0);
    const needed = request.tokens.length - resident + pending + growth;
    return needed <= this.freeCells + this.#cache.statistics.evictable - evictable;
  }

  /** Somebody is computing the beginning of this prompt: joining later saves computing it twice. */
  #sharesWithUnfinishedPrompt(request: Request): boolean {
    const prefilling = this.running.filter((other) => other.computed < other.promptLength);
    if (prefilling.length === 0) return false;
    const cached = this.#cache.match(request.tokens).length;
    return prefilling.some((other) => {
      const common = commonPrefix(request.tokens, other.tokens, request.reusableLength);
      return common > cached + WORTH_WAITING_FOR;
    });
  }
}

/** What a step may still spend on prompts: tokens, and positions whose logits are kept. */
class PrefillBudget {
  #tokens: number;
  #rows: number;
  #keptTokens = 0;
  #keptRows = 0;
  /** What the batch can hold: whole images may take more than their share. */
  #room: number;

  constructor(tokens: number, rows: number, room: number) {
    this.#tokens = tokens;
    this.#rows = rows;
    this.#room = room;
  }

  get isSpent(): boolean {
    return this.#tokens <= this.#keptTokens || this.#rows <= this.#keptRows;
  }

  /** Until the next call, the eldest's share of up to `pending` tokens is not given out. */
  keepFor(pending: number): void {
    this.#keptTokens = Math.min(pending, Math.floor(this.#tokens * SHARE_OF_ELDEST));
    this.#keptRows = Math.min(pending, Math.floor(this.#rows * SHARE_OF_ELDEST));
  }

  /** Tokens that the request may compute in this step. */
  take(request: Request): number {
    let count = 0;
    while (count < request.pending && !this.isSpent) {
      const position = request.computed + count;
      const image = request.embeddings?.imageAt(position);
      if (image?.isWhole === true && position === image.start) {
        if (image.length > this.#room) break;
        this.#spend(image.length);
        count += image.length;
        continue;
      }
      if (request.scoresAfter(position) || position === request.tokens.length - 1) this.#rows -= 1;
      this.#spend(1);
      count += 1;
    }
    return count;
  }

  #spend(tokens: number): void {
    this.#tokens -= tokens;
    this.#room -= tokens;
  }
}

function remove(list: Request[], request: Request): void {
  const index = list.indexOf(request);
  if (index >= 0) list.splice(index, 1);
}

function commonPrefix(a: readonly number[], b: readonly number[], limit: number): number {
  const most = Math.min(a.length, b.length, limit);
  let same = 0;
  while (same < most && a[same] === b[same]) same += 1;
  return same;
}
