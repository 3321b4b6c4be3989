import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { Automaton } from '../../../runtime/src/constraints/automaton/automaton.ts';
import { DEAD } from '../../../runtime/src/constraints/automaton/automaton.ts';
import { compileSchema } from '../../../runtime/src/constraints/json-schema/schema-compiler.ts';
import {
  allowed,
  automatonOf,
  compilerFor,
  errorOf,
  isMatch,
  ListVocabulary,
  messageOf,
  mismatches,
  randomSource,
} from './support.ts';

function schemaAutomaton(schema: unknown, whitespace: 'flexible' | 'compact' = 'flexible') {
  return automatonOf(compileSchema(JSON.stringify(schema), whitespace).grammar);
}

function warningsOf(schema: unknown): readonly string[] {
  return compileSchema(JSON.stringify(schema), 'flexible').warnings;
}

/** `#/$defs/Node` and `#/$defs/User` stand for what pydantic writes. */
const NODE = {
  $defs: {
    Node: {
      type: 'object',
      properties: {
        value: { type: 'integer' },
        next: { anyOf: [{ $ref: '#/$defs/Node' }, { type: 'null' }], default: null },
      },
      required: ['value', 'next'],
    },
  },
  $ref: '#/$defs/Node',
};
const USER = {
  $defs: { Color: { enum: ['red', 'green'], title: 'Color', type: 'string' } },
  properties: {
    name: { title: 'Name', type: 'string' },
    color: { allOf: [{ $ref: '#/$defs/Color' }], default: 'red' },
    age: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null, title: 'Age' },
  },
  required: ['name'],
  title: 'User',
  type: 'object',
};
const OPTIONAL = {
  type: 'object',
  properties: { a: { type: 'integer' }, b: { type: 'integer' }, c: { type: 'integer' } },
};

type Case = [what: string, schema: unknown, accepts: string[], rejects: string[]];

const VALUES: Case[] = [
  ['null', { type: 'null' }, ['null'], ['0', '']],
  ['boolean', { type: 'boolean' }, ['true', 'false'], ['True', '1']],
  ['integer', { type: 'integer' }, ['0', '-1', '123', '-0'], ['01', '1.0', '+1', '--1', '1e3', '']],
  [
    'number',
    { type: 'number' },
    ['0', '-1.5', '1e10', '1.5E-3', '0.0'],
    ['.5', '1.', '01', 'NaN', '+1', '1e'],
  ],
  [
    'string',
    { type: 'string' },
    ['"a"', '""', '"\\n"', '"\\u00e9"', '"é日😀"', '"\\ud83d\\ude00"', '"a/b"'],
    ['"\n"', '"\\x"', '"a', "'a'", '"\\u12"', '"\t"'],
  ],
  [
    'string: no lone surrogates',
    { type: 'string' },
    ['"\\uD83D\\uDE00"', '"\\ud7ff"', '"\\ue000"'],
    ['"\\ud83d"', '"\\ude00"', '"\\ud83dx"', '"\\ud83d\\u0041"'],
  ],
  [
    'any',
    {},
    ['1', '{"a":[1,{"b":null}]}', '[[],[[]]]', '"x"', '{}', 'true'],
    ['{a:1}', '[1,]', '', '[1 '],
  ],
  ['any, as true', true, ['1', '[]'], ['x']],
  ['list of types', { type: ['string', 'null'] }, ['"a"', 'null'], ['1']],
  ['nullable', { type: 'integer', nullable: true }, ['1', 'null'], ['"a"']],
  [
    'enum',
    { enum: ['a', 'b"c', 1, null, true, { x: 1 }, [1, 2], [], {}] },
    [
      '"a"',
      '"b\\"c"',
      '1',
      'null',
      'true',
      '{"x":1}',
      '{"x": 1}',
      '[1,2]',
      '[1, 2]',
      '[\n  1,\n  2\n]',
      '[]',
      '{}',
    ],
    ['"b"', '2', 'false', '"b"c"'],
  ],
  ['enum and type', { type: 'string', enum: ['a', 1, null] }, ['"a"'], ['1', 'null']],
  [
    'enum and limits',
    { enum: ['a', 'abc', 1, 10], minLength: 2, minimum: 5 },
    ['"abc"', '10'],
    ['"a"', '1'],
  ],
  ['const', { const: 'é' }, ['"é"'], ['"e"']],
  ['const null', { const: null }, ['null'], ['0']],
];

