/**
 * Code that the type engine sees and the editor never shows: before all cells of a notebook the exact
 * type of every program's state, which `virtual-cell.ts` refers to; behind each cell the exact types
 * of generated values that other cells read. Both make `t = state["type"]` a `Literal` everywhere.
 */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { ProgramFact, ReadFact } from '../semantics/facts.ts';
import { formatType, joinTypes, unknownType, type GenType } from '../semantics/gen-type.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import { bodyClass, programIds, stateClass, stateDecorator } from './virtual-cell.ts';

const head = `from typing import Any as __Any, Awaitable as __Awaitable, Callable as __Callable, Literal, overload as __overload
from sglang.lang.async_state import AsyncProgramState as __AsyncProgramState
from sglang.lang.interpreter import ProgramState as __ProgramState
from sglang.lang.ir import SglFunction as __SglFunction
`;

/** Empty if the module defines no programs. */
export function stateTypes(analysis: ModuleAnalysis): string {
  const ids = programIds(analysis);
  if (ids.size === 0) return '';
  return [head, ...[...ids].map(([program, id]) => programTypes(analysis, program, id))].join('\n');
}

function programTypes({ facts }: ModuleAnalysis, program: ProgramFact, id: string): string {
  const state = stateClass(id);
  const body = bodyTypes(facts.reads, program);
  const { isAsync } = program.node;
  const isAlike = body.size === 0 && !isAsync;
  const base = isAsync ? '__AsyncProgramState' : isAlike ? state : '__ProgramState';
  return `class ${state}(__ProgramState):
${getters(program.variables)}
class ${bodyClass(id)}(${base}):
${isAlike ? '    pass' : getters(new Map([...program.variables, ...body]), isAsync)}
def ${stateDecorator(id)}(decorator: object, /) -> __Callable[[__Callable[..., __Any]], __SglFunction[${state}]]: ...
`;
}

/**
 * Variables that the program's body reads as something else than what they are in the end. One that is
 * now this and now that is anything: the engine does not follow `s["x"] = …`.
 */
function bodyTypes(
  reads: readonly ReadFact[],
  { node, variables }: ProgramFact,
): ReadonlyMap<string, GenType> {
  const types = new Map<string, GenType>();
  for (const { reader, inProgram, name, type } of reads) {
    if (reader !== node || !inProgram || name === null) continue;
    const known = types.get(name);
    const joined = known ? joinTypes(known, type) : type;
    types.set(name, joined.kind === 'union' ? unknownType : joined);
  }
  const isOther = ([name, type]: readonly [string, GenType]) => {
    const final = variables.get(name);
    return !final || formatType(final) !== formatType(type);
  };
  return new Map([...types].filter(isOther));
}

/** `isAwaited`: the program is a coroutine, which reads with `await s["x"]`. */
function getters(types: ReadonlyMap<string, GenType>, isAwaited = false): string {
  const overloads = [...types].map(([variable, type]) => {
    const value = formatType(type).replaceAll(/\bAny\b/g, '__Any');
    return `    @__overload
    def __getitem__(self, name: Literal[${JSON.stringify(variable)}], /) -> ${isAwaited ? `__Awaitable[${value}]` : value}: ...
`;
  });
  const fallback = `    @__overload
    def __getitem__(self, name: str, /) -> __Any: ...
`;
  const all = overloads.length === 0 ? '' : [...overloads, fallback].join('');
  return `${all}    def __getitem__(self, name: str, /) -> __Any: ...`;
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
