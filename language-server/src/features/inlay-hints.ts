/** Types after names that receive generated values. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { formatType } from '../semantics/gen-type.ts';

export interface InlayHint {
  readonly offset: number;
  readonly label: string;
}

export function inlayHints(
  analysis: ModuleAnalysis,
  uri: string,
  start: number,
  end: number,
): readonly InlayHint[] {
  return analysis.facts.bindings.flatMap(({ unit, node, value }) => {
    if (unit.uri !== uri || node.start < start || node.end > end) return [];
    if (value.kind !== 'gen' || value.type.kind === 'unknown') return [];
    return [{ offset: node.end, label: `: ${formatType(value.type)}` }];
  });
}