const NUMBERS: Case[] = [
  [
    'both ends',
    { type: 'integer', minimum: -12, maximum: 345 },
    ['-12', '0', '345', '99', '-1', '300'],
    ['-13', '346', '1000', '-20', '00'],
  ],
  [
    'exclusive',
    { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 10 },
    ['1', '9'],
    ['0', '10', '-1'],
  ],
  ['exclusive, draft 4', { type: 'integer', minimum: 0, exclusiveMinimum: true }, ['1'], ['0']],
  [
    'fractional limits',
    { type: 'integer', minimum: 0.5, exclusiveMaximum: 2.5 },
    ['1', '2'],
    ['0', '3'],
  ],
  [
    'minimum',
    { type: 'integer', minimum: 18 },
    ['18', '99', '100', '123456'],
    ['17', '9', '0', '-18'],
  ],
  ['negative maximum', { type: 'integer', maximum: -5 }, ['-5', '-10', '-123'], ['-4', '0', '5']],
  ['the tighter limit', { type: 'integer', minimum: 5, exclusiveMinimum: 3 }, ['5'], ['4']],
  ['int32', { type: 'integer', format: 'int32' }, ['2147483647', '-2147483648'], ['2147483648']],
  [
    'multiples of 5',
    { type: 'integer', multipleOf: 5 },
    ['0', '15', '-20', '1000'],
    ['1', '-7', '05'],
  ],
  [
    'multiples of 7 in a range',
    { type: 'integer', multipleOf: 7, minimum: -8, maximum: 20 },
    ['-7', '0', '7', '14'],
    ['21', '-14', '1'],
  ],
  [
    'number 0 to 1',
    { type: 'number', minimum: 0, maximum: 1 },
    ['0', '1', '0.5', '1.0', '0.001'],
    ['2', '-1', '1.5', '1.01', '-0.1'],
  ],
  [
    'number above 0',
    { type: 'number', exclusiveMinimum: 0 },
    ['0.5', '1', '0.001', '12.0'],
    ['0', '0.0', '-1'],
  ],
  [
    'number below 0',
    { type: 'number', exclusiveMaximum: 0 },
    ['-0.5', '-1', '-12.25'],
    ['0', '-0', '-0.0', '1'],
  ],
  [
    'number, fractional limits',
    { type: 'number', minimum: -1.25, exclusiveMaximum: 3.5 },
    ['-1.25', '-1.2', '0', '3.49', '3.499', '3', '3.4'],
    ['-1.26', '3.5', '3.50', '4', '-2', '-1.250001'],
  ],
  [
    'number, narrow',
    { type: 'number', exclusiveMinimum: 0.25, maximum: 0.27 },
    ['0.26', '0.2501', '0.27', '0.270'],
    ['0.25', '0.250', '0.271', '0.3', '0'],
  ],
  [
    'number, one value',
    { type: 'number', minimum: 2.5, maximum: 2.5 },
    ['2.5', '2.50'],
    ['2', '2.51', '2.4'],
  ],
  [
    'tiny limit',
    { type: 'number', minimum: 1e-7, maximum: 1 },
    ['0.0000001', '0.5'],
    ['0', '0.00000001'],
  ],
  [
    'cents',
    { type: 'number', multipleOf: 0.01, minimum: 0 },
    ['1', '1.5', '1.25'],
    ['1.255', '-1'],
  ],
];

