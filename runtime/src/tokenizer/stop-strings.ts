export interface StopStringsOptions {
  /** SGLang's `no_stop_trim`: the text keeps the stop string that ended it. */
  readonly noStopTrim: boolean;
}

export interface StopStringsStep {
  /** Text that may be shown now; no later text can make it part of a stop string. */
  readonly text: string;
  /** The stop string that ended the text, or null. */
  readonly matched: string | null;
}

/**
 * Finds stop strings in text that arrives in pieces. The text ends at the stop string that is
 * complete first (of those complete at the same character, the first of the list), so the result
 * does not depend on where tokens happen to be cut. The end of the text that could be the beginning
 * of a stop string is held back.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  readonly #longest: number;
  readonly #noStopTrim: boolean;
  #held = '';
  #matched: string | null = null;

  /** Empty stop strings are ignored. */
  constructor(stops: readonly string[], options: StopStringsOptions = { noStopTrim: false }) {
    this.#stops = stops.filter((stop) => stop !== '');
    this.#longest = Math.max(0, ...this.#stops.map((stop) => stop.length));
    this.#noStopTrim = options.noStopTrim;
  }

  get matched(): string | null {
    return this.#matched;
  }

  /** Text after a match is ignored. */
  append(piece: string): StopStringsStep {
    if (this.#matched !== null) return { text: '', matched: this.#matched };
    const text = this.#held + piece;
    const found = this.#findFirst(text);
    if (found !== null) {
      this.#matched = found.stop;
      this.#held = '';
      const end = this.#noStopTrim ? found.start + found.stop.length : found.start;
      return { text: text.slice(0, end), matched: found.stop };
    }
    const safe = this.#safeLength(text);
    this.#held = text.slice(safe);
    return { text: text.slice(0, safe), matched: null };
  }

  /** The generation ended otherwise: what was held back is text after all. */
  finish(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  #findFirst(text: string): { stop: string; start: number } | null {
    let best: { stop: string; start: number } | null = null;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      if (best === null || start + stop.length < best.start + best.stop.length) {
        best = { stop, start };
      }
    }
    return best;
  }

  /** Length of `text` without the longest end that begins a stop string. */
  #safeLength(text: string): number {
    const first = Math.max(0, text.length - this.#longest + 1);
    for (let start = first; start < text.length; start += 1) {
      const end = text.slice(start);
      if (this.#stops.some((stop) => stop.startsWith(end))) return start;
    }
    return text.length;
  }
}
