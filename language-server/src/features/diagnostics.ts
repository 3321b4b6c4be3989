/** All problems of a module, with severities and suppressions applied. */
import type { Expression } from '../syntax/ast.ts';
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { fieldOutside } from '../semantics/appendable.ts';
import { closest } from '../semantics/edit-distance.ts';
import type { Fix, JsonReadFact, Problem, ReadFact } from '../semantics/facts.ts';
import { formatPattern, matchesPattern } from '../semantics/name-pattern.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import { fieldAround, isOnlyShown } from './formatted-text.ts';
import { severityOf, type Severity, type SeverityOverrides } from './rules.ts';
import { isSuppressed } from './suppressions.ts';

export interface Diagnostic {
  readonly uri: string;
  readonly start: number;
  readonly end: number;
  readonly code: string;
  readonly severity: Exclude<Severity, 'off'>;
  readonly message: string;
  readonly fixes: readonly Fix[];
}

export interface DiagnosticOptions {
  readonly severities?: SeverityOverrides;
  /** Python's own syntax errors, too; off where another server reports them. */
  readonly syntaxErrors?: boolean;
}

/** A cell with an unresolved merge says only where; what else is wrong is known when it is resolved. */
export function diagnose(
  analysis: ModuleAnalysis,
  options: DiagnosticOptions = {},
): readonly Diagnostic[] {
  const problems = [
    ...analysis.facts.problems.filter(isOfPrompt),
    ...analysis.facts.reads.flatMap((read) => readProblem(analysis, read) ?? []),
    ...missingProblems(analysis),
    ...analysis.facts.jsonReads.flatMap(jsonProblem),
    ...unusedGens(analysis),
    ...tracedProblems(analysis),
    ...(options.syntaxErrors === false ? [] : analysis.units.flatMap(syntaxProblems)),
  ];
  return problems
    .filter(({ unit, code }) => unit.tree.code === undefined || code === 'syntax-error')
    .flatMap((problem) => toDiagnostic(problem, options.severities ?? {}) ?? [])
    .sort((a, b) => (a.uri === b.uri ? a.start - b.start : 0));
}

function toDiagnostic(problem: Problem, overrides: SeverityOverrides): Diagnostic | null {
  const { unit, code, span, message, fixes, mild } = problem;
  const chosen = severityOf(code, overrides);
  const severity =
    mild === true && chosen === 'warning' && !(code in overrides) ? 'information' : chosen;
  if (severity === 'off' || isSuppressed(unit, span.start, code)) return null;
  return { uri: unit.uri, start: span.start, end: span.end, code, severity, message, fixes };
}

function syntaxProblems(unit: SourceUnit): Problem[] {
  return unit.tree.errors.map(({ start, end, message }) => ({
    unit,
    code: 'syntax-error',
    span: { start, end },
    message,
    fixes: [],
  }));
}

/** An expression in what is printed or logged is there to be looked at. */
function isOfPrompt({ unit, code, span }: Problem): boolean {
  return code !== 'gen-in-fstring' || !isOnlyShown(unit, span);
}

/* ------------------------------------------------------------------ reads */

function readProblem(analysis: ModuleAnalysis, read: ReadFact): Problem | null {
  if (read.tolerant || read.node.kind === 'Missing') return null;
  if (read.presence === 'maybe') return maybeUnset(read);
  if (read.presence !== 'unset' || !read.certain || isUnfinished(read.node)) return null;
  return unsetProblem(analysis, read);
}

/** `state["` is being typed. */
function isUnfinished(node: Expression): boolean {
  return (
    node.kind === 'Str' && (node.value === '' || node.pieces.some((piece) => !piece.terminated))
  );
}

function maybeUnset(read: ReadFact): Problem {
  const condition = read.when === null ? 'on some paths to here' : `only when ${read.when}`;
  return {
    unit: read.unit,
    code: 'maybe-unset',
    span: read.node,
    message: `"${read.name ?? ''}" is set ${condition}: reading it otherwise raises KeyError.`,
    fixes: [],
    mild: !read.inProgram,
  };
}

/** Names that no gen ever sets, where others are read at the same place. */
function missingProblems(analysis: ModuleAnalysis): Problem[] {
  const { missing, reads } = analysis.facts;
  if (missing.length === 0) return [];
  const merged = new Map(reads.map((read) => [read.node, read]));
  return missing.flatMap(({ read, name }) => {
    const all = merged.get(read.node);
    if (all?.tolerant !== false || all.presence !== 'set') return [];
    const problem = unsetProblem(analysis, { ...read, name });
    return problem.code === 'unknown-variable' ? [{ ...problem, fixes: [] }] : [];
  });
}

