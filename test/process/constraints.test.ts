import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import type { ConstraintSource } from '../../runtime/src/constraints/constraint.ts';
import { planJump } from '../../runtime/src/constraints/jump-forward.ts';
import { compileSchema } from '../../runtime/src/constraints/json-schema/schema-compiler.ts';
import { parseEbnf } from '../../runtime/src/constraints/ebnf/ebnf-parser.ts';
import { openVocabulary, type OpenVocabulary } from '../../runtime/src/engine/llama-vocabulary.ts';
import { compareMasks } from '../runtime/constraints/compare-masks.ts';
import {
  allowed,
  automatonOf,
  compilerFor,
  regexAutomaton,
} from '../runtime/constraints/support.ts';

/* Constraints over the vocabulary of a real model file, read by llama.cpp. */

const MODEL = fileURLToPath(new URL('../../runtime/starter-model/starter.gguf', import.meta.url));
let opened: OpenVocabulary | null = null;

beforeAll(() => {
  if (existsSync(MODEL)) opened = openVocabulary(MODEL);
});
afterAll(() => opened?.dispose());

function vocabularyOr(ctx: TestContext): OpenVocabulary {
  if (opened === null) return ctx.skip('the starter model is not built: no starter.gguf');
  return opened;
}

function automatonFor(source: ConstraintSource) {
  switch (source.kind) {
    case 'regex':
      return regexAutomaton(source.pattern);
    case 'json_schema':
      return automatonOf(compileSchema(source.schema, 'flexible').grammar);
    case 'ebnf':
      return automatonOf(parseEbnf(source.grammar));
  }
}

const SHEET = String.raw`\{\n    "name": "[\w\d\s]{1,16}",\n    "crew": "(Captain|Cook|Navigator)",\n    "years": [0-9]{1,2}\n\}`;
const SOURCES: ConstraintSource[] = [
  { kind: 'regex', pattern: SHEET },
  { kind: 'regex', pattern: '((0?[1-9]|1[0-2])/(0?[1-9]|[12][0-9]|3[01])/[0-9]{2,4})' },
  { kind: 'regex', pattern: '.{0,40}' },
  { kind: 'regex', pattern: '[α-ω一-龥😀-🙏]+(é|ê)?' },
  { kind: 'json_schema', schema: '{"properties":{"a":{"type":"string"},"b":{"type":"number"}}}' },
  { kind: 'ebnf', grammar: 'root ::= root "+" root | "(" root ")" | [a-z]+' },
];

describe("over the starter model's vocabulary", () => {
  it.for(SOURCES)('every mask bit equals brute force: %j', (source, ctx) => {
    const vocabulary = vocabularyOr(ctx);
    const reference = automatonFor(source);
    const decisions = compareMasks({ vocabulary, source, reference, seed: 1, walks: 3 });
    expect(decisions).toBeGreaterThan(vocabulary.size);
  });

  it('control tokens are never allowed, all end tokens are at the end', (ctx) => {
    const vocabulary = vocabularyOr(ctx);
    const mask = compilerFor(vocabulary)
      .compile({ kind: 'regex', pattern: '(?s).*' })
      .start()
      .mask();
    const tokens = allowed(mask);
    const control = tokens.filter((token) => vocabulary.isControl(token));
    expect(control).toEqual(vocabulary.endOfGeneration.toSorted((a, b) => a - b));
    expect(tokens.length).toBeGreaterThan(vocabulary.size / 2);
  });

  it('jump-forward ends in the tokens of the whole text', (ctx) => {
    const vocabulary = vocabularyOr(ctx);
    const tokenize = (text: string) =>
      vocabulary.tokenize(text, { addSpecial: false, parseSpecial: false });
    const target = '{\n    "name": "Anne Bonny",\n    "crew": "Navigator",\n    "years": 12\n}';
    const matcher = compilerFor(vocabulary).compile({ kind: 'regex', pattern: SHEET }).start();
    let output: number[] = [];
    let asked = 0;
    while (!matcher.mustEnd) {
      const jump = planJump(matcher, output, vocabulary);
      if (jump !== null) {
        matcher.rollback(output.length - jump.keep);
        for (const token of jump.tokens) expect(matcher.accept(token)).toBe(true);
        output = [...output.slice(0, jump.keep), ...jump.tokens];
        continue;
      }
      const written = Buffer.concat(output.map((token) => vocabulary.bytes(token, false)));
      const rest = Buffer.from(target).subarray(written.length).toString();
      const token = tokenize(rest)[0]!;
      expect(matcher.accept(token)).toBe(true);
      output.push(token);
      asked++;
    }
    const text = Buffer.concat(output.map((token) => vocabulary.bytes(token, false))).toString();
    expect(text).toBe(target);
    expect(asked).toBeLessThan(output.length / 2);
  });
});
