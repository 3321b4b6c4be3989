/** Outline: programs with their roles and gens; functions and classes around them. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { formatPattern } from '../semantics/name-pattern.ts';
import type { Block, ClassDef, FunctionDef, Span } from '../syntax/ast.ts';
import { covers, unitAt } from './lookup.ts';

export interface DocumentSymbol extends Span {
  readonly name: string;
  readonly detail: string;
  readonly kind: 'program' | 'function' | 'class' | 'gen';
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
  const gens = node.kind === 'FunctionDef' ? gensIn(analysis, uri, node, inner) : [];
  return {
    name: node.name.id === '' ? '(unnamed)' : node.name.id,
    detail: isProgram ? 'SGLang program' : '',
    kind: isProgram ? 'program' : node.kind === 'ClassDef' ? 'class' : 'function',
    start: node.start,
    end: node.end,
    selection: { start: node.name.start, end: node.name.end },
    children: [...inner, ...gens].sort((a, b) => a.start - b.start),
  };
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
