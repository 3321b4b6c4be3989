/**
 * The JSON schema of what a regular expression spells: an object with fixed keys, or an array.
 * `null` unless every text that the pattern allows is such a value. Where the schema allows other
 * spellings of the same values, `differences` names what may be spelled otherwise.
 */
import type { JsonSchema } from './json-schema.ts';
import {
  constant,
  isAnyText,
  isBlank,
  isDigitRun,
  isDigits,
  isPlain,
  isPlainNode,
  isSign,
} from './regex-json-parts.ts';
import { formatRegex, readRegex, textOf, type RegexNode } from './regex-tree.ts';

export interface RegexSchema {
  readonly schema: JsonSchema;
  /** E.g. `whitespace`, `leading zeros`. */
  readonly differences: readonly string[];
}

class NotJson extends Error {}

export function schemaOfRegex(pattern: string): RegexSchema | null {
  const nodes = readRegex(pattern);
  if (!nodes) return null;
  const reader = new JsonReader(nodes);
  try {
    const schema = reader.document();
    return { schema, differences: [...reader.differences] };
  } catch (error) {
    if (error instanceof NotJson) return null;
    throw error;
  }
}

class JsonReader {
  readonly differences = new Set<string>();
  readonly #nodes: readonly RegexNode[];
  #at = 0;

  constructor(nodes: readonly RegexNode[]) {
    this.#nodes = nodes;
  }

  document(): JsonSchema {
    this.#skipBlanks();
    const first = this.#nodes[this.#at];
    if (first?.kind !== 'text' || !'{['.includes(first.value)) throw new NotJson();
    return this.#whole();
  }

  /** One value and nothing else. */
  #whole(): JsonSchema {
    const schema = this.#value();
    this.#skipBlanks();
    if (this.#at < this.#nodes.length) throw new NotJson();
    return schema;
  }

