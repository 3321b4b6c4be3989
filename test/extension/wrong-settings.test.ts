import { expect, it } from 'vitest';
import { findWrongSettings } from '../../extension/src/wrong-settings.ts';

const schemas = {
  'a.text': { type: 'string', default: '' },
  'a.choice': { type: 'string', enum: ['x', 'y'], default: 'x' },
  'a.number': { type: 'number', minimum: 1, maximum: 9, default: 5 },
  'a.flag': { type: 'boolean', default: true },
  'a.table': { type: 'object', default: {} },
};

function check(values: Readonly<Record<string, unknown>>): string[] {
  return findWrongSettings(schemas, (key) => values[key]).map(
    ({ key, value, expected, fallback }) =>
      `${key} ${value}: ${JSON.stringify(expected)}, else ${fallback}`,
  );
}

it('accepts values that fit, and settings that are not set', () => {
  expect(check({ 'a.text': 'x', 'a.choice': 'y', 'a.number': 9, 'a.flag': false })).toEqual([]);
  expect(check({})).toEqual([]);
});

it('names each value that does not fit, and what is used instead', () => {
  expect(check({ 'a.text': 5, 'a.choice': 'z', 'a.number': '7', 'a.flag': null })).toEqual([
    'a.text 5: {"kind":"type","type":"string"}, else ""',
    'a.choice "z": {"kind":"choice","choices":["x","y"]}, else "x"',
    'a.number "7": {"kind":"type","type":"number"}, else 5',
    'a.flag null: {"kind":"type","type":"boolean"}, else true',
  ]);
  expect(check({ 'a.table': [] })).toEqual([
    'a.table []: {"kind":"type","type":"object"}, else {}',
  ]);
  expect(check({ 'a.table': { rule: 'off' } })).toEqual([]);
  expect(check({ 'a.number': 0 })).toEqual([
    'a.number 0: {"kind":"range","minimum":1,"maximum":9}, else 5',
  ]);
});
