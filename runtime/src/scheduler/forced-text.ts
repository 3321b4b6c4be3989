import type { Lease, PrefixCache } from '../cache/prefix-cache.ts';
import type { Jump } from '../constraints/jump-forward.ts';
import { planJump } from '../constraints/jump-forward.ts';
import type { Engine } from '../engine/engine.ts';
import { acceptToken } from './accept-token.ts';
import type { Request } from './request.ts';

/**
 * Jump-forward in the scheduler: text that a constraint forces becomes output at once and is
 * computed as one piece with the next step, as a prompt would be.
 *
 * The text is what the model would have had to write. Its tokens are those of the whole text, which
 * a model that goes token by token need not have chosen; what it writes freely afterwards follows
 * other tokens then and may be different. Requests that ask for log probabilities go token by
 * token: each of their numbers needs a step of the model.
 */
export class ForcedText {
  readonly #engine: Pick<Engine, 'model' | 'vocabulary' | 'removeSequence'>;
  readonly #cache: PrefixCache;
  #tokens = 0;

  constructor(engine: Pick<Engine, 'model' | 'vocabulary' | 'removeSequence'>, cache: PrefixCache) {
    this.#engine = engine;
    this.#cache = cache;
  }

  /** Tokens that came without a step of the model, so far. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Appends what is forced now, if anything; the request may be finished afterwards. */
  append(request: Request): void {
    const { matcher, spec } = request;
    if (matcher === null || spec.logprobs !== null || spec.sampling.maxNewTokens === 0) return;
    const output = request.tokens.slice(request.promptLength);
    const jump = planJump(matcher, output, this.#engine.vocabulary);
    if (jump === null) return;
    const written = this.#writtenBytes(output, jump);
    if (written === null || !this.#rewind(request, jump.keep)) return;
    this.#tokens += jump.keep - output.length;
    this.#follow(request, jump.tokens, written);
  }

  /**
   * Bytes of the replaced tokens, which are in the text already; null if the new tokens do not
   * repeat them, as with a tokeniser that changes text.
   */
  #writtenBytes(output: readonly number[], { keep, tokens }: Jump): number | null {
    const bytes = (ids: readonly number[]): Buffer =>
      Buffer.concat(ids.map((id) => this.#engine.vocabulary.bytes(id, false)));
    const replaced = bytes(output.slice(keep));
    return bytes(tokens).subarray(0, replaced.length).equals(replaced) ? replaced.length : null;
  }

  /** Takes replaced tokens back, with their cells; false where these cannot be given back. */
  #rewind(request: Request, keep: number): boolean {
    const end = request.promptLength + keep;
    const { lease } = request;
    if (lease !== null && request.computed > end) {
      if (!this.#engine.model.supportsPartialRemoval) return false;
      if (lease.shared > end) return this.#leaseShorter(request, lease, keep);
      this.#engine.removeSequence(lease.sequence, end, -1);
    }
    request.rewind(keep);
    return true;
  }

  /** Replaces tokens that the cache owns: the request holds less of it from now on. */
  #leaseShorter(request: Request, lease: Lease, keep: number): boolean {
    while (this.#cache.statistics.freeSequences === 0) {
      if (this.#cache.evict(1) === 0) return false;
    }
    this.#cache.unlock(lease);
    request.rewind(keep);
    request.lease = this.#cache.lock(request.tokens, request.tokens.length);
    request.computed = request.lease?.shared ?? 0;
    return true;
  }

  #follow(request: Request, tokens: readonly number[], written: number): void {
    let left = written;
    for (const token of tokens) {
      const length = this.#engine.vocabulary.bytes(token, false).length;
      acceptToken(request, token, this.#engine.vocabulary, Math.min(left, length));
      left = Math.max(0, left - length);
      this.#tokens += 1;
      if (request.finish !== null) return;
    }
  }
}