  #wholeOf(nodes: readonly RegexNode[]): JsonSchema {
    const reader = new JsonReader(nodes);
    const schema = reader.#whole();
    for (const difference of reader.differences) this.differences.add(difference);
    return schema;
  }

  #skipBlanks(): void {
    while (isBlank(this.#nodes[this.#at])) this.#at++;
  }

  #isText(value: string): boolean {
    const node = this.#nodes[this.#at];
    return node?.kind === 'text' && node.value === value;
  }

  #accept(value: string): boolean {
    if (!this.#isText(value)) return false;
    this.#at++;
    return true;
  }

  #expect(value: string): void {
    if (!this.#accept(value)) throw new NotJson();
  }

  #value(): JsonSchema {
    this.#skipBlanks();
    if (this.#accept('{')) return this.#object();
    if (this.#accept('[')) return this.#array();
    if (this.#accept('"')) return this.#string();
    const node = this.#nodes[this.#at];
    for (const word of ['true', 'false', 'null'] as const) {
      if (!this.#acceptWord(word)) continue;
      return word === 'null' ? { type: 'null' } : { const: word === 'true' };
    }
    const number = this.#fixedNumber() ?? this.#number();
    if (number !== null) return number;
    if (node?.kind !== 'options') throw new NotJson();
    this.#at++;
    return this.#anyOf(node.options);
  }

  #acceptWord(word: string): boolean {
    if (textOf(this.#nodes.slice(this.#at, this.#at + word.length)) !== word) return false;
    this.#at += word.length;
    return true;
  }

  #anyOf(options: readonly (readonly RegexNode[])[]): JsonSchema {
    const texts = options.map(textOf);
    if (texts.every((text) => text === 'true' || text === 'false') && new Set(texts).size === 2)
      return { type: 'boolean' };
    const values = texts.map((text) => (text === null ? undefined : constant(text)));
    if (values.every((value) => value !== undefined)) return { enum: values };
    const schemas = options.map((option) => this.#wholeOf(option));
    return { anyOf: schemas };
  }

  /* ---------------------------------------------------------------- objects and arrays */

  #object(): JsonSchema {
    this.differences.add('whitespace');
    const properties: Record<string, JsonSchema> = {};
    this.#skipBlanks();
    while (!this.#accept('}')) {
      if (Object.keys(properties).length > 0) {
        this.#expect(',');
        this.#skipBlanks();
      }
      const key = this.#key();
      if (key in properties) throw new NotJson();
      this.#skipBlanks();
      this.#expect(':');
      properties[key] = this.#value();
      this.#skipBlanks();
    }
    return {
      type: 'object',
      properties,
      required: Object.keys(properties),
      additionalProperties: false,
    };
  }

  #key(): string {
    this.#expect('"');
    const end = this.#endOfString();
    const key = textOf(this.#nodes.slice(this.#at, end));
    if (key === null || key === '__proto__' || !isPlain(key)) throw new NotJson();
    this.#at = end + 1;
    return key;
  }

  #array(): JsonSchema {
    this.differences.add('whitespace');
    this.#skipBlanks();
    if (this.#accept(']')) return { type: 'array', maxItems: 0 };
    const optional = this.#nodes[this.#at];
    if (optional?.kind === 'repeat' && optional.minimum === 0 && optional.maximum === 1) {
      this.#at++;
      this.#skipBlanks();
      this.#expect(']');
      const closed = [...contentOf(optional.node), { kind: 'text', value: ']' } as const];
      const reader = new JsonReader(closed);
      const schema = reader.#items();
      for (const difference of reader.differences) this.differences.add(difference);
      return { ...schema, minItems: 0 };
    }
    return this.#items();
  }

  #items(): Readonly<Record<string, JsonSchema>> {
    const items = this.#value();
    let minimum = 1;
    let maximum = 1;
    for (;;) {
      this.#skipBlanks();
      if (this.#accept(']')) break;
      const node = this.#nodes[this.#at];
      let next: JsonSchema;
      if (node?.kind === 'repeat') {
        this.#at++;
        next = this.#furtherItem(contentOf(node.node));
        minimum += node.minimum;
        maximum += node.maximum;
      } else {
        this.#expect(',');
        next = this.#value();
        minimum++;
        maximum++;
      }
      if (JSON.stringify(next) !== JSON.stringify(items)) throw new NotJson();
    }
    const limit = maximum === Infinity ? {} : { maxItems: maximum };
    return { type: 'array', items, minItems: minimum, ...limit };
  }

  /** `, value` as it is repeated. */
  #furtherItem(nodes: readonly RegexNode[]): JsonSchema {
    const from = nodes.findIndex((node) => !isBlank(node));
    const comma = nodes[from];
    if (comma?.kind !== 'text' || comma.value !== ',') throw new NotJson();
    return this.#wholeOf(nodes.slice(from + 1));
  }

  /* ---------------------------------------------------------------- strings */

  #endOfString(): number {
    const end = this.#nodes.findIndex(
      (node, i) => i >= this.#at && node.kind === 'text' && node.value === '"',
    );
    if (end === -1) throw new NotJson();
    return end;
  }

  #string(): JsonSchema {
    const end = this.#endOfString();
    const content = this.#nodes.slice(this.#at, end);
    this.#at = end + 1;
    const whole = textOf(content);
    if (whole !== null) return { const: plain(whole) };
    const [only] = content;
    if (content.length === 1 && only?.kind === 'options') {
      const texts = only.options.map(textOf);
      if (texts.every((text) => text !== null)) return { enum: texts.map(plain) };
    }
    if (content.length === 1 && only?.kind === 'repeat' && isAnyText(only.node)) {
      this.differences.add('escapes in strings');
      const { minimum, maximum } = only;
      return {
        type: 'string',
        ...(minimum > 0 ? { minLength: minimum } : {}),
        ...(maximum === Infinity ? {} : { maxLength: maximum }),
      };
    }
    if (!content.every(isPlainNode)) throw new NotJson();
    if (formatRegex(content).includes('\\s')) this.differences.add('line breaks in strings');
    return { type: 'string', pattern: `^${formatRegex(content)}$` };
  }

  /* ---------------------------------------------------------------- numbers */

  #fixedNumber(): JsonSchema | null {
    const rest = this.#nodes.slice(this.#at);
    const end = rest.findIndex((node) => node.kind !== 'text' || !/[-\d.]/.test(node.value));
    const digits = textOf(end === -1 ? rest : rest.slice(0, end)) ?? '';
    const value = constant(digits);
    if (typeof value !== 'number') return null;
    this.#at += digits.length;
    return { const: value };
  }

  #number(): JsonSchema | null {
    const start = this.#at;
    const sign = this.#nodes[start];
    const isSigned = isSign(sign);
    if (isSigned) this.#at++;
    const limits = isSigned ? {} : { minimum: 0 };
    if (this.#isNatural()) {
      this.#at++;
      return { type: 'integer', ...limits };
    }
    const digits = this.#nodes[this.#at];
    const isCounted = digits?.kind === 'repeat' && isDigits(digits.node);
    if (!isCounted && !isDigits(digits)) {
      this.#at = start;
      return null;
    }
    this.#at++;
    const isFraction = this.#fraction();
    const minimumDigits = isCounted ? digits.minimum : 1;
    const maximumDigits = isCounted ? digits.maximum : 1;
    if (isSigned && sign?.kind === 'repeat' && sign.node.kind === 'set')
      this.differences.add('plus signs');
    if (isFraction) {
      this.differences.add('digits of numbers');
      return { type: 'number', ...limits };
    }
    if (minimumDigits === 0) throw new NotJson();
    if (maximumDigits > 1) this.differences.add('leading zeros');
    const isShort = maximumDigits <= 15;
    return {
      type: 'integer',
      ...(isSigned && isShort ? { minimum: 1 - 10 ** maximumDigits } : limits),
      ...(isShort ? { maximum: 10 ** maximumDigits - 1 } : {}),
    };
  }

  /** `(0|[1-9][0-9]*)` */
  #isNatural(): boolean {
    const node = this.#nodes[this.#at];
    if (node?.kind !== 'options') return false;
    const options = node.options.map(formatRegex).toSorted();
    return (
      options.length === 2 &&
      options[0] === '0' &&
      ['[1-9][0-9]*', '[1-9]\\d*'].includes(options[1] ?? '')
    );
  }

  /** `\.\d+`, `(\.\d+)?`, `\.?[0-9]+` */
  #fraction(): boolean {
    const node = this.#nodes[this.#at];
    if (node?.kind === 'repeat' && node.minimum === 0 && node.maximum === 1) {
      const inner = contentOf(node.node);
      const [point, digits] = inner;
      if (point?.kind !== 'text' || point.value !== '.') return false;
      if (inner.length === 2 && isDigitRun(digits)) {
        this.#at++;
        return true;
      }
      if (inner.length > 1 || !isDigitRun(this.#nodes[this.#at + 1])) throw new NotJson();
      this.#at += 2;
      return true;
    }
    if (!this.#accept('.')) return false;
    if (!isDigitRun(this.#nodes[this.#at])) throw new NotJson();
    this.#at++;
    return true;
  }
}

function contentOf(node: RegexNode): readonly RegexNode[] {
  if (node.kind !== 'options') return [node];
  const [only] = node.options;
  return node.options.length === 1 && only ? only : [node];
}

function plain(text: string): string {
  if (!isPlain(text)) throw new NotJson();
  return text;
}
