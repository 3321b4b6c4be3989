import type { Vocabulary } from '../engine/engine.ts';
import { now } from '../scheduler/clock.ts';
import type { LogprobLayout } from '../options.ts';
import type { TokenLogprob } from '../scheduler/messages.ts';
import type { LogprobRequest } from './generate-request.ts';
import { isImageToken } from '../vision/image-tokens.ts';
import type { Generation, LogprobColumns } from './generation.ts';

/** What a part of an image is called among the tokens of a prompt. */
const IMAGE_TEXT = new TextEncoder().encode('<image>');

/** `[log probability, token id, text]`; text only if asked for. */
type LogprobTriple = readonly [number | null, number, string | null];

/** SGLang's answer to one `/generate` request, or a streamed event. */
export interface GenerateResult {
  readonly text: string;
  readonly output_ids: readonly number[];
  readonly meta_info: Readonly<Record<string, unknown>>;
}

/** Seconds, under the names that SGLang's servers use when they measure. */
function timesOf({ started, times, finish, tokens }: Generation): Record<string, number> {
  const end = now();
  const [last, decoding] = [finish !== null, tokens.length - 1];
  return {
    ...(times === undefined
      ? {}
      : {
          queue_time: (times.admitted - started) / 1000,
          prefill_launch_latency: (times.prefilled - times.admitted) / 1000,
        }),
    ...(times !== undefined && last && decoding > 0 && end > times.prefilled
      ? { decode_throughput: (decoding * 1000) / (end - times.prefilled) }
      : {}),
    ...(last ? { e2e_latency: (end - started) / 1000 } : {}),
  };
}

/** Formats generations as SGLang does. */
export class ResultFormat {
  readonly #vocabulary: Vocabulary;
  readonly #layout: LogprobLayout;

  constructor(vocabulary: Vocabulary, layout: LogprobLayout) {
    this.#vocabulary = vocabulary;
    this.#layout = layout;
  }

  result(generation: Generation, rid: string, logprobs: LogprobRequest | null): GenerateResult {
    const { finish } = generation;
    return {
      text: generation.text,
      output_ids: [...generation.tokens],
      meta_info: {
        id: rid,
        finish_reason: finish,
        prompt_tokens: generation.request.inputIds.length,
        weight_version: 'default',
        total_retractions: generation.retractions,
        ...(logprobs === null ? {} : this.#logprobs(generation, logprobs)),
        completion_tokens: generation.tokens.length,
        cached_tokens: generation.cachedTokens,
        ...(generation.warnings.length === 0 ? {} : { constraint_warnings: generation.warnings }),
        ...timesOf(generation),
      },
    };
  }

  #logprobs(
    generation: Generation,
    { top, tokenIds, withText }: LogprobRequest,
  ): Record<string, unknown> {
    const input = this.#inputColumns(generation);
    const triples = (rows: readonly TokenLogprob[]) =>
      rows.map((row) => this.#triple(row, withText));
    const topRows = (rows: LogprobColumns['top']) =>
      rows.map((row) => (row === null ? null : triples(row)));
    return {
      input_token_logprobs: triples(input.tokens),
      output_token_logprobs: triples(generation.output.tokens),
      ...(top === 0
        ? {}
        : {
            input_top_logprobs: topRows(input.top),
            output_top_logprobs: topRows(generation.output.top),
          }),
      ...(tokenIds === undefined
        ? {}
        : {
            input_token_ids_logprobs: topRows(input.ids),
            output_token_ids_logprobs: topRows(generation.output.ids),
          }),
    };
  }

  /**
   * Since 0.4.4 the list starts with `[null, id]` of the token at `logprob_start_len`, which nothing
   * scores; before, only a list from the first prompt token on did.
   */
  #inputColumns({ request, input }: Generation): Pick<LogprobColumns, 'tokens' | 'top' | 'ids'> {
    const start = request.logprobs?.start ?? -1;
    const first = request.inputIds[start];
    if (first === undefined || (this.#layout === 'v0.4.3' && start > 0)) return input;
    return {
      tokens: [[null, first], ...input.tokens],
      top: [null, ...input.top],
      ids: [null, ...input.ids],
    };
  }

  #triple([logprob, token]: TokenLogprob, withText: boolean): LogprobTriple {
    return [logprob, token, withText ? this.textOf(token) : null];
  }

  textOf(token: number): string {
    return new TextDecoder().decode(this.bytesOf(token));
  }

  /** Also of control tokens, and of pieces of a character. */
  bytesOf(token: number): Uint8Array {
    if (isImageToken(token)) return IMAGE_TEXT;
    return this.#vocabulary.bytes(token, true);
  }
}
