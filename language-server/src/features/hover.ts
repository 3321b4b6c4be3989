/** Hovers, as Markdown. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { GenFact, ProgramFact } from '../semantics/facts.ts';
import { describeShape, formatType, joinTypes, type GenType } from '../semantics/gen-type.ts';
import { formatPattern } from '../semantics/name-pattern.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import type { GenSite } from '../semantics/value.ts';
import {
  callAt,
  calleeAt,
  covers,
  genAt,
  programAt,
  readAt,
  textSpan,
  type Location,
} from './lookup.ts';
import { docstringOf, formatSignature, signatureOf } from './signatures.ts';

/** What the kernel last generated for a variable. */
export interface LastValue {
  readonly value: string | readonly string[];
  /** Probability of the whole text, 0 to 1, if the server told. */
  readonly probability: number | null;
  readonly tokens: number | null;
  readonly milliseconds: number | null;
  /** The code changed since. */
  readonly stale: boolean;
  /** Link to the output that shows it. */
  readonly output: string | null;
}

export interface LastValues {
  /** Newest first. */
  lastValues(program: string | null, name: string): readonly LastValue[];
}

export interface Hover extends Location {
  readonly markdown: string;
}

export function hover(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  values?: LastValues,
): Hover | null {
  const read = readAt(analysis, uri, offset);
  if (read && read.presence !== 'unset') {
    const name = read.name ?? formatPattern(read.pattern);
    const note =
      read.presence === 'maybe'
        ? `Set only ${read.when === null ? 'on some paths' : `when ${read.when}`}.`
        : null;
    const place = setAt(analysis, uri, read.sites);
    const markdown = variableText(name, read.type, place, read.program, note, values);
    return { uri, ...textSpan(read.node), markdown };
  }
  const gen = genAt(analysis, uri, offset);
  if (gen?.site.nameNode) {
    const name = gen.names.map(formatPattern).join(', ');
    return { uri, ...textSpan(gen.site.nameNode), markdown: genText(analysis, name, gen, values) };
  }
  return (
    callableHover(analysis, uri, offset) ??
    programHover(analysis, uri, offset) ??
    parameterHover(analysis, uri, offset) ??
    jsonKeyHover(analysis, uri, offset)
  );
}

function genText(
  analysis: ModuleAnalysis,
  name: string,
  gen: GenFact,
  values?: LastValues,
): string {
  const reads = analysis.facts.reads.filter((read) =>
    read.sites.some((site) => site.call === gen.site.call),
  );
  const count =
    reads.length === 0
      ? 'Not read in this notebook.'
      : `Read ${reads.length === 1 ? 'once' : `${reads.length} times`}.`;
  const program = analysis.facts.programs.find((fact) => fact.name === gen.site.program);
  const joined = program?.variables.get(name);
  const note =
    joined?.kind === 'list' && gen.type.kind !== 'list'
      ? `${count} A \`${formatType(joined)}\` after \`join\`.`
      : count;
  return variableText(name, gen.type, '', gen.site.program, note, values);
}

function variableText(
  name: string,
  type: GenType,
  place: string,
  program: string | null,
  note: string | null,
  values?: LastValues,
): string {
  const lines = [code(`(variable) ${name}: ${formatType(type)}`)];
  const shape = describeShape(type);
  if (shape !== null) lines.push(`${shape[0]?.toUpperCase() ?? ''}${shape.slice(1)}.`);
  if (program !== null) lines.push(`Made by \`${program}\`${place}.`);
  if (note !== null) lines.push(note);
  const last = values?.lastValues(program, name) ?? [];
  if (last.length > 0)
    lines.push(['**Last values**', ...last.slice(0, 3).map(lastValueLine)].join('\n\n'));
  return lines.join('\n\n');
}

function setAt(analysis: ModuleAnalysis, uri: string, sites: readonly GenSite[]): string {
  const lines = new Map<SourceUnit, Set<number>>();
  for (const { unit, call } of sites) {
    const line = unit.text.slice(0, call.start).split('\n').length;
    lines.set(unit, (lines.get(unit) ?? new Set()).add(line));
  }
  const whereIs = (unit: SourceUnit) => {
    if (unit.uri === uri) return '';
    const isCell = analysis.units.includes(unit);
    return isCell ? ' of another cell' : ` of ${unit.uri.split('/').at(-1) ?? ''}`;
  };
  const places = [...lines].map(([unit, set]) => `line ${[...set].join(', ')}${whereIs(unit)}`);
  return places.length === 0 ? '' : ` at ${places.join(' and ')}`;
}

function code(text: string): string {
  return `\`\`\`python\n${text}\n\`\`\``;
}