const STRINGS: Case[] = [
  [
    'lengths count characters',
    { type: 'string', minLength: 2, maxLength: 3 },
    ['"ab"', '"é日"', '"😀😀😀"', '"\\n\\t"', '"a\\u00e9"', '"\\ud83d\\ude00a"'],
    ['"a"', '"abcd"', '""', '"😀"'],
  ],
  [
    'pattern, whole',
    { type: 'string', pattern: '^[a-z]{2}\\d$' },
    ['"ab1"'],
    ['"ab"', '"ab12"', '"AB1"'],
  ],
  [
    'pattern is a search',
    { type: 'string', pattern: 'ab' },
    ['"ab"', '"xxabyy"', '"\\nab"'],
    ['"a"', '"ba"'],
  ],
  ['pattern tied at one end', { type: 'string', pattern: '^ab' }, ['"ab"', '"abx"'], ['"xab"']],
  [
    'pattern with tied alternatives',
    { type: 'string', pattern: '^a|b$' },
    ['"a"', '"ax"', '"xb"'],
    ['"xa"', '"bx"'],
  ],
  [
    'pattern in a group',
    { type: 'string', pattern: '(^(foo|bar)$)' },
    ['"foo"', '"bar"'],
    ['"foobar"'],
  ],
  [
    'pattern with quote and backslash',
    { type: 'string', pattern: '^".\\\\$' },
    ['"\\"x\\\\"'],
    ['"\\"x"', '""x\\"'],
  ],
  [
    'pattern with newline',
    { type: 'string', pattern: '^a\\s$' },
    ['"a\\n"', '"a "'],
    ['"a\n"', '"a"'],
  ],
  [
    'pattern with a negated class',
    { type: 'string', pattern: '^[^a]$' },
    ['"\\""', '"\\u0001"', '"é"'],
    ['"a"', '"""'],
  ],
  ['pattern beyond ASCII', { type: 'string', pattern: '^[α-ω]+$' }, ['"αβ"'], ['"ab"']],
  [
    'pattern and length',
    { type: 'string', pattern: '^[A-Z][a-z]*$', minLength: 2, maxLength: 4 },
    ['"Ab"', '"Abcd"'],
    ['"A"', '"Abcde"'],
  ],
  [
    'date',
    { type: 'string', format: 'date' },
    ['"2024-02-29"', '"2023-12-31"'],
    ['"2024-13-01"', '"2023-02-29"', '"2023-04-31"', '"2024-2-1"'],
  ],
  [
    'time',
    { type: 'string', format: 'time' },
    ['"12:34:56Z"', '"23:59:59.5+02:00"'],
    ['"24:00:00Z"', '"12:34Z"'],
  ],
  [
    'date-time',
    { type: 'string', format: 'date-time' },
    ['"2024-02-28T12:34:56Z"'],
    ['"2024-02-28"', '"2024-02-28 12:34:56Z"'],
  ],
  [
    'duration',
    { type: 'string', format: 'duration' },
    ['"P1D"', '"PT1H30M"', '"P1Y2M3DT4H"', '"P4W"'],
    ['"P"', '"PT"', '"1D"'],
  ],
  [
    'ipv4',
    { type: 'string', format: 'ipv4' },
    ['"127.0.0.1"', '"255.255.255.255"'],
    ['"256.1.1.1"', '"1.1.1"'],
  ],
  [
    'ipv6',
    { type: 'string', format: 'ipv6' },
    ['"::1"', '"::"', '"1::"', '"fe80::1:2"', '"1:2:3:4:5:6:7:8"', '"1:2:3:4:5:6:7::"'],
    ['"1:2"', '"1::2::3"', '"12345::"'],
  ],
  [
    'email',
    { type: 'string', format: 'email' },
    ['"a.b@example.org"'],
    ['"a@b"', '"@example.org"', '"a..b@example.org"'],
  ],
  [
    'uuid',
    { type: 'string', format: 'uuid' },
    ['"123e4567-e89b-12d3-a456-426614174000"'],
    ['"123e4567"'],
  ],
  [
    'uri',
    { type: 'string', format: 'uri' },
    ['"https://example.org:80/a/b?c=d#e"', '"http://localhost"'],
    ['"example.org"', '"http://"'],
  ],
  ['hostname', { type: 'string', format: 'hostname' }, ['"a-b.example.org"'], ['"-a"', '"a..b"']],
];

