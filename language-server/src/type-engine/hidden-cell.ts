/**
 * The code that stands, unseen, behind each cell for the type engine: it gives every program of the
 * cell the exact type of its state, so that `t = state["type"]` is a `Literal` in all later cells.
 * No position mapping is needed, because the cell itself is passed on as it is.
 */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { formatType } from '../semantics/gen-type.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import { variableTypes } from '../stubs.ts';

/** Empty if the cell defines no programs on its top level. */
export function hiddenCell(analysis: ModuleAnalysis, uri: string): string {
  const unit = analysis.units.find((candidate) => candidate.uri === uri);
  if (!unit) return '';
  const programs = analysis.facts.programs.filter(({ node }) => unit.tree.body.includes(node));
  const names = literalNames(analysis, unit);
  if (programs.length === 0 && names.length === 0) return '';
  const head = `from typing import Any as __Any, Literal, overload as __overload
from sglang.lang.interpreter import ProgramState as __ProgramState
from sglang.lang.ir import SglFunction as __SglFunction
`;
  return [head, ...programs.map(({ name }) => programTypes(analysis, name)), ...names].join('\n');
}

/**
 * The engine widens literals of names that other cells read (`t = "a"` is a `str` elsewhere); an
 * annotation here keeps what is known.
 */
function literalNames(analysis: ModuleAnalysis, unit: SourceUnit): readonly string[] {
  const assigned = new Map<string, string>();
  for (const statement of unit.tree.body) {
    if (statement.kind !== 'Assign') continue;
    for (const target of statement.targets) {
      if (target.kind !== 'Name') continue;
      const binding = analysis.facts.bindings.find(({ node }) => node === target);
      const type = binding?.value.kind === 'gen' ? binding.value.type : null;
      if (type?.kind === 'literal') assigned.set(target.id, formatType(type));
      else assigned.delete(target.id);
    }
  }
  return [...assigned].map(([name, type]) => `${name}: ${type} = ${name}  # type: ignore\n`);
}

function programTypes(analysis: ModuleAnalysis, name: string): string {
  const getters = [...variableTypes(analysis.facts.gens, name)].map(
    ([variable, type]) => `    @__overload
    def __getitem__(self, name: Literal[${JSON.stringify(variable)}], /) -> ${formatType(type).replaceAll('Any', '__Any')}: ...`,
  );
  const fallback = `    @__overload
    def __getitem__(self, name: str, /) -> __Any: ...`;
  const body =
    getters.length === 0
      ? '    def __getitem__(self, name: str, /) -> __Any: ...'
      : [...getters, fallback].join('\n');
  return `class _${name}_State(__ProgramState):
${body}
    def __getitem__(self, name: str, /) -> __Any: ...
def __sgl_as_${name}(program: object) -> __SglFunction[_${name}_State]: ...
${name} = __sgl_as_${name}(${name})
`;
}