const maximumValueLength = 200;

function lastValueLine(last: LastValue): string {
  const text = typeof last.value === 'string' ? last.value : JSON.stringify(last.value);
  const short = text.length > maximumValueLength ? `${text.slice(0, maximumValueLength)}…` : text;
  const facts = [
    last.probability === null ? null : `p = ${last.probability.toPrecision(2)}`,
    last.tokens === null ? null : `${last.tokens} tokens`,
    last.milliseconds === null ? null : `${Math.round(last.milliseconds)} ms`,
    last.stale ? 'stale: the code changed since' : null,
    last.output === null ? null : `[show output](${last.output})`,
  ].filter((fact) => fact !== null);
  const fence = '`'.repeat(Math.max(3, longestRun(short) + 1));
  return `${fence}text\n${short}\n${fence}\n${facts.join(' · ')}`;
}

/** Model output is shown as text: no fence inside it may end ours. */
function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
}

function callableHover(analysis: ModuleAnalysis, uri: string, offset: number): Hover | null {
  const call = calleeAt(analysis, uri, offset);
  const signature = call ? signatureOf(call.callee) : null;
  if (!call || !signature) return null;
  const { callee } = call.node;
  const span = callee.kind === 'Attribute' ? callee.attribute : callee;
  return {
    uri,
    start: span.start,
    end: span.end,
    markdown: `${code(formatSignature(signature))}\n\n${signature.doc}`.trim(),
  };
}

/** Of a keyword argument: what the parameter means. */
function parameterHover(analysis: ModuleAnalysis, uri: string, offset: number): Hover | null {
  const call = callAt(analysis, uri, offset);
  const name = call?.node.args.find(
    (argument) => argument.name && covers(argument.name, offset),
  )?.name;
  const signature = call && name ? signatureOf(call.callee) : null;
  const parameter = signature?.parameters.find((candidate) => candidate.name === name?.id);
  if (!name || !parameter) return null;
  const markdown = `${code(`(parameter) ${parameter.label}`)}\n\n${parameter.doc}`.trim();
  return { uri, start: name.start, end: name.end, markdown };
}

/** Of `data["key"]`, where the schema of `data` is known. */
function jsonKeyHover(analysis: ModuleAnalysis, uri: string, offset: number): Hover | null {
  const read = analysis.facts.jsonReads.find(
    ({ unit, node }) => unit.uri === uri && covers(node, offset),
  );
  const key = read?.keys.find(({ name }) => name === read.node.value);
  if (!read || !key) return null;
  const source = key.source === null ? 'A key of the JSON schema.' : `A key of the ${key.source}.`;
  const markdown = [code(`(key) ${key.name}: ${key.type}`), key.description || source].join('\n\n');
  return { uri, ...textSpan(read.node), markdown };
}

function programHover(analysis: ModuleAnalysis, uri: string, offset: number): Hover | null {
  const node = programAt(analysis, uri, offset);
  const defined = node && analysis.facts.programs.find((program) => program.node === node);
  if (defined) {
    const { start, end } = defined.node.name;
    return { uri, start, end, markdown: programText(analysis, defined) };
  }
  for (const { unit, node: call, callee } of analysis.facts.calls) {
    if (unit.uri !== uri || call.callee.kind !== 'Attribute') continue;
    const { object } = call.callee;
    if (object.kind !== 'Name' || !covers(object, offset)) continue;
    if (callee.kind !== 'method' || callee.object.kind !== 'program') continue;
    const { ref } = callee.object;
    const used = analysis.facts.programs.find((program) => program.node === ref.node);
    if (used)
      return { uri, start: object.start, end: object.end, markdown: programText(analysis, used) };
  }
  return null;
}

function programText(
  analysis: ModuleAnalysis,
  { unit, node, name, variables }: ProgramFact,
): string {
  const types = new Map(variables);
  for (const { site, names, type } of analysis.facts.gens) {
    if (site.program !== name) continue;
    for (const key of names.map(formatPattern)) {
      const known = types.get(key);
      if (!variables.has(key)) types.set(key, known ? joinTypes(known, type) : type);
    }
  }
  const list = [...types].map(([key, type]) => `- \`${key}\`: \`${formatType(type)}\``);
  const body = list.length === 0 ? 'Generates no variables.' : `Generates:\n${list.join('\n')}`;
  const parameters = node.parameters.slice(1).map(({ start, end }) => unit.text.slice(start, end));
  const head = code(`(program) ${name}(${parameters.join(', ')})`);
  return [head, docstringOf({ node }), body].filter((part) => part !== '').join('\n\n');
}