const ARRAYS: Case[] = [
  [
    'counts',
    { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 3 },
    ['[1,2]', '[1, 2, 3]', '[\n  1,\n  2\n]'],
    ['[1]', '[1,2,3,4]', '[]', '[1,2,]'],
  ],
  ['none allowed', { type: 'array', items: { type: 'integer' }, maxItems: 0 }, ['[]'], ['[1]']],
  ['no items at all', { type: 'array', items: false }, ['[]'], ['[1]']],
  ['any items', { type: 'array' }, ['[]', '[1,"a",null]'], ['[1,]']],
  [
    'a tuple',
    { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }], items: false },
    ['[1,"a"]'],
    ['[1]', '[1,"a",2]', '["a",1]'],
  ],
  [
    'a tuple with optional items',
    { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }], minItems: 0 },
    ['[]', '[1]', '[1,"a"]'],
    ['["a"]', '[1,"a",2]'],
  ],
  [
    'a tuple with more',
    {
      type: 'array',
      prefixItems: [{ type: 'integer' }],
      items: { type: 'string' },
      minItems: 2,
      maxItems: 3,
    },
    ['[1,"a"]', '[1,"a","b"]'],
    ['[1]', '[1,"a","b","c"]', '[1,2]'],
  ],
  [
    'a tuple, draft 7',
    { type: 'array', items: [{ type: 'integer' }], additionalItems: { type: 'null' } },
    ['[1]', '[1,null,null]'],
    ['[null]', '[1,1]'],
  ],
];

const OBJECTS: Case[] = [
  [
    'order of the schema',
    {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      required: ['a', 'b'],
    },
    ['{"a":1,"b":2}', '{"a": 1, "b": 2}', '{\n  "a": 1,\n  "b": 2\n}'],
    ['{"b":2,"a":1}', '{"a":1}', '{"a":1,"b":2,"c":3}', '{"a":01,"b":2}'],
  ],
  [
    'optional properties',
    { ...OPTIONAL, required: ['b'] },
    ['{"b":1}', '{"a":1,"b":2}', '{"b":2,"c":3}', '{"a":1,"b":2,"c":3}'],
    ['{}', '{"a":1}', '{"a":1,"c":3}', '{,"b":1}', '{"b":1,}'],
  ],
  [
    'all optional',
    OPTIONAL,
    ['{}', '{"a":1}', '{"c":1}', '{"a":1,"c":1}'],
    ['{"a":1,}', '{,}', '{"d":1}'],
  ],
  [
    'names that need escapes',
    {
      type: 'object',
      properties: { 'a"b': { type: 'integer' }, 'é\n': { type: 'integer' } },
      required: ['a"b', 'é\n'],
    },
    ['{"a\\"b":1,"é\\n":2}'],
    ['{"a"b":1}'],
  ],
  [
    'required but not declared',
    { type: 'object', properties: { a: { type: 'integer' } }, required: ['a', 'z'] },
    ['{"a":1,"z":"q"}'],
    ['{"a":1}'],
  ],
  [
    'additional properties',
    {
      type: 'object',
      properties: { id: { type: 'integer' } },
      required: ['id'],
      additionalProperties: { type: 'boolean' },
    },
    ['{"id":1}', '{"id":1,"x":true}', '{"id":1,"idx":true,"i":false,"":true}'],
    ['{"id":1,"x":1}', '{"id":1,"id":true}', '{"id":1,"\\u0069d":true}'],
  ],
  [
    'a map',
    { type: 'object', additionalProperties: { type: 'integer' } },
    ['{}', '{"a":1,"b":2}'],
    ['{"a":"x"}'],
  ],
  ['no members', { type: 'object', additionalProperties: false }, ['{}'], ['{"a":1}']],
  [
    'pattern properties',
    {
      type: 'object',
      patternProperties: { '^x_': { type: 'integer' } },
      additionalProperties: false,
    },
    ['{}', '{"x_a":1}'],
    ['{"y":1}', '{"x_a":"s"}'],
  ],
  [
    'a declared name that matches a pattern',
    {
      type: 'object',
      properties: { x_a: { minimum: 5 } },
      patternProperties: { '^x_': { type: 'integer' } },
    },
    ['{"x_a":5}'],
    ['{"x_a":4}', '{"x_a":"s"}'],
  ],
  [
    'names by schema',
    {
      type: 'object',
      propertyNames: { pattern: '^[a-z]+$', maxLength: 3 },
      additionalProperties: { type: 'null' },
    },
    ['{"abc":null}'],
    ['{"abcd":null}', '{"A":null}'],
  ],
  [
    'numbers of members',
    { ...OPTIONAL, minProperties: 1, maxProperties: 2 },
    ['{"a":1}', '{"a":1,"c":1}', '{"b":1,"c":1}'],
    ['{}', '{"a":1,"b":1,"c":1}'],
  ],
  [
    'numbers of members of a map',
    { type: 'object', additionalProperties: { type: 'null' }, minProperties: 2, maxProperties: 3 },
    ['{"a":null,"b":null}', '{"a":null,"b":null,"c":null}'],
    ['{"a":null}', '{"a":null,"b":null,"c":null,"d":null}'],
  ],
  [
    'an impossible optional property',
    { type: 'object', properties: { a: false, b: { type: 'null' } } },
    ['{}', '{"b":null}'],
    ['{"a":1}'],
  ],
];

