/** `.pyi` text that tells mypy and pyright what each program's state holds. */
import type { ModuleAnalysis } from './semantics/analysis.ts';
import type { ProgramFact } from './semantics/facts.ts';
import { formatType, type GenType } from './semantics/gen-type.ts';
import type { Expression, FunctionDef, Parameter } from './syntax/ast.ts';
import { walkExpression } from './syntax/walk.ts';

const head = `# Written by \`sglnb check --emit-stubs\`. State types of SGLang programs.
from typing import Any, Literal, overload

from sglang.lang.interpreter import ProgramState

def __getattr__(name: str) -> Any: ...
`;

/** Empty if the module defines no programs on its top level. */
export function emitStubs(analysis: ModuleAnalysis): string {
  const top = new Set(analysis.units.flatMap((unit) => unit.tree.body));
  // Of several programs with one name the last is what importers get.
  const programs = new Map(
    analysis.facts.programs
      .filter(({ node }) => top.has(node))
      .map((program) => [program.name, program]),
  );
  if (programs.size === 0) return '';
  const imports = importedNames(analysis);
  const used = new Set<string>();
  const stubs = [...programs.values()].map((program) => programStub(program, imports, used));
  const lines = new Set([...used].flatMap((name) => imports.get(name) ?? []));
  return [[head.trimEnd(), ...lines, ''].join('\n'), ...stubs].join('\n\n');
}

/** Name → the statement that imports it on the module's top level. */
function importedNames({ units }: ModuleAnalysis): ReadonlyMap<string, string> {
  const statements = units.flatMap((unit) => unit.tree.body);
  return new Map(
    statements.flatMap((node) => {
      if (node.kind === 'Import')
        return node.names.map(({ path, name, alias }): [string, string] => [
          (alias ?? name).id,
          `import ${path}${alias ? ` as ${alias.id}` : ''}`,
        ]);
      if (node.kind !== 'ImportFrom') return [];
      const from = `${'.'.repeat(node.level)}${node.module}`;
      return node.names.map(({ path, name, alias }): [string, string] => [
        (alias ?? name).id,
        `from ${from} import ${path}${alias ? ` as ${alias.id}` : ''}`,
      ]);
    }),
  );
}

function programStub(
  { unit, node, name, variables }: ProgramFact,
  imports: ReadonlyMap<string, string>,
  used: Set<string>,
): string {
  const parameters = node.parameters
    .slice(1)
    .map((parameter) => parameterStub(unit.text, parameter, imports, used));
  const state = `_${name}_State`;
  const signature = [
    'self',
    ...parameters,
    ...(hasKeywordCatcher(node) ? [] : ['**sampling: Any']),
  ].join(', ');
  return `class ${state}(ProgramState):
${overloads(variables)}

class _${name}_Program:
    def run(${signature}) -> ${state}: ...
    def __call__(${signature}) -> ${state}: ...
    def run_batch(self, batch_kwargs: list[Any], **sampling: Any) -> list[${state}]: ...
    async def run_async(${signature}) -> ${state}: ...
    async def run_batch_async(self, batch_kwargs: list[Any], **sampling: Any) -> list[${state}]: ...
    def bind(self, **arguments: Any) -> "_${name}_Program": ...
    def trace(self, **arguments: Any) -> Any: ...
    def cache(self, backend: Any = ...) -> None: ...

${name}: _${name}_Program
`;
}

/** Defaults are left out: they may name what a stub does not have. */
function parameterStub(
  text: string,
  { start, end, name, star, annotation, defaultValue }: Parameter,
  imports: ReadonlyMap<string, string>,
  used: Set<string>,
): string {
  if (!name) return text.slice(start, end);
  const type = annotation ? `: ${annotationStub(text, annotation, imports, used)}` : '';
  return `${star}${name.id}${type}${defaultValue ? ' = ...' : ''}`;
}

/** `Any` when it names what the module defines itself: the stub has no such thing. */
function annotationStub(
  text: string,
  annotation: Expression,
  imports: ReadonlyMap<string, string>,
  used: Set<string>,
): string {
  const names = new Set<string>();
  let isReadable = true;
  walkExpression(annotation, {
    expression: (node) => {
      if (node.kind === 'Name') names.add(node.id);
      isReadable &&= [
        'Name',
        'Attribute',
        'Subscript',
        'Tuple',
        'List',
        'Constant',
        'Binary',
      ].includes(node.kind);
    },
  });
  if (!isReadable || ![...names].every((name) => builtinTypes.has(name) || imports.has(name)))
    return 'Any';
  for (const name of names) used.add(name);
  return text.slice(annotation.start, annotation.end);
}

const builtinTypes: ReadonlySet<string> = new Set(
  'str int float bool bytes list dict tuple set frozenset object type complex'.split(' '),
);

function hasKeywordCatcher(node: FunctionDef): boolean {
  return node.parameters.some((parameter) => parameter.star === '**');
}

function overloads(types: ReadonlyMap<string, GenType>): string {
  const getters = [...types].map(
    ([name, type]) =>
      `    @overload\n    def __getitem__(self, name: Literal[${JSON.stringify(name)}]) -> ${formatType(type)}: ...`,
  );
  if (getters.length === 0) return '    def __getitem__(self, name: str) -> Any: ...';
  return [...getters, '    @overload\n    def __getitem__(self, name: str) -> Any: ...'].join('\n');
}
