import {
  ANY_CHARACTER,
  charactersOf,
  complement,
  contains,
  DIGITS,
  subtract,
  type CodePointSet,
} from '../syntax/code-points.ts';
import {
  characters,
  choice,
  EMPTY,
  NEVER,
  optional,
  repeat,
  rule,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { isList, isObject, type JsonValue } from './json-value.ts';

/** How JSON may be laid out. */
export type JsonWhitespace = 'flexible' | 'compact';

/**
 * Deepest indentation. Whitespace is bounded because weak models, once they may, write newlines
 * and blanks for ever.
 */
const MAXIMUM_INDENTATION = 40;

const CONTROL: CodePointSet = [0, 0x1f];
const MUST_ESCAPE = charactersOf('"\\');
/** Characters that stand for themselves in a JSON string (RFC 8259, section 7). */
const UNESCAPED = complement([...CONTROL, 0x22, 0x22, 0x5c, 0x5c]);
const SHORT_ESCAPES = new Map<number, string>([
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

const HEX = characters(charactersOf('0123456789abcdefABCDEF'));
const HEX_NOT_D = characters(charactersOf('0123456789abcefABCEF'));
const LETTER_D = characters(charactersOf('dD'));

/** `\uXXXX`; surrogates only as pairs, which are one character. */
const UNICODE_ESCAPE = sequence(
  text('\\u'),
  choice(
    sequence(HEX_NOT_D, HEX, HEX, HEX),
    sequence(LETTER_D, characters(charactersOf('01234567')), HEX, HEX),
    sequence(
      LETTER_D,
      characters(charactersOf('89abAB')),
      HEX,
      HEX,
      text('\\u'),
      LETTER_D,
      characters(charactersOf('cdefCDEF')),
      HEX,
      HEX,
    ),
  ),
);
const SHORT_ESCAPE = sequence(text('\\'), characters(charactersOf('"\\/bfnrt')));

/** One character of a JSON string, in any spelling. */
export const STRING_CHARACTER: GrammarNode = choice(
  characters(UNESCAPED),
  SHORT_ESCAPE,
  UNICODE_ESCAPE,
);

export function quoted(content: GrammarNode): GrammarNode {
  return sequence(text('"'), content, text('"'));
}

/** A character of the set inside a JSON string, escaped where it must be. */
export function stringCharacterIn(set: CodePointSet): GrammarNode {
  const escapes: GrammarNode[] = [];
  for (const [point, escape] of SHORT_ESCAPES) if (contains(set, point)) escapes.push(text(escape));
  for (let point = 0; point < 0x20; point++) {
    if (SHORT_ESCAPES.has(point) || !contains(set, point)) continue;
    escapes.push(text(`\\u${point.toString(16).padStart(4, '0')}`));
  }
  return choice(characters(subtract(subtract(set, CONTROL), MUST_ESCAPE)), ...escapes);
}

/** What a language over characters looks like inside a JSON string. */
export function asStringContent(node: GrammarNode): GrammarNode {
  switch (node.kind) {
    case 'text':
      return text(JSON.stringify(node.text).slice(1, -1));
    case 'characters':
      return stringCharacterIn(node.set);
    case 'sequence':
      return sequence(...node.items.map(asStringContent));
    case 'choice':
      return choice(...node.options.map(asStringContent));
    case 'repeat':
      return repeat(asStringContent(node.body), node.minimum, node.maximum);
    case 'empty':
    case 'never':
    case 'rule':
    case 'anchor':
      return node;
  }
}

/**
 * Contents of JSON strings that are none of `keys`. Up to the place where a content differs from
 * all keys it is spelled plainly: an escape might spell a character of a key.
 */
export function contentOtherThan(keys: readonly string[]): GrammarNode {
  const byFirst = new Map<string, string[]>();
  for (const key of keys) {
    const [first] = key;
    if (first === undefined) continue;
    byFirst.set(first, [...(byFirst.get(first) ?? []), key.slice(first.length)]);
  }
  const others = subtract(ANY_CHARACTER, charactersOf([...byFirst.keys()].join('')));
  return choice(
    keys.includes('') ? NEVER : EMPTY,
    sequence(stringCharacterIn(others), repeat(rule(JSON_CHARACTER), 0, Infinity)),
    ...Array.from(byFirst, ([first, rests]) =>
      sequence(asStringContent(text(first)), contentOtherThan(rests)),
    ),
  );
}

// ---- the common rules

export const JSON_VALUE = 'json_value';
export const JSON_CHARACTER = 'json_character';
export const JSON_STRING = 'json_string';
export const JSON_NUMBER = 'json_number';
export const JSON_INTEGER = 'json_integer';
const JSON_OBJECT = 'json_object';
const JSON_ARRAY = 'json_array';
const DIGIT = characters(DIGITS);
const NATURAL = choice(text('0'), sequence(characters([0x31, 0x39]), repeat(DIGIT, 0, Infinity)));

/** Punctuation and the rules for any JSON, for one way of laying it out. */
export class JsonText {
  /** Behind `[`, `{` and before their ends. */
  readonly space: GrammarNode;
  readonly comma: GrammarNode;
  readonly colon: GrammarNode;

  constructor(whitespace: JsonWhitespace) {
    const isCompact = whitespace === 'compact';
    const indentation = repeat(characters(charactersOf(' \t')), 0, MAXIMUM_INDENTATION);
    this.space = isCompact ? EMPTY : optional(choice(text(' '), sequence(text('\n'), indentation)));
    this.comma = sequence(text(','), this.space);
    this.colon = isCompact ? text(':') : sequence(text(':'), optional(text(' ')));
  }

  commonRules(): [string, GrammarNode][] {
    const fraction = sequence(text('.'), repeat(DIGIT, 1, Infinity));
    const sign = optional(characters(charactersOf('+-')));
    const exponent = sequence(characters(charactersOf('eE')), sign, repeat(DIGIT, 1, 3));
    const integer = sequence(optional(text('-')), NATURAL);
    const member = sequence(rule(JSON_STRING), this.colon, rule(JSON_VALUE));
    return [
      [JSON_CHARACTER, STRING_CHARACTER],
      [JSON_STRING, quoted(repeat(rule(JSON_CHARACTER), 0, Infinity))],
      [JSON_INTEGER, integer],
      [JSON_NUMBER, sequence(integer, optional(fraction), optional(exponent))],
      [JSON_OBJECT, this.#list('{', member, '}')],
      [JSON_ARRAY, this.#list('[', rule(JSON_VALUE), ']')],
      [
        JSON_VALUE,
        choice(
          rule(JSON_STRING),
          rule(JSON_NUMBER),
          rule(JSON_OBJECT),
          rule(JSON_ARRAY),
          text('true'),
          text('false'),
          text('null'),
        ),
      ],
    ];
  }

  /** Something between brackets; `content` is not empty. */
  enclosed(open: string, content: GrammarNode, close: string): GrammarNode {
    return sequence(text(open), this.space, content, this.space, text(close));
  }

  /** A fixed value in any layout. */
  literal(value: JsonValue): GrammarNode {
    if (isList(value))
      return this.#literalList(
        '[',
        value.map((item) => this.literal(item)),
        ']',
      );
    if (!isObject(value)) return text(JSON.stringify(value));
    const members = Object.entries(value).map(([key, item]) =>
      sequence(text(JSON.stringify(key)), this.colon, this.literal(item)),
    );
    return this.#literalList('{', members, '}');
  }

  #literalList(open: string, items: readonly GrammarNode[], close: string): GrammarNode {
    if (items.length === 0) return text(open + close);
    const separated = items.map((item, index) => (index === 0 ? item : sequence(this.comma, item)));
    return this.enclosed(open, sequence(...separated), close);
  }

  #list(open: string, item: GrammarNode, close: string): GrammarNode {
    const items = sequence(item, repeat(sequence(this.comma, item), 0, Infinity));
    return choice(text(open + close), this.enclosed(open, items, close));
  }
}