const COMBINED: Case[] = [
  [
    'anyOf',
    { anyOf: [{ type: 'integer' }, { type: 'string', maxLength: 1 }] },
    ['1', '"a"'],
    ['"ab"', 'null'],
  ],
  [
    'anyOf with common keywords',
    { type: 'integer', anyOf: [{ maximum: 0 }, { minimum: 10 }] },
    ['0', '-5', '10'],
    ['5'],
  ],
  ['oneOf', { oneOf: [{ type: 'integer' }, { type: 'null' }] }, ['1', 'null'], ['"a"']],
  [
    'allOf',
    {
      allOf: [
        { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { b: { type: 'string' } }, required: ['b'] },
      ],
    },
    ['{"a":1,"b":"x"}'],
    ['{"a":1}', '{"a":1,"b":2}'],
  ],
  [
    'allOf of limits',
    {
      allOf: [
        { type: 'number', minimum: 3 },
        { type: 'integer', maximum: 5 },
      ],
    },
    ['3', '5'],
    ['2', '6', '3.5'],
  ],
  [
    'allOf closes additional properties',
    {
      allOf: [
        { properties: { a: { type: 'null' } }, additionalProperties: false },
        { properties: { b: { type: 'null' } } },
      ],
    },
    ['{}', '{"a":null}'],
    ['{"b":null}'],
  ],
  [
    'anyOf inside allOf',
    {
      allOf: [
        { anyOf: [{ type: 'integer' }, { type: 'null' }] },
        { anyOf: [{ type: 'null' }, { type: 'string' }] },
      ],
    },
    ['null'],
    ['1', '"a"'],
  ],
  [
    '$ref',
    NODE,
    ['{"value":1,"next":null}', '{"value":1,"next":{"value":2,"next":null}}'],
    ['{"value":1}', '{"value":1,"next":{}}'],
  ],
  [
    '$ref to the whole',
    { type: 'object', properties: { c: { type: 'array', items: { $ref: '#' } } }, required: ['c'] },
    ['{"c":[]}', '{"c":[{"c":[{"c":[]}]}]}'],
    ['{}', '{"c":[1]}'],
  ],
  [
    '$ref by $anchor and $id',
    {
      $id: 'https://example.org/s',
      $defs: { x: { $anchor: 'here', type: 'null' } },
      anyOf: [{ $ref: '#here' }, { $ref: 'https://example.org/s#/$defs/x' }],
    },
    ['null'],
    ['1'],
  ],
  [
    '$ref with siblings',
    { $defs: { n: { type: 'integer' } }, $ref: '#/$defs/n', minimum: 5 },
    ['5'],
    ['4'],
  ],
  [
    '$ref with an escaped pointer',
    { $defs: { 'a/b~c d': { type: 'null' } }, $ref: '#/$defs/a~1b~0c%20d' },
    ['null'],
    ['1'],
  ],
  [
    'what pydantic writes',
    USER,
    [
      '{"name":"x"}',
      '{"name":"x","color":"red"}',
      '{"name":"x","color":"green","age":null}',
      '{"name":"x","age":3}',
    ],
    ['{"color":"red"}', '{"name":"x","color":"blue"}'],
  ],
];

