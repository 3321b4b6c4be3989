/** Blocks, bracketed expressions over several lines, and `begin` … `end` role blocks. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { walkBlock } from '../syntax/walk.ts';
import { unitAt } from './lookup.ts';

export interface FoldingRange {
  readonly start: number;
  readonly end: number;
  readonly kind: 'region' | 'comment' | 'imports';
}

export function foldingRanges(analysis: ModuleAnalysis, uri: string): readonly FoldingRange[] {
  const unit = unitAt(analysis, uri);
  if (!unit) return [];
  const { text, tree } = unit;
  const ranges = new Map<number, FoldingRange>();
  const add = (start: number, end: number) => {
    if (text.slice(start, end).includes('\n') && !ranges.has(start))
      ranges.set(start, { start, end, kind: 'region' });
  };
  walkBlock(tree.body, {
    statement: (node) => add(node.kind === 'FunctionDef' ? node.headStart : node.start, node.end),
    expression: (node) => {
      if (['Call', 'List', 'Dict', 'Set', 'Tuple', 'Comprehension', 'Str'].includes(node.kind))
        add(node.start, node.end);
    },
  });
  return [...ranges.values()].sort((a, b) => a.start - b.start);
}
