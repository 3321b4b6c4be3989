/**
 * Checks a regular expression in Python's dialect: invalid for `re.compile` (SGLang raises while the
 * program is built), or valid but beyond what constrained decoding can do. Also counts the fewest
 * characters that a match has.
 */

export interface RegexProblem {
  readonly type: 'invalid' | 'unsupported';
  readonly message: string;
  /** 0-based offset into the pattern. */
  readonly position: number;
}

export interface RegexReport {
  readonly problem: RegexProblem | null;
  /** Fewest characters of a match; 0 when the pattern could not be read. */
  readonly minimumLength: number;
}

class RegexError extends Error {
  readonly problem: RegexProblem;

  constructor(problem: RegexProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

const maximumNesting = 100;

export function checkRegex(pattern: string): RegexReport {
  try {
    const reader = new RegexReader(pattern);
    const minimumLength = reader.read();
    return { problem: reader.unsupported, minimumLength };
  } catch (error) {
    if (error instanceof RegexError) return { problem: error.problem, minimumLength: 0 };
    throw error;
  }
}

class RegexReader {
  readonly #pattern: string;
  #at = 0;
  #groups = 0;
  readonly #names = new Set<string>();
  #nesting = 0;
  unsupported: RegexProblem | null = null;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  read(): number {
    const length = this.#alternatives();
    if (this.#at < this.#pattern.length) this.#invalid('unbalanced parenthesis', this.#at);
    return length;
  }

  #invalid(message: string, position: number): never {
    throw new RegexError({ type: 'invalid', message, position });
  }

  #refuse(message: string, position: number): void {
    this.unsupported ??= { type: 'unsupported', message, position };
  }

  #peek(text: string): boolean {
    return this.#pattern.startsWith(text, this.#at);
  }

  #accept(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  #alternatives(): number {
    let shortest = this.#sequence();
    while (this.#accept('|')) shortest = Math.min(shortest, this.#sequence());
    return shortest;
  }

  #sequence(): number {
    let length = 0;
    while (this.#at < this.#pattern.length && !this.#peek('|') && !this.#peek(')'))
      length += this.#repeated();
    return length;
  }

  #repeated(): number {
    const start = this.#at;
    const length = this.#atom();
    let total = length;
    let repeated = false;
    for (;;) {
      const quantifierAt = this.#at;
      const minimum = this.#quantifier(quantifierAt);
      if (minimum === null) return total;
      if (length < 0) this.#invalid('nothing to repeat', quantifierAt);
      if (repeated) this.#invalid('multiple repeat', quantifierAt);
      repeated = true;
      total = length * minimum;
      if (this.#accept('+')) this.#refuse('possessive quantifiers are not supported', start);
      else this.#accept('?');
    }
  }

