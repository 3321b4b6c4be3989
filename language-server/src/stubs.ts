/** `.pyi` text that tells mypy and pyright what each program's state holds. */
import type { ModuleAnalysis } from './semantics/analysis.ts';
import type { GenFact } from './semantics/facts.ts';
import { formatType, joinTypes, type GenType } from './semantics/gen-type.ts';
import type { FunctionDef, Parameter } from './syntax/ast.ts';

const head = `# Written by \`sglnb check --emit-stubs\`. State types of SGLang programs.
from typing import Any, Iterator, Literal, overload

from sglang.lang.interpreter import ProgramState

def __getattr__(name: str) -> Any: ...
`;

/** Empty if the module defines no programs on its top level. */
export function emitStubs(analysis: ModuleAnalysis): string {
  const top = new Set(analysis.units.flatMap((unit) => unit.tree.body));
  const programs = analysis.facts.programs.filter(({ node }) => top.has(node));
  if (programs.length === 0) return '';
  return [head, ...programs.map(({ node, name }) => programStub(analysis, node, name))].join(
    '\n\n',
  );
}

function programStub(analysis: ModuleAnalysis, node: FunctionDef, name: string): string {
  const unit = analysis.facts.programs.find((program) => program.node === node)?.unit;
  const parameters = node.parameters
    .slice(1)
    .map((parameter) => parameterStub(unit?.text ?? '', parameter));
  const state = `_${name}_State`;
  const signature = [
    'self',
    ...parameters,
    ...(hasKeywordCatcher(node) ? [] : ['**sampling: Any']),
  ].join(', ');
  return `class ${state}(ProgramState):
${overloads(variableTypes(analysis.facts.gens, name))}

class _${name}_Program:
    def run(${signature}) -> ${state}: ...
    def __call__(${signature}) -> ${state}: ...
    def run_batch(self, batch_kwargs: list[Any], **sampling: Any) -> list[${state}]: ...
    def bind(self, **arguments: Any) -> "_${name}_Program": ...
    def trace(self, **arguments: Any) -> Any: ...
    def cache(self, backend: Any = ...) -> None: ...

${name}: _${name}_Program
`;
}

/** Defaults are left out: they may name what a stub does not have. */
function parameterStub(text: string, { start, end, annotation, defaultValue }: Parameter): string {
  if (!defaultValue) return text.slice(start, end);
  const head = text.slice(start, annotation?.end ?? defaultValue.start).replace(/\s*=\s*$/, '');
  return `${head} = ...`;
}

function hasKeywordCatcher(node: FunctionDef): boolean {
  return node.parameters.some((parameter) => parameter.star === '**');
}

export function variableTypes(
  gens: readonly GenFact[],
  program: string,
): ReadonlyMap<string, GenType> {
  const types = new Map<string, GenType>();
  for (const { site, names, type } of gens) {
    if (site.program !== program) continue;
    for (const name of names) {
      const [only] = name;
      if (name.length !== 1 || typeof only !== 'string') continue;
      const known = types.get(only);
      types.set(only, known ? joinTypes(known, type) : type);
    }
  }
  return types;
}

function overloads(types: ReadonlyMap<string, GenType>): string {
  const getters = [...types].map(
    ([name, type]) =>
      `    @overload\n    def __getitem__(self, name: Literal[${JSON.stringify(name)}]) -> ${formatType(type)}: ...`,
  );
  if (getters.length === 0) return '    def __getitem__(self, name: str) -> Any: ...';
  return [...getters, '    @overload\n    def __getitem__(self, name: str) -> Any: ...'].join('\n');
}
