/** Outline: programs with their roles and gens; functions and classes around them. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { formatPattern } from '../semantics/name-pattern.ts';
import type { Block, ClassDef, FunctionDef, Span } from '../syntax/ast.ts';
import { covers, unitAt } from './lookup.ts';

export interface DocumentSymbol extends Span {
  readonly name: string;
  readonly detail: string;
  readonly kind: 'program' | 'function' | 'class' | 'role' | 'gen';
  /** The name itself. */
  readonly selection: Span;
  readonly children: readonly DocumentSymbol[];
}

export function documentSymbols(analysis: ModuleAnalysis, uri: string): readonly DocumentSymbol[] {
  const unit = unitAt(analysis, uri);
  return unit ? symbolsOf(analysis, uri, unit.tree.body) : [];
}

function symbolsOf(analysis: ModuleAnalysis, uri: string, block: Block): DocumentSymbol[] {
  return block.flatMap((statement): DocumentSymbol[] => {
    if (statement.kind === 'FunctionDef' || statement.kind === 'ClassDef')
      return [definition(analysis, uri, statement)];
    if (statement.kind === 'If')
      return symbolsOf(analysis, uri, [...statement.body, ...statement.orElse]);
    return statement.kind === 'Try' || statement.kind === 'With'
      ? symbolsOf(analysis, uri, statement.body)
      : [];
  });
}

function definition(
  analysis: ModuleAnalysis,
  uri: string,
  node: FunctionDef | ClassDef,
): DocumentSymbol {
  const isProgram = analysis.facts.programs.some((program) => program.node === node);
  const inner = symbolsOf(analysis, uri, node.body);
  const own = node.kind === 'FunctionDef' ? turnsIn(analysis, uri, node, inner) : [];
  return {
    name: node.name.id === '' ? '(unnamed)' : node.name.id,
    detail: isProgram ? 'SGLang program' : '',
    kind: isProgram ? 'program' : node.kind === 'ClassDef' ? 'class' : 'function',
    start: node.start,
    end: node.end,
    selection: { start: node.name.start, end: node.name.end },
    children: [...inner, ...own].sort((a, b) => a.start - b.start),
  };
}

const roles: ReadonlySet<string> = new Set(['system', 'user', 'assistant']);

/** Roles that are written as calls, with the gens inside them, and the gens outside of any. */
function turnsIn(
  analysis: ModuleAnalysis,
  uri: string,
  node: FunctionDef,
  inner: readonly DocumentSymbol[],
): DocumentSymbol[] {
  const gens = gensIn(analysis, uri, node, inner);
  const calls = analysis.facts.calls.flatMap(({ unit, node: call, callee }) =>
    unit.uri === uri &&
    callee.kind === 'api' &&
    roles.has(callee.name) &&
    covers(node, call.start) &&
    !inner.some((other) => covers(other, call.start))
      ? [{ call, name: callee.name }]
      : [],
  );
  // A loop or a branch may have been followed more than once.
  const unique = new Map(calls.map((entry) => [entry.call, entry]));
  const turns = [...unique.values()].map(({ call, name }): DocumentSymbol => ({
    name,
    detail: 'role',
    kind: 'role',
    start: call.start,
    end: call.end,
    selection: { start: call.callee.start, end: call.callee.end },
    children: gens.filter((gen) => covers(call, gen.start)),
  }));
  const nested = new Set(turns.flatMap(({ children }) => children));
  return [...turns, ...gens.filter((gen) => !nested.has(gen))];
}

function gensIn(
  analysis: ModuleAnalysis,
  uri: string,
  node: FunctionDef,
  inner: readonly DocumentSymbol[],
): DocumentSymbol[] {
  return analysis.facts.gens.flatMap(({ site, names }) => {
    const { call, nameNode } = site;
    const isHere =
      site.unit.uri === uri &&
      covers(node, call.start) &&
      !inner.some((other) => covers(other, call.start));
    const [name] = names;
    if (!isHere || !name || site.kind === 'assign') return [];
    const selection = nameNode ?? call;
    return [
      {
        name: formatPattern(name),
        detail: site.kind,
        kind: 'gen' as const,
        start: call.start,
        end: call.end,
        selection: { start: selection.start, end: selection.end },
        children: [],
      },
    ];
  });
}
