/** Hovers, as Markdown. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { GenFact } from '../semantics/facts.ts';
import { describeShape, formatType, joinTypes, type GenType } from '../semantics/gen-type.ts';
import { formatPattern } from '../semantics/name-pattern.ts';
import type { GenSite } from '../semantics/value.ts';
import { calleeAt, genAt, programAt, readAt, textSpan, type Location } from './lookup.ts';
import { formatSignature, signatureOf } from './signatures.ts';

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
    const markdown = variableText(name, read.type, read.sites, read.program, note, values);
    return { uri, ...textSpan(read.node), markdown };
  }
  const gen = genAt(analysis, uri, offset);
  if (gen?.site.nameNode) {
    const name = gen.names.map(formatPattern).join(', ');
    return { uri, ...textSpan(gen.site.nameNode), markdown: genText(analysis, name, gen, values) };
  }
  return callableHover(analysis, uri, offset) ?? programHover(analysis, uri, offset);
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
  return variableText(name, gen.type, [], gen.site.program, count, values);
}

function variableText(
  name: string,
  type: GenType,
  sites: readonly GenSite[],
  program: string | null,
  note: string | null,
  values?: LastValues,
): string {
  const lines = [code(`(variable) ${name}: ${formatType(type)}`)];
  const shape = describeShape(type);
  if (shape !== null) lines.push(`${shape[0]?.toUpperCase() ?? ''}${shape.slice(1)}.`);
  if (program !== null) lines.push(`Made by \`${program}\`${setAt(sites)}.`);
  if (note !== null) lines.push(note);
  const last = values?.lastValues(program, name) ?? [];
  if (last.length > 0)
    lines.push(['**Last values**', ...last.slice(0, 3).map(lastValueLine)].join('\n\n'));
  return lines.join('\n\n');
}

function setAt(sites: readonly GenSite[]): string {
  const lines = sites.map(({ unit, call }) => unit.text.slice(0, call.start).split('\n').length);
  const unique = [...new Set(lines)];
  if (unique.length === 0) return '';
  return ` at line ${unique.join(', ')}`;
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

function programHover(analysis: ModuleAnalysis, uri: string, offset: number): Hover | null {
  const node = programAt(analysis, uri, offset);
  if (!node) return null;
  const variables = new Map<string, GenType>();
  for (const { site, names, type } of analysis.facts.gens) {
    if (site.program !== node.name.id) continue;
    for (const name of names) {
      const key = formatPattern(name);
      const known = variables.get(key);
      variables.set(key, known ? joinTypes(known, type) : type);
    }
  }
  const list = [...variables].map(([name, type]) => `- \`${name}\`: \`${formatType(type)}\``);
  const body = list.length === 0 ? 'Generates no variables.' : `Generates:\n${list.join('\n')}`;
  return {
    uri,
    start: node.name.start,
    end: node.name.end,
    markdown: `${code(`(program) ${node.name.id}`)}\n\n${body}`,
  };
}
