/** The code that decides what a program generates: its own text and that of all it calls. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { FunctionDef } from '../syntax/ast.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';

/** `null` when the module has no such program. Calls are followed as far as the module shows them. */
export function programSource(analysis: ModuleAnalysis, program: string): string | null {
  const waiting: { readonly unit: SourceUnit; readonly node: FunctionDef }[] =
    analysis.facts.programs.filter(({ name }) => name === program);
  const seen = new Set<FunctionDef>();
  const texts: string[] = [];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { unit, node } = next;
    if (seen.has(node)) continue;
    seen.add(node);
    texts.push(unit.text.slice(node.start, node.end));
    for (const { caller, callee, calleeUnit } of analysis.facts.edges)
      if (caller === node) waiting.push({ unit: calleeUnit, node: callee });
  }
  return texts.length === 0 ? null : texts.join('\n');
}