  /** Minimum count of a quantifier here, `null` if there is none. */
  #quantifier(at: number): number | null {
    if (this.#accept('*') || this.#accept('?')) return 0;
    if (this.#accept('+')) return 1;
    const counts = /^\{(\d*)(,?)(\d*)\}/.exec(this.#pattern.slice(at));
    const [whole = '', low = '', comma = '', high = ''] = counts ?? [];
    // `{}` and `{x}` are literal braces in Python.
    if (!counts || (low === '' && high === '' && comma === '')) return null;
    this.#at += whole.length;
    if (comma !== '' && high !== '' && Number(high) < Number(low || '0')) {
      this.#invalid('min repeat greater than max repeat', at);
    }
    return Number(low || '0');
  }

  /** Fewest characters of one atom; assertions have none. */
  #atom(): number {
    const at = this.#at;
    const char = this.#pattern[at] ?? '';
    if ('*+?'.includes(char)) this.#invalid('nothing to repeat', at);
    if (char === '{' && /^\{\d*,?\d*\}/.test(this.#pattern.slice(at)) && !this.#peek('{}')) {
      this.#invalid('nothing to repeat', at);
    }
    this.#at += char >= '\ud800' && char <= '\udbff' ? 2 : 1;
    if (char === '(') return this.#group(at);
    if (char === '[') return this.#set(at);
    if (char === '\\') return this.#escape(at);
    if (char === '^' && at > 0) this.#refuse("'^' is only supported at the start", at);
    if (char === '$' && this.#at < this.#pattern.length)
      this.#refuse("'$' is only supported at the end", at);
    return char === '^' || char === '$' ? 0 : 1;
  }

  #group(at: number): number {
    if (++this.#nesting > maximumNesting) this.#invalid('too deeply nested', at);
    const isAssertion = this.#groupHead(at);
    const length = this.#alternatives();
    if (!this.#accept(')')) this.#invalid('missing ), unterminated subpattern', at);
    this.#nesting--;
    return isAssertion ? 0 : length;
  }

  /** Reads what follows `(`; true for groups that match no text. */
  #groupHead(at: number): boolean {
    if (!this.#accept('?')) {
      this.#groups++;
      return false;
    }
    if (this.#accept(':')) return false;
    if (this.#accept('P<')) return this.#groupName(at);
    if (this.#accept('P=') || this.#accept('(')) {
      this.#refuse('back-references are not supported', at);
      this.#skipTo(')');
      return true;
    }
    if (this.#accept('=') || this.#accept('!') || this.#accept('<=') || this.#accept('<!')) {
      this.#refuse('look-around is not supported', at);
      return true;
    }
    if (this.#accept('>')) {
      this.#refuse('atomic groups are not supported', at);
      return false;
    }
    if (this.#accept('#')) {
      this.#skipTo(')');
      return true;
    }
    return this.#flags(at);
  }

  #skipTo(closer: string): void {
    const end = this.#pattern.indexOf(closer, this.#at);
    this.#at = end === -1 ? this.#pattern.length : end;
  }

  #groupName(at: number): boolean {
    const name = /^(\w+)>/.exec(this.#pattern.slice(this.#at))?.[1];
    if (name === undefined || /^\d/.test(name))
      this.#invalid('bad character in group name', at + 4);
    if (this.#names.has(name)) this.#invalid(`redefinition of group name '${name}'`, at + 4);
    this.#names.add(name);
    this.#at += name.length + 1;
    this.#groups++;
    return false;
  }

  #flags(at: number): boolean {
    const flags = /^([aiLmsux]*)(?:-([imsx]+))?([:)])/.exec(this.#pattern.slice(this.#at));
    if (!flags || (flags[1] === '' && flags[2] === undefined))
      this.#invalid('unknown extension', at + 1);
    const [whole = '', on = '', , closer = ''] = flags;
    if (/[mx]/.test(on)) this.#refuse(`the flag '${on}' is not supported`, at);
    this.#at += whole.length;
    if (closer === ':') return false;
    if (at !== 0) this.#invalid('global flags not at the start of the expression', at);
    this.#at--;
    return true;
  }

  #set(at: number): number {
    this.#accept('^');
    let first = true;
    for (;;) {
      if (this.#at >= this.#pattern.length) this.#invalid('unterminated character set', at);
      if (!first && this.#accept(']')) return 1;
      first = false;
      this.#range(at);
    }
  }

  #range(setAt: number): void {
    const start = this.#at;
    const low = this.#setItem(setAt);
    if (!this.#peek('-') || this.#pattern[this.#at + 1] === ']') return;
    this.#at++;
    if (this.#at >= this.#pattern.length) this.#invalid('unterminated character set', setAt);
    const high = this.#setItem(setAt);
    if (low === null || high === null || low > high) {
      this.#invalid(`bad character range ${this.#pattern.slice(start, this.#at)}`, start);
    }
  }

  /** Code point of a set item, `null` for classes such as `\d`. */
  #setItem(setAt: number): number | null {
    const at = this.#at;
    const code = this.#pattern.codePointAt(at) ?? 0;
    this.#at += code > 0xffff ? 2 : 1;
    if (code !== 0x5c) return code;
    const letter = this.#pattern[this.#at];
    if (letter === undefined) this.#invalid('unterminated character set', setAt);
    if (/[dDsSwW]/.test(letter)) {
      this.#at++;
      return null;
    }
    return this.#escapedCode(at, true);
  }

  #escape(at: number): number {
    const letter = this.#pattern[this.#at];
    if (letter === undefined) this.#invalid('bad escape (end of pattern)', at);
    if (/[dDsSwW]/.test(letter)) {
      this.#at++;
      return 1;
    }
    if (/[bBAZ]/.test(letter)) {
      this.#at++;
      if (/[bB]/.test(letter)) this.#refuse(`\\${letter} is not supported`, at);
      return 0;
    }
    if (/[1-9]/.test(letter)) return this.#backReference(at);
    this.#escapedCode(at, false);
    return 1;
  }

  #backReference(at: number): number {
    const digits = /^\d{1,2}/.exec(this.#pattern.slice(this.#at))?.[0] ?? '';
    if (Number(digits) > this.#groups) this.#invalid(`invalid group reference ${digits}`, at + 1);
    this.#at += digits.length;
    this.#refuse('back-references are not supported', at);
    return 0;
  }

  #escapedCode(at: number, inSet: boolean): number {
    const rest = this.#pattern.slice(this.#at);
    const letter = rest[0] ?? '';
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    if (hex) {
      this.#at += hex[0].length;
      return Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '0', 16);
    }
    if (/[xuU]/.test(letter)) this.#invalid(`incomplete escape \\${letter}`, at);
    const octal = /^0[0-7]{0,2}/.exec(rest)?.[0];
    if (octal !== undefined) {
      this.#at += octal.length;
      return Number.parseInt(octal, 8);
    }
    const known = inSet ? 'abfnrtv' : 'afnrtv';
    if (/[a-zA-Z]/.test(letter) && !known.includes(letter))
      this.#invalid(`bad escape \\${letter}`, at);
    this.#at += letter >= '\ud800' && letter <= '\udbff' ? 2 : 1;
    const controls: Readonly<Record<string, number>> = {
      a: 7,
      b: 8,
      f: 12,
      n: 10,
      r: 13,
      t: 9,
      v: 11,
    };
    return controls[letter] ?? rest.codePointAt(0) ?? 0;
  }
}
