/** What lies at an offset, and which places speak of the same variable. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { CallFact, GenFact, ReadFact } from '../semantics/facts.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import type { Call, Expression, FunctionDef, Span } from '../syntax/ast.ts';

export interface Location {
  readonly uri: string;
  readonly start: number;
  readonly end: number;
}

export function covers(span: Span, offset: number): boolean {
  return span.start <= offset && offset <= span.end;
}

export function unitAt(analysis: ModuleAnalysis, uri: string): SourceUnit | undefined {
  return analysis.units.find((unit) => unit.uri === uri);
}

export function readAt(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): ReadFact | undefined {
  return analysis.facts.reads.find((read) => read.unit.uri === uri && covers(read.node, offset));
}

export function genAt(analysis: ModuleAnalysis, uri: string, offset: number): GenFact | undefined {
  return analysis.facts.gens.find(
    ({ site }) => site.unit.uri === uri && site.nameNode !== null && covers(site.nameNode, offset),
  );
}

/** The innermost call around the offset whose parentheses contain it. */
export function callAt(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): CallFact | undefined {
  let best: CallFact | undefined;
  for (const call of analysis.facts.calls) {
    const { node } = call;
    const close = node.close === -1 ? node.end : node.close;
    if (call.unit.uri !== uri || offset <= node.open || offset > close) continue;
    if (!best || node.open > best.node.open) best = call;
  }
  return best;
}

/** The call whose callee the offset is in. */
export function calleeAt(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): CallFact | undefined {
  return analysis.facts.calls
    .filter(({ unit, node }) => unit.uri === uri && covers(calleeName(node.callee), offset))
    .sort((a, b) => b.node.start - a.node.start)[0];
}

/** `qa.run` → `run`. */
function calleeName(callee: Expression): Span {
  return callee.kind === 'Attribute' ? callee.attribute : callee;
}

export function programAt(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): FunctionDef | undefined {
  return analysis.facts.programs.find(
    ({ unit, node }) => unit.uri === uri && covers(node.name, offset),
  )?.node;
}

/** The rows of `run_batch` that are written there. */
export function batchRows({ args }: Call): readonly Expression[] {
  const named = args.find(({ name }) => name?.id === 'batch_kwargs');
  const batch = (named ?? (args[0]?.name ? undefined : args[0]))?.value;
  if (batch?.kind === 'List' || batch?.kind === 'Tuple') return batch.elements;
  return batch?.kind === 'Comprehension' ? [batch.element] : [];
}

/** What is between the quotes, or the whole expression. */
export function textSpan(node: Expression): Span {
  const piece = node.kind === 'Str' && node.pieces.length === 1 ? node.pieces[0] : undefined;
  return piece ? { start: piece.contentStart, end: piece.contentEnd } : node;
}

export interface VariablePlaces {
  readonly name: string;
  readonly gens: readonly GenFact[];
  readonly reads: readonly ReadFact[];
}

function exactName(gen: GenFact): string | null {
  const [only] = gen.names;
  return gen.names.length === 1 && only?.length === 1 ? (only[0] ?? null) : null;
}

/**
 * All places of the variable at the offset: gens of that name in the same program, reads that any
 * of them reaches, other gens that those reads reach, and so on.
 */
export function variablePlaces(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): VariablePlaces | null {
  const read = readAt(analysis, uri, offset);
  const gen = genAt(analysis, uri, offset);
  const name = read?.name ?? (gen ? exactName(gen) : null);
  if (name === null) return null;
  const sites = new Set<Expression>(
    read ? read.sites.map((site) => site.call) : gen ? [gen.site.call] : [],
  );
  const sameName = analysis.facts.gens.filter((candidate) => exactName(candidate) === name);
  const programs = new Set<string | null>();
  for (let size = -1; size !== sites.size + programs.size;) {
    size = sites.size + programs.size;
    for (const candidate of sameName) {
      if (sites.has(candidate.site.call)) programs.add(candidate.site.program);
      else if (programs.has(candidate.site.program)) sites.add(candidate.site.call);
    }
    for (const other of analysis.facts.reads) {
      if (other.name !== name || !other.sites.some((site) => sites.has(site.call))) continue;
      for (const site of other.sites) sites.add(site.call);
    }
  }
  return {
    name,
    gens: sameName.filter((candidate) => sites.has(candidate.site.call)),
    reads: analysis.facts.reads.filter(
      (other) =>
        other === read || (other.name === name && other.sites.some((site) => sites.has(site.call))),
    ),
  };
}
