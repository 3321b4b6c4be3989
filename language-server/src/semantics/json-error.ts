/** Where a text stops being JSON; `JSON.parse` does not always say. */

const scalar =
  /\s*(?:"(?:[^"\\\n\r\t]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/** Offset of the first character that cannot be part of JSON; the length if the text is cut off. */
export function jsonErrorOffset(text: string): number {
  const scanner = new Scanner(text);
  scanner.value(0);
  return scanner.at;
}

class Scanner {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  #skip(): string {
    while (/\s/.test(this.#text[this.at] ?? '')) this.at++;
    return this.#text[this.at] ?? '';
  }

  #take(char: string): boolean {
    if (this.#skip() !== char) return false;
    this.at++;
    return true;
  }

  /** Reads a value; false, with `at` on the offending character, if there is none. */
  value(depth: number): boolean {
    const char = this.#skip();
    if (depth > 500) return false;
    if (char === '{')
      return this.#list('}', () => this.#string() && this.#take(':') && this.value(depth + 1));
    if (char === '[') return this.#list(']', () => this.value(depth + 1));
    return this.#scalar();
  }

  #scalar(): boolean {
    scalar.lastIndex = this.at;
    const found = scalar.exec(this.#text);
    if (!found) return false;
    this.at += found[0].length;
    return true;
  }

  #string(): boolean {
    return this.#skip() === '"' && this.#scalar();
  }

  #list(closer: string, item: () => boolean): boolean {
    this.at++;
    if (this.#take(closer)) return true;
    do if (!item()) return false;
    while (this.#take(','));
    return this.#take(closer);
  }
}
