/** Snippets as they stand after Tab was pressed through them, held against the language server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { diagnose } from '../../language-server/src/features/diagnostics.ts';
import { analyze } from '../language-server/support/check.ts';

interface Snippet {
  readonly prefix: string;
  readonly description: string;
  readonly body: string | readonly string[];
}

const file = join(import.meta.dirname, '../../extension/language/snippets.json');
const snippets: Record<string, Snippet> = JSON.parse(readFileSync(file, 'utf8'));

/** With the default of each place; a place has the same one everywhere. */
function expanded(body: Snippet['body']): string {
  const text = typeof body === 'string' ? body : body.join('\n');
  return text
    .replaceAll(/\$\{\d+:((?:[^}\\]|\\.)*)\}/g, (_, place: string) =>
      place.replaceAll(/\\(.)/g, '$1'),
    )
    .replaceAll(/\$\d/g, '');
}

const imports = `import json
from sglang import *
from sglang.utils import execute_shell_command, wait_for_server
question = "What is a dog?"
`;
/** What a line of a program stands in. */
const program = (lines: string): string =>
  `@function\ndef program(s, question: str):\n${lines.replaceAll(/^(?=.)/gm, '    ')}`;
const ANSWER = `@function
def answer(s, question: str):
    s += user(question)
    s += assistant(gen("answer", max_tokens=8))
`;

it.each(Object.entries(snippets))('%s is a correct program', (_, { body }) => {
  const text = expanded(body);
  expect(text).not.toMatch(/\$/);
  const isInside = text.includes('s += ') && !text.includes('@function');
  const code = isInside ? program(text) : text;
  const found = diagnose(analyze(imports, ...(code.includes('@function') ? [] : [ANSWER]), code));
  expect(found.filter(({ code: rule }) => rule !== 'unused-gen')).toEqual([]);
});

it('leaves the words of other Python files alone: every prefix begins with sgl-', () => {
  const prefixes = Object.values(snippets).map(({ prefix }) => prefix);
  expect(prefixes.filter((prefix) => !/^sgl-[a-z]+$/.test(prefix))).toEqual([]);
  expect(new Set(prefixes).size).toBe(prefixes.length);
});
