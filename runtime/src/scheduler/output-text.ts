import type { Vocabulary } from '../engine/engine.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import { StopStrings } from '../tokenizer/stop-strings.ts';
import type { SamplingParams } from './messages.ts';

type TextParams = Pick<SamplingParams, 'stop' | 'stopRegex' | 'noStopTrim' | 'skipSpecialTokens'>;

/** A request's generated text: decoded token by token, ended by its stop strings and patterns. */
export class OutputText {
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #patterns: readonly { readonly source: string; readonly regex: RegExp }[];
  #released = '';

  constructor(vocabulary: Pick<Vocabulary, 'bytes'>, params: TextParams) {
    this.#detokenizer = new Detokenizer(vocabulary, {
      skipSpecialTokens: params.skipSpecialTokens,
    });
    this.#stops = new StopStrings(params.stop, { noStopTrim: params.noStopTrim });
    this.#patterns = params.stopRegex.map((source) => ({ source, regex: new RegExp(source, 'u') }));
  }

  /**
   * The stop string or pattern that the token completes, or null; its first `written` bytes are in
   * the text already.
   */
  append(token: number, written = 0): string | null {
    const step = this.#stops.append(this.#detokenizer.append(token, written));
    this.#released += step.text;
    if (step.matched !== null) return step.matched;
    const { text } = this.#detokenizer;
    return this.#patterns.find(({ regex }) => regex.test(text))?.source ?? null;
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