const ALL = [...VALUES, ...NUMBERS, ...STRINGS, ...ARRAYS, ...OBJECTS, ...COMBINED];

describe('JSON schema: what it allows', () => {
  it.each(ALL)('%s', (_, schema, accepts, rejects) => {
    expect(mismatches(schemaAutomaton(schema), accepts, rejects)).toEqual([]);
  });

  it('integers exactly at the borders of digits', () => {
    const ranges = [
      [-105, 1000],
      [0, 0],
      [9, 10],
      [-1, 1],
      [99, 101],
      [-1000, -99],
      [17, 1234],
    ];
    for (const [minimum, maximum] of ranges as [number, number][]) {
      const automaton = schemaAutomaton({ type: 'integer', minimum, maximum });
      for (let value = -1500; value <= 1500; value++) {
        if (isMatch(automaton, String(value)) !== (value >= minimum && value <= maximum)) {
          expect.fail(`${value} in [${minimum}, ${maximum}]`);
        }
      }
      expect(isMatch(automaton, '007')).toBe(false);
    }
  });

  it('decimals exactly, whatever the limits', () => {
    const random = randomSource(9);
    const decimal = () =>
      Number(((random() - 0.5) * 10 ** Math.floor(random() * 4)).toFixed(Math.floor(random() * 4)));
    for (let round = 0; round < 150; round++) {
      const [low, high] = [decimal(), decimal()].sort((left, right) => left - right) as [
        number,
        number,
      ];
      const schema = {
        type: 'number',
        [random() < 0.5 ? 'minimum' : 'exclusiveMinimum']: low,
        [random() < 0.5 ? 'maximum' : 'exclusiveMaximum']: high,
      };
      let automaton: Automaton;
      try {
        automaton = schemaAutomaton(schema);
      } catch {
        expect(low === high && ('exclusiveMinimum' in schema || 'exclusiveMaximum' in schema)).toBe(
          true,
        );
        continue;
      }
      const isValid = (value: number) =>
        ('minimum' in schema ? value >= low : value > low) &&
        ('maximum' in schema ? value <= high : value < high);
      for (let probe = 0; probe < 60; probe++) {
        const near =
          [low, high, 0][probe % 3]! + (random() - 0.5) * 10 ** -Math.floor(random() * 4);
        const text = [String(low), String(high), near.toFixed(Math.floor(random() * 6))][
          probe % 3
        ]!;
        // A zero with a minus sign need not be allowed, though JSON has it.
        if (/^-0(\.0*)?$/.test(text) || text.includes('e')) continue;
        if (isMatch(automaton, text) !== isValid(Number(text))) {
          expect.fail(`${text} for ${JSON.stringify(schema)}`);
        }
      }
    }
  });

  it('nests 500 levels', () => {
    const automaton = schemaAutomaton({}, 'compact');
    expect(isMatch(automaton, '['.repeat(500) + ']'.repeat(500))).toBe(true);
    expect(isMatch(automaton, '['.repeat(500) + ']'.repeat(499))).toBe(false);
  });

  it('thirty optional properties stay small', () => {
    const names = Array.from({ length: 30 }, (_, index) => `k${index}`);
    const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
    const automaton = schemaAutomaton({ type: 'object', properties });
    expect(mismatches(automaton, ['{}', '{"k3":"x","k29":"y"}'], ['{"k29":"y","k3":"x"}'])).toEqual(
      [],
    );
    expect(automaton.stateCount).toBeLessThan(2000);
  });

  it('a thousand properties do not exhaust the stack', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `k${index}`);
    const properties = Object.fromEntries(names.map((name) => [name, { type: 'null' }]));
    expect(
      isMatch(schemaAutomaton({ type: 'object', properties }), '{"k7":null,"k999":null}'),
    ).toBe(true);
  });

  it('bounds whitespace', () => {
    const flexible = schemaAutomaton({ type: 'array', items: { type: 'null' } });
    const deep = `[\n${' '.repeat(40)}null]`;
    expect(
      mismatches(
        flexible,
        [deep, '[ null ]'],
        [`[\n${' '.repeat(41)}null]`, '[\n\nnull]', '[  null]', ' []', '[null ,null]'],
      ),
    ).toEqual([]);
    const compact = schemaAutomaton({ type: 'array', items: { type: 'null' } }, 'compact');
    expect(mismatches(compact, ['[null,null]'], ['[null, null]'])).toEqual([]);
  });

  it("any JSON, in SGLang's spelling", () => {
    const vocabulary = new ListVocabulary(['{', '}', '[', ']', 'x', '</s>'], [5]);
    const grammar = compilerFor(vocabulary).compile({ kind: 'json_schema', schema: '$$ANY$$' });
    expect(allowed(grammar.start().mask())).toEqual([0, 2]);
    expect(grammar.minimumBytes).toBe(2);
  });
});

