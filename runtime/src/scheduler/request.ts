import type { Lease } from '../cache/prefix-cache.ts';
import type { Matcher } from '../constraints/constraint.ts';
import type { SamplingState } from '../sampling/sampling-state.ts';
import type { PromptEmbeddings } from '../vision/prompt-images.ts';
import { now } from './clock.ts';
import type { FinishReason, GenerationRequest, Progress, TokenLogprob } from './messages.ts';
import type { OutputText } from './output-text.ts';

export interface RequestParts {
  readonly sampling: SamplingState;
  readonly text: OutputText;
  readonly matcher: Matcher | null;
  /** What of the constraint is not enforced, or cannot be met. */
  readonly warnings?: readonly string[];
  /** Of prompts with images. */
  readonly embeddings?: PromptEmbeddings | null;
}

/**
 * One sequence on its way through the scheduler.
 *
 *     tokens    prompt ……………………………… | generated ………………
 *     cells     [0, computed)                       | pending: computed by coming steps
 *     lease     [0, shared) cache | own             |
 *
 * Decoding is the case of one pending token behind the prompt; a retracted request has given its
 * lease back and continues later with prompt and generated tokens pending.
 */
export class Request {
  readonly spec: GenerationRequest;
  readonly sampling: SamplingState;
  readonly text: OutputText;
  readonly matcher: Matcher | null;
  readonly embeddings: PromptEmbeddings | null;
  readonly tokens: number[];
  computed = 0;
  lease: Lease | null = null;
  cachedTokens = 0;
  retractions = 0;
  /** Times that a later request was taken before this one. */
  passedOver = 0;
  /** Place in the order of arrival; set by the scheduler. */
  arrival = 0;
  finish: FinishReason | null = null;
  readonly inputLogprobs = new LogprobRows();
  readonly outputLogprobs = new LogprobRows();
  #started = false;
  #admittedAt: number | null = null;
  #prefilledAt: number | null = null;
  #reportedTokens: number;
  #takenBack = 0;
  readonly #warnings: readonly string[];
  /** Tokens known at admission: until they are computed the request is prefilling. */
  #prefillEnd = 0;

  constructor(spec: GenerationRequest, parts: RequestParts) {
    this.spec = spec;
    this.sampling = parts.sampling;
    this.text = parts.text;
    this.matcher = parts.matcher;
    this.#warnings = parts.warnings ?? [];
    this.embeddings = parts.embeddings ?? null;
    this.tokens = [...spec.inputIds];
    this.#reportedTokens = this.tokens.length;
  }

  get promptLength(): number {
    return this.spec.inputIds.length;
  }

  get pending(): number {
    return this.tokens.length - this.computed;
  }

  get generated(): number {
    return this.tokens.length - this.promptLength;
  }

  get isDecoding(): boolean {
    return this.pending === 1 && this.generated > 0;
  }

  /** What the request came with is not computed yet; false for text that jump-forward added. */
  get isPrefilling(): boolean {
    return this.computed < this.#prefillEnd;
  }

  /** Cells that belong to this request and not to the cache. */
  get ownCells(): number {
    return this.lease === null ? 0 : this.computed - this.lease.shared;
  }

  /** Tokens that may still be generated. */
  get remaining(): number {
    return Math.max(0, this.spec.sampling.maxNewTokens - this.generated);
  }

  /**
   * Longest cached prefix of use: the last token is always computed, since its logits are wanted,
   * and so are prompt tokens whose successors are to be scored.
   */
  get reusableLength(): number {
    const last = this.tokens.length - 1;
    const scored = this.spec.logprobs?.start ?? -1;
    return this.edgeBefore(scored < 0 || this.#started ? last : Math.min(last, scored));
  }

  /** The longest beginning, up to `length`, that can be shared: images are shared whole. */
  edgeBefore(length: number): number {
    return this.embeddings?.edgeBefore(length) ?? length;
  }

  /** Whether logits at a prompt position are needed to score the next prompt token. */
  scoresAfter(position: number): boolean {
    const start = this.spec.logprobs?.start ?? -1;
    return start >= 0 && !this.#started && position >= start && position < this.promptLength - 1;
  }

  /** Takes a lease at admission; the first one decides what counts as cached. */
  begin(lease: Lease): void {
    this.lease = lease;
    this.#admittedAt ??= now();
    this.computed = lease.shared;
    this.#prefillEnd = this.tokens.length;
    if (this.retractions === 0) this.cachedTokens = Math.min(lease.shared, this.promptLength);
  }

  /** Gives its place up for now; a half-scored prompt is scored again. */
  retract(): void {
    this.computed = 0;
    this.retractions += 1;
    if (!this.#started) this.inputLogprobs.take();
  }

  /** Takes the generated tokens behind the first `keep` back; their text stays. */
  rewind(keep: number): void {
    const taken = this.generated - keep;
    if (taken <= 0) return;
    this.matcher?.rollback(taken);
    this.sampling.rollback(taken);
    this.tokens.length -= taken;
    this.computed = Math.min(this.computed, this.tokens.length);
    const reported = Math.max(0, this.#reportedTokens - this.tokens.length);
    this.#reportedTokens -= reported;
    this.#takenBack += reported;
  }

  /** The prompt has been computed: its tokens are scored, later prefills need not do it again. */
  promptDone(): void {
    this.#started = true;
    this.#prefilledAt ??= now();
  }

  /** What is new since the last call. */
  takeProgress(): Progress {
    const tokens = this.tokens.slice(this.#reportedTokens);
    const takenBack = this.#takenBack;
    this.#reportedTokens = this.tokens.length;
    this.#takenBack = 0;
    return {
      id: this.spec.id,
      text: this.text.take(),
      takenBack,
      tokens,
      cachedTokens: this.cachedTokens,
      retractions: this.retractions,
      ...(this.#admittedAt === null || this.#prefilledAt === null
        ? {}
        : { times: { admitted: this.#admittedAt, prefilled: this.#prefilledAt } }),
      inputLogprobs: this.inputLogprobs.take(),
      outputLogprobs: this.outputLogprobs.take(),
      finish: this.finish,
      ...(this.finish === null || this.#warnings.length === 0 ? {} : { warnings: this.#warnings }),
    };
  }
}

/** Log probabilities that have not been reported yet. */
export class LogprobRows {
  #tokens: TokenLogprob[] = [];
  #top: (readonly TokenLogprob[] | null)[] = [];
  #ids: (readonly TokenLogprob[] | null)[] = [];

  add(
    token: TokenLogprob,
    top: readonly TokenLogprob[] | null,
    ids: readonly TokenLogprob[] | null = null,
  ): void {
    this.#tokens.push(token);
    this.#top.push(top);
    this.#ids.push(ids);
  }

  take(): Progress['inputLogprobs'] {
    if (this.#tokens.length === 0) return null;
    const rows = { tokens: this.#tokens, top: this.#top, ids: this.#ids };
    this.#tokens = [];
    this.#top = [];
    this.#ids = [];
    return rows;
  }
}
