/** Tokens that a grammar cannot know: SGLang functions, programs, generated variables. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { Expression } from '../syntax/ast.ts';
import { textSpan } from './lookup.ts';

export const tokenTypes = ['function', 'class', 'property', 'decorator'] as const;
export type TokenType = (typeof tokenTypes)[number];

export interface SemanticToken {
  readonly start: number;
  readonly end: number;
  readonly type: TokenType;
}

export function semanticTokens(analysis: ModuleAnalysis, uri: string): readonly SemanticToken[] {
  const tokens = new Map<number, SemanticToken>();
  const add = (node: Expression, type: TokenType) => {
    const { start, end } = textSpan(node);
    if (end > start) tokens.set(start, { start, end, type });
  };
  const { gens, reads, calls, programs } = analysis.facts;
  for (const { unit, node, callee } of calls) {
    if (unit.uri !== uri) continue;
    const name = node.callee.kind === 'Attribute' ? node.callee.attribute : node.callee;
    if (callee.kind === 'api' || callee.kind === 'method') add(name, 'function');
    else if (callee.kind === 'program') add(name, 'class');
  }
  for (const { site } of gens) {
    if (site.unit.uri === uri && site.nameNode?.kind === 'Str' && site.nameNode.value !== null)
      add(site.nameNode, 'property');
  }
  for (const read of reads) {
    if (read.unit.uri === uri && read.node.kind === 'Str' && read.presence !== 'unset')
      add(read.node, 'property');
  }
  for (const { unit, node } of programs) {
    if (unit.uri !== uri) continue;
    add(node.name, 'class');
    for (const decorator of node.decorators) {
      const name = decorator.kind === 'Call' ? decorator.callee : decorator;
      add(name.kind === 'Attribute' ? name.attribute : name, 'decorator');
    }
  }
  return [...tokens.values()].sort((a, b) => a.start - b.start);
}
