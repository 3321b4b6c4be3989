/**
 * Code that the type engine sees and the editor never shows: before all cells of a notebook the exact
 * type of every program's state, which `virtual-cell.ts` refers to; behind each cell the exact types
 * of generated values that other cells read. Both make `t = state["type"]` a `Literal` everywhere.
 */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { formatType } from '../semantics/gen-type.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import { variableTypes } from '../stubs.ts';
import { stateClass, stateDecorator } from './virtual-cell.ts';

const head = `from typing import Any as __Any, Callable as __Callable, Literal, overload as __overload
from sglang.lang.interpreter import ProgramState as __ProgramState
from sglang.lang.ir import SglFunction as __SglFunction
`;

/** Empty if the module defines no programs. */
export function stateTypes(analysis: ModuleAnalysis): string {
  const names = new Set(analysis.facts.programs.map(({ name }) => name));
  if (names.size === 0) return '';
  return [head, ...[...names].map((name) => programTypes(analysis, name))].join('\n');
}

function programTypes(analysis: ModuleAnalysis, name: string): string {
  const getters = [...variableTypes(analysis.facts.gens, name)].map(
    ([variable, type]) => `    @__overload
    def __getitem__(self, name: Literal[${JSON.stringify(variable)}], /) -> ${formatType(type).replaceAll('Any', '__Any')}: ...`,
  );
  const fallback = `    @__overload
    def __getitem__(self, name: str, /) -> __Any: ...`;
  const overloads = getters.length === 0 ? [] : [...getters, fallback];
  const state = stateClass(name);
  return `class ${state}(__ProgramState):
${overloads.map((overload) => `${overload}\n`).join('')}    def __getitem__(self, name: str, /) -> __Any: ...
def ${stateDecorator(name)}(decorator: object, /) -> __Callable[[__Callable[..., __Any]], __SglFunction[${state}]]: ...
`;
}

/**
 * The engine widens literals of names that other cells read (`t = "a"` is a `str` elsewhere); an
 * annotation behind the cell keeps what is known. Empty where there is nothing to keep.
 */
export function literalTypes(analysis: ModuleAnalysis, uri: string): string {
  const unit = analysis.units.find((candidate) => candidate.uri === uri);
  const names = unit ? literalNames(analysis, unit) : [];
  return names.length === 0 ? '' : ['from typing import Literal', ...names].join('\n');
}

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