describe('JSON schema: every allowed text is valid', () => {
  /** A random text of the automaton, led to its end by the fewest missing bytes. */
  function sample(automaton: Automaton, random: () => number): string {
    const bytes: number[] = [];
    let state = automaton.start;
    for (let step = 0; ; step++) {
      const options: number[] = [];
      for (let byte = 0; byte < 256; byte++) {
        if (automaton.step(state, byte) !== DEAD) options.push(byte);
      }
      if (automaton.isAccepting(state) && (options.length === 0 || random() < 0.3)) break;
      const missing = (byte: number) => automaton.minimumBytes(automaton.step(state, byte));
      const least = Math.min(...options.map(missing));
      const open = step < 30 ? options : options.filter((byte) => missing(byte) === least);
      const byte = open[Math.floor(random() * open.length)]!;
      bytes.push(byte);
      state = automaton.step(state, byte);
    }
    return Buffer.from(bytes).toString();
  }

  // Formats are checked above; `nullable` and boolean exclusive limits are other dialects.
  const foreign = new Set(['nullable', 'exclusive, draft 4', 'a tuple, draft 7', 'cents']);
  it.each(ALL.filter(([what]) => !foreign.has(what)))('%s', (_, schema, accepts) => {
    const isValid = new Ajv2020({ strict: false, validateFormats: false }).compile(
      schema as object,
    );
    const automaton = schemaAutomaton(schema);
    const random = randomSource(1);
    const texts = [...accepts, ...Array.from({ length: 40 }, () => sample(automaton, random))];
    // Numbers beyond 2⁵³ are rounded when they are read, by the validator too.
    const exact = texts.filter((text) => !/[0-9]{16}/.test(text));
    expect(exact.length).toBeGreaterThan(0);
    expect(exact.filter((text) => !isValid(JSON.parse(text)))).toEqual([]);
  });
});

