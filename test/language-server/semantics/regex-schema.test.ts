import { describe, expect, it } from 'vitest';
import { schemaOfRegex } from '../../../language-server/src/semantics/regex-schema.ts';

const object = (properties: Readonly<Record<string, unknown>>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

/** Values of one key `v`, as a regular expression spells them, with what may be spelled otherwise. */
const values: readonly (readonly [spelled: string, schema: unknown, ...differences: string[]])[] = [
  ['"(a|b)"', { enum: ['a', 'b'] }],
  ['("a"|"b"|null|1)', { enum: ['a', 'b', null, 1] }],
  ['"fixed"', { const: 'fixed' }],
  ['true', { const: true }],
  [String.raw`-2\.5`, { const: -2.5 }],
  ['(true|false)', { type: 'boolean' }],
  ['(?:false|true)', { type: 'boolean' }],
  [String.raw`"[\w ]{1,8}"`, { type: 'string', pattern: String.raw`^[\w ]{1,8}$` }],
  [String.raw`"\d{4}-\d\d"`, { type: 'string', pattern: String.raw`^\d{4}-\d\d$` }],
  ['"(ab|c)+"', { type: 'string', pattern: '^(ab|c)+$' }],
  ['"[^"]{2,9}"', { type: 'string', minLength: 2, maxLength: 9 }, 'escapes in strings'],
  ['".*"', { type: 'string' }, 'escapes in strings'],
  [String.raw`(0|[1-9]\d*)`, { type: 'integer', minimum: 0 }],
  ['-?(0|[1-9][0-9]*)', { type: 'integer' }],
  ['[0-9]', { type: 'integer', minimum: 0, maximum: 9 }],
  ['[0-9]{1,3}', { type: 'integer', minimum: 0, maximum: 999 }, 'leading zeros'],
  [String.raw`-?\d{2}`, { type: 'integer', minimum: -99, maximum: 99 }, 'leading zeros'],
  [String.raw`[-+]?\d+`, { type: 'integer' }, 'plus signs', 'leading zeros'],
  [String.raw`\d+\.\d{2}`, { type: 'number', minimum: 0 }, 'digits of numbers'],
  [String.raw`\d+(\.\d+)?`, { type: 'number', minimum: 0 }, 'digits of numbers'],
  [String.raw`[-+]?[0-9]*\.?[0-9]+`, { type: 'number' }, 'plus signs', 'digits of numbers'],
  [
    String.raw`(\d|"none")`,
    {
      anyOf: [{ type: 'integer', minimum: 0, maximum: 9 }, { const: 'none' }],
    },
  ],
  [
    String.raw`\["[a-z]"(, "[a-z]"){0,3}\]`,
    {
      type: 'array',
      items: { type: 'string', pattern: '^[a-z]$' },
      minItems: 1,
      maxItems: 4,
    },
  ],
  [
    String.raw`\[(\d(,\d)*)?\]`,
    {
      type: 'array',
      items: { type: 'integer', minimum: 0, maximum: 9 },
      minItems: 0,
    },
  ],
  [String.raw`\[true, true\]`, { type: 'array', items: { const: true }, minItems: 2, maxItems: 2 }],
  [String.raw`\{"x": \{\s*\}\}`, object({ x: object({}) })],
];

describe('the schema of a regular expression', () => {
  for (const [spelled, schema, ...differences] of values)
    it(spelled, () =>
      expect(schemaOfRegex(String.raw`\{\n  "v": ${spelled}\n\}`)).toEqual({
        schema: object({ v: schema }),
        differences: ['whitespace', ...differences],
      }),
    );

  it('reads keys in their order, with any blanks between them', () =>
    expect(schemaOfRegex(String.raw`^\{\s*"a b"\s*:\s*1 ?,\n"c":2\}$`)?.schema).toEqual(
      object({ 'a b': { const: 1 }, c: { const: 2 } }),
    ));

  const others: readonly string[] = [
    '[a-z]+',
    '"(a|b)"',
    String.raw`\{.*\}`,
    String.raw`\{"a": 1(, "b": 2)?\}`,
    String.raw`\{"a": "x", "a": "y"\}`,
    String.raw`\{"a": "[A-z]"\}`,
    String.raw`\{"a": "[a"]"\}`,
    String.raw`\{"a": "[^a]"\}`,
    String.raw`\{"a": "\\n"\}`,
    String.raw`\{"a": x\}`,
    String.raw`\{"a": 01\}`,
    String.raw`\{"a": 1[0-9]\}`,
    String.raw`\{"a": \d*\}`,
    String.raw`\{"a": true\} more`,
    String.raw`\{"a": true,\}`,
    String.raw`\[1, "a"\]`,
    String.raw`\[\d \d\]`,
    String.raw`\{"[a-z]": true\}`,
    String.raw`\{"a": (?=b)true\}`,
    String.raw`\{"a": [0-9]+?\}`,
    String.raw`(\{"a": true\}`,
    '',
  ];
  for (const pattern of others)
    it(`is not offered for ${pattern}`, () => expect(schemaOfRegex(pattern)).toBeNull());
});
