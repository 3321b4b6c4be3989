import { ConstraintError } from '../constraint.ts';

/**
 * A cursor over the characters of a pattern or grammar. Positions are code points, as Python
 * counts them.
 */
export class SourceReader {
  readonly #characters: readonly string[];
  position = 0;

  constructor(source: string) {
    this.#characters = Array.from(source);
    const broken = this.#characters.findIndex((character) => isSurrogate(character));
    if (broken >= 0) this.invalid('lone surrogate: the source is not valid Unicode', broken);
  }

  get atEnd(): boolean {
    return this.position >= this.#characters.length;
  }

  /** The character `ahead` places after the cursor; '' past the end. */
  peek(ahead = 0): string {
    return this.#characters[this.position + ahead] ?? '';
  }

  /** The next character, stepping over it; '' at the end. */
  take(): string {
    const character = this.peek();
    if (character !== '') this.position++;
    return character;
  }

  /** Steps over `expected` (ASCII) if it comes next. */
  takeIf(expected: string): boolean {
    if (!this.startsWith(expected)) return false;
    this.position += expected.length;
    return true;
  }

  startsWith(expected: string): boolean {
    for (let index = 0; index < expected.length; index++) {
      if (this.peek(index) !== expected[index]) return false;
    }
    return true;
  }

  /** Characters as long as they match, at most `limit`. */
  takeWhile(matches: RegExp, limit = Infinity): string {
    let taken = '';
    for (let count = 0; count < limit && !this.atEnd && matches.test(this.peek()); count++) {
      taken += this.take();
    }
    return taken;
  }

  slice(from: number, to: number): string {
    return this.#characters.slice(from, to).join('');
  }

  invalid(message: string, position: number = this.position): never {
    throw new ConstraintError('INVALID', `${message} at position ${position}`, position);
  }

  unsupported(message: string, position: number = this.position): never {
    throw new ConstraintError('UNSUPPORTED', `${message} at position ${position}`, position);
  }
}

function isSurrogate(character: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  return point >= 0xd800 && point <= 0xdfff;
}