describe('JSON schema: what it cannot or need not enforce', () => {
  it.each<[schema: unknown, warning: string]>([
    [{ type: 'array', uniqueItems: true }, '#: uniqueItems is not enforced'],
    [
      { oneOf: [{ type: 'string' }, { type: 'string', maxLength: 1 }] },
      '#: oneOf is enforced as anyOf: exactly one match is not checked',
    ],
    [
      { properties: { a: { type: 'string', format: 'iri' } } },
      '#/properties/a: format iri is not enforced',
    ],
    [
      { type: 'integer', multipleOf: 3, minimum: 5 },
      '#: multipleOf 3 is not enforced together with this range',
    ],
    [{ type: 'number', multipleOf: 0.3 }, '#: multipleOf 0.3 is not enforced'],
    [
      { type: 'string', pattern: '^(ab)+c*$', maxLength: 5 },
      '#: minLength and maxLength are not enforced beside this pattern or format',
    ],
    [{ type: 'null', colour: 1 }, '#: the unknown keyword colour is not enforced'],
  ])('%j: a warning', (schema, warning) => {
    expect(warningsOf(schema)).toEqual([warning]);
  });

  it.each([
    [{ oneOf: [{ type: 'string' }, { type: 'null' }] }],
    [{ type: 'array', uniqueItems: true, maxItems: 1 }],
    [{ title: 'T', description: 'd', default: 1, examples: [1], $comment: 'c', 'x-order': 1 }],
    [{ type: 'number', format: 'double' }],
  ])('%j: no warning', (schema) => {
    expect(warningsOf(schema)).toEqual([]);
  });

  it('a grammar carries its warnings', () => {
    const grammar = compilerFor(new ListVocabulary(['[', ']', '0', '</s>'], [3])).compile({
      kind: 'json_schema',
      schema: '{"type":"array","items":{"const":0},"uniqueItems":true}',
    });
    expect(grammar.warnings).toEqual(['#: uniqueItems is not enforced']);
  });

  it.each<[schema: unknown, error: string, words: string]>([
    [{ not: {} }, 'UNSUPPORTED@null', 'at #: the keyword not'],
    [
      { properties: { 'a/b': { if: {} } } },
      'UNSUPPORTED@null',
      'at #/properties/a~1b: the keyword if',
    ],
    [{ items: { contains: {} } }, 'UNSUPPORTED@null', 'at #/items: the keyword contains'],
    [{ allOf: [{ not: {} }] }, 'UNSUPPORTED@null', 'the keyword not'],
    [{ $ref: 'http://example.org/x' }, 'UNSUPPORTED@null', 'http://example.org/x'],
    [{ $ref: '#/$defs/none' }, 'INVALID@null', '#/$defs/none leads nowhere'],
    [{ allOf: [{ $ref: '#' }] }, 'UNSUPPORTED@null', 'lead back to themselves'],
    [{ type: 'foo' }, 'INVALID@null', 'unknown type "foo"'],
    [{ enum: [] }, 'INVALID@null', 'enum must be'],
    [{ anyOf: [] }, 'INVALID@null', 'anyOf must be'],
    [{ properties: { a: 1 } }, 'INVALID@null', 'at #/properties/a: expected a schema'],
    [{ type: 'string', minLength: -1 }, 'INVALID@null', 'minLength'],
    [{ type: 'integer', minimum: 'x' }, 'INVALID@null', 'minimum must be a number'],
    [{ type: 'string', pattern: '(' }, 'INVALID@null', 'missing )'],
    [{ type: 'string', pattern: 'a(?=b)' }, 'UNSUPPORTED@null', 'look-ahead'],
    [{ type: 'string', pattern: 'a$b' }, 'UNSUPPORTED@null', '$ inside'],
    [{ patternProperties: { a: {}, b: {} } }, 'UNSUPPORTED@null', 'more than one pattern'],
    [[], 'INVALID@null', 'expected a schema'],
    [false, 'UNMATCHABLE@null', 'no output can ever match'],
    [{ type: 'string', minLength: 3, maxLength: 2 }, 'UNMATCHABLE@null', 'no output'],
    [{ type: 'integer', minimum: 3, maximum: 2 }, 'UNMATCHABLE@null', 'no output'],
    [
      { type: 'object', properties: { a: false }, required: ['a'] },
      'UNMATCHABLE@null',
      'no output',
    ],
    [
      { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] },
      'UNMATCHABLE@null',
      'no output',
    ],
    [{ type: 'integer', enum: ['a'] }, 'UNMATCHABLE@null', 'no output'],
  ])('%j: %s', (schema, error, words) => {
    expect(errorOf(() => schemaAutomaton(schema))).toBe(error);
    expect(messageOf(() => schemaAutomaton(schema))).toContain(words);
  });

  it('says where the schema is not JSON', () => {
    expect(errorOf(() => compileSchema('{"type": }', 'flexible'))).toMatch(/^INVALID/);
    expect(messageOf(() => compileSchema('{"type": }', 'flexible'))).toMatch(
      /the JSON schema is not JSON: .*}/,
    );
    expect(errorOf(() => compileSchema('', 'flexible'))).toBe('INVALID@null');
  });

  it('refuses schemas nested too deeply', () => {
    let schema: unknown = { type: 'null' };
    for (let level = 0; level < 1000; level++) schema = { type: 'array', items: schema };
    expect(errorOf(() => schemaAutomaton(schema))).toBe('TOO_LARGE@null');
  });
});
