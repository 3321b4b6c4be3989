/** Rewrites of the gen at a place: choices as a constant, `max_tokens`, a schema instead of a regex. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { GenFact, TextEdit } from '../semantics/facts.ts';
import { quote } from '../semantics/gen-type.ts';
import type { JsonSchema } from '../semantics/json-schema.ts';
import { schemaOfRegex } from '../semantics/regex-schema.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import type { Argument, Call } from '../syntax/ast.ts';
import { lastName } from '../syntax/walk.ts';
import { covers } from './lookup.ts';

export interface Refactoring {
  readonly title: string;
  readonly kind: 'refactor.extract' | 'refactor.rewrite';
  readonly edits: readonly TextEdit[];
}

export function refactorings(
  analysis: ModuleAnalysis,
  unit: SourceUnit,
  offset: number,
): readonly Refactoring[] {
  const gen = analysis.facts.gens
    .filter(
      ({ site }) =>
        site.unit.uri === unit.uri && site.call.kind === 'Call' && covers(site.call, offset),
    )
    .sort((a, b) => b.site.call.start - a.site.call.start)[0];
  if (gen?.site.call.kind !== 'Call') return [];
  if (gen.site.kind !== 'gen' && gen.site.kind !== 'select') return [];
  const { call } = gen.site;
  return [
    extractChoices(analysis, unit, gen, call),
    addMaxTokens(gen, call),
    regexToSchema(analysis, unit, gen, call),
  ].filter((action) => action !== null);
}

const named = (call: Call, name: string): Argument | undefined =>
  call.args.find((argument) => argument.name?.id === name);

/** `choices=["a", "b"]` becomes a constant above the program, named after the variable. */
function extractChoices(
  analysis: ModuleAnalysis,
  unit: SourceUnit,
  gen: GenFact,
  call: Call,
): Refactoring | null {
  const second = call.args[1]?.name ? undefined : call.args[1];
  const choices =
    named(call, 'choices') ?? (lastName(call.callee) === 'select' ? second : undefined);
  if (choices?.value.kind !== 'List' && choices?.value.kind !== 'Tuple') return null;
  const isConstant = choices.value.elements.every(
    (element) => element.kind === 'Str' && element.value !== null,
  );
  const top = unit.tree.body.find((statement) => covers(statement, call.start));
  if (!top || !isConstant) return null;
  const name = freeName(analysis, gen);
  const list = unit.text.slice(choices.value.start, choices.value.end);
  return {
    title: 'Extract choices into a constant',
    kind: 'refactor.extract',
    edits: [
      { start: top.start, end: top.start, text: `${name} = ${list}\n\n\n` },
      { start: choices.value.start, end: choices.value.end, text: name },
    ],
  };
}

function freeName({ exports }: ModuleAnalysis, { names }: GenFact): string {
  const [only] = names[0] ?? [];
  const word = (only ?? '').replaceAll(/\W+/g, '_').toUpperCase();
  const base = /^[A-Z]/.test(word) ? `${word}_CHOICES` : 'CHOICES';
  let name = base;
  for (let i = 2; exports.has(name); i++) name = `${base}_${i}`;
  return name;
}

function addMaxTokens(gen: GenFact, call: Call): Refactoring | null {
  const isSecondGiven = call.args.length > 1 && !call.args.slice(1).every((each) => each.name);
  if (gen.site.kind !== 'gen' || named(call, 'max_tokens') || call.close === -1 || isSecondGiven)
    return null;
  const text = call.args.length === 0 ? 'max_tokens=128' : ', max_tokens=128';
  const last = call.args.at(-1);
  const at = last ? last.end : call.close;
  return {
    title: 'Add max_tokens',
    kind: 'refactor.rewrite',
    edits: [{ start: at, end: at, text }],
  };
}

/* ------------------------------------------------------------------ schemas */

/** Only where the regex spells an object or array; the title says what may be spelled otherwise. */
function regexToSchema(
  analysis: ModuleAnalysis,
  unit: SourceUnit,
  gen: GenFact,
  call: Call,
): Refactoring | null {
  const regex = named(call, 'regex');
  if (!regex || gen.type.kind !== 'regex' || named(call, 'json_schema')) return null;
  const found = schemaOfRegex(gen.type.pattern);
  if (!found) return null;
  const json = analysis.exports.get('json');
  const isImported = json?.kind === 'module' && json.path === 'json';
  const indent = /^[ \t]*/.exec(unit.text.slice(lineStart(unit.text, regex.start)))?.[0] ?? '';
  const text = isImported
    ? `json.dumps(${pythonLiteral(found.schema, indent)})`
    : quote(JSON.stringify(found.schema));
  const note = found.differences.length === 0 ? '' : ` (${listed(found.differences)} may differ)`;
  return {
    title: `Rewrite regex as json_schema${note}`,
    kind: 'refactor.rewrite',
    edits: [{ start: regex.start, end: regex.end, text: `json_schema=${text}` }],
  };
}

function listed(words: readonly string[]): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

const widestLine = 60;

/** JSON as Python: one line while it is short. */
function pythonLiteral(value: JsonSchema, indent: string): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const isList = Array.isArray(value);
  const deeper = `${indent}    `;
  const items = isList
    ? value.map((item: JsonSchema) => pythonLiteral(item, deeper))
    : Object.entries(value).map(
        ([key, item]: [string, JsonSchema]) =>
          `${JSON.stringify(key)}: ${pythonLiteral(item, deeper)}`,
      );
  const [open, close] = isList ? '[]' : '{}';
  const line = items.join(', ');
  if (line.length <= widestLine && !line.includes('\n')) return `${open}${line}${close}`;
  return `${open}\n${items.map((item) => `${deeper}${item},\n`).join('')}${indent}${close}`;
}
