import { StopPattern } from '../constraints/stop-pattern.ts';
import type { Vocabulary } from '../engine/engine.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import { StopStrings } from '../tokenizer/stop-strings.ts';
import type { SamplingParams } from './messages.ts';

type TextParams = Pick<SamplingParams, 'stop' | 'stopRegex' | 'noStopTrim' | 'skipSpecialTokens'>;

/** A request's generated text: decoded token by token, ended by its stop strings and patterns. */
export class OutputText {
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #patterns: readonly StopPattern[];
  #released = '';

  constructor(vocabulary: Pick<Vocabulary, 'bytes'>, params: TextParams) {
    this.#detokenizer = new Detokenizer(vocabulary, {
      skipSpecialTokens: params.skipSpecialTokens,
    });
    this.#stops = new StopStrings(params.stop, { noStopTrim: params.noStopTrim });
    this.#patterns = params.stopRegex.map((source) => new StopPattern(source));
  }

  /**
   * The stop string or pattern that the token completes, or null; its first `written` bytes are in
   * the text already.
   */
  append(token: number, written = 0): string | null {
    const piece = this.#detokenizer.append(token, written);
    const step = this.#stops.append(piece);
    this.#released += step.text;
    if (step.matched !== null) return step.matched;
    return this.#patterns.find((pattern) => pattern.append(piece))?.source ?? null;
  }

  /** Ends the text: what was held back for a longer character or a stop string belongs to it. */
  finish(): void {
    if (this.#stops.matched !== null) return;
    this.#released += this.#stops.append(this.#detokenizer.flush()).text + this.#stops.finish();
  }

  /** Text since the last call. */
  take(): string {
    const text = this.#released;
    this.#released = '';
    return text;
  }
}