function unsetProblem(analysis: ModuleAnalysis, read: ReadFact): Problem {
  const name = read.name ?? formatPattern(read.pattern);
  const later = analysis.facts.gens.some(
    (gen) =>
      gen.site.program === read.program &&
      gen.names.some((pattern) =>
        read.name === null ? formatPattern(pattern) === name : matchesPattern(read.name, pattern),
      ),
  );
  const base = { unit: read.unit, span: { start: read.node.start, end: read.node.end } };
  if (later && read.program !== null) {
    const message = read.inProgram
      ? `"${name}" is read before it is generated.`
      : `"${name}" is never set on the path that leads here, or only in a fork that was not joined.`;
    return { ...base, code: 'read-before-gen', message, fixes: [] };
  }
  const names = [...read.available().keys()];
  const meant = closest(name, names);
  const known =
    names.length === 0
      ? 'nothing is set here'
      : `set here: ${names.map((other) => `"${other}"`).join(', ')}`;
  const hint = meant === null ? ` (${known})` : ` Did you mean "${meant}"?`;
  const owner = read.program === null ? 'The program' : `\`${read.program}\``;
  return {
    ...base,
    code: 'unknown-variable',
    message: `${owner} has no variable "${name}".${meant === null ? '' : hint}${meant === null ? hint : ''}`,
    fixes: meant === null ? [] : [renameFix(read.node, meant)],
  };
}

function renameFix(node: Expression, name: string): Fix {
  return { title: `Change to "${name}"`, edits: [replaceText(node, name)] };
}

/** Replaces what is between the quotes, or the whole expression by a string. */
export function replaceText(
  node: Expression,
  text: string,
): { start: number; end: number; text: string } {
  const piece = node.kind === 'Str' && node.pieces.length === 1 ? node.pieces[0] : undefined;
  if (piece) return { start: piece.contentStart, end: piece.contentEnd, text };
  return { start: node.start, end: node.end, text: JSON.stringify(text) };
}

function jsonProblem({ unit, node, keys: described, isComplete }: JsonReadFact): Problem[] {
  if (!isComplete) return [];
  const keys = described.map(({ name }) => name);
  if (node.value === null || node.value === '' || keys.includes(node.value) || isUnfinished(node))
    return [];
  const meant = closest(node.value, keys);
  const hint =
    meant === null
      ? ` It has ${keys.map((key) => `"${key}"`).join(', ')}.`
      : ` Did you mean "${meant}"?`;
  const fixes = meant === null ? [] : [renameFix(node, meant)];
  return [
    {
      unit,
      code: 'unknown-json-key',
      span: node,
      message: `The JSON schema has no key "${node.value}".${hint}`,
      fixes,
    },
  ];
}

/* ------------------------------------------------------------------ whole module */

/**
 * Gens whose value nobody reads, only in programs that run here, whose states are read by name and
 * never as a whole: elsewhere the reader may be out of sight.
 */
function unusedGens(analysis: ModuleAnalysis): Problem[] {
  const { facts, consumed, executed, readSites } = analysis;
  const readPrograms = new Set(
    facts.reads.filter((read) => !read.inProgram).map((read) => read.program),
  );
  return facts.gens.flatMap(({ site, names }) => {
    const [name] = names;
    const isCandidate =
      site.program !== null && executed.has(site.program) && readPrograms.has(site.program);
    if (
      !isCandidate ||
      !name ||
      !site.nameNode ||
      site.kind === 'assign' ||
      site.kind === 'reasoning'
    )
      return [];
    if (consumed.has(site.program) || readSites.has(site.call)) return [];
    return [
      {
        unit: site.unit,
        code: 'unused-gen',
        span: site.nameNode,
        message: `"${formatPattern(name)}" is generated but never read.`,
        fixes: [],
      },
    ];
  });
}

/** Reads inside f-strings of programs that are traced: tracing sees no text there. */
function tracedProblems(analysis: ModuleAnalysis): Problem[] {
  if (analysis.traced.size === 0) return [];
  return analysis.facts.reads.flatMap((read) => {
    if (read.program === null || !read.inProgram || !analysis.traced.has(read.program)) return [];
    const field = fieldAround(read.unit, read.node);
    if (!field || isOnlyShown(read.unit, read.node)) return [];
    const isWhole = field.node.kind === 'Subscript' && field.node.index === read.node;
    return [
      {
        unit: read.unit,
        code: 'traced-value-in-fstring',
        span: read.node,
        message:
          'While tracing this value is not known and its f-string loses it: append the parts with `+=` instead.',
        fixes: isWhole ? fieldOutside(read.unit.text, field.string, field.node) : [],
      },
    ];
  });
}
