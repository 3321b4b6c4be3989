/** A program's parameter wherever it is named: in its body, in calls by keyword, in the rows of batches. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { CallFact } from '../semantics/facts.ts';
import type { Expression, FunctionDef, Name, Parameter, Span } from '../syntax/ast.ts';
import { namesIn, walkBlock } from '../syntax/walk.ts';
import { batchRows, covers, textSpan, type Location } from './lookup.ts';
import { functionOf, type Project } from './project-navigation.ts';

export interface ParameterPlaces {
  readonly id: string;
  /** What the cursor is on. */
  readonly under: Span;
  readonly places: readonly Location[];
  /** Other parameters of the program, `s` too. */
  readonly others: readonly string[];
  /** Names that its body uses otherwise. */
  readonly used: ReadonlySet<string>;
}

interface Target {
  readonly uri: string;
  readonly node: FunctionDef;
  readonly id: string;
  readonly under: Span;
}

export function parameterPlaces(
  project: Project,
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): ParameterPlaces | null {
  const target = inProgram(analysis, uri, offset) ?? inCall(analysis, uri, offset);
  if (!target) return null;
  const { node, id, under } = target;
  const calls = new Map(
    [analysis, ...project.modules(id)].flatMap((module) =>
      module.facts.calls.map(
        (call) => [`${call.unit.uri}:${call.node.start}:${call.node.end}`, call] as const,
      ),
    ),
  );
  const named = namesOf(node, id).map((name) => ({ uri: target.uri, ...spanOf(name) }));
  const given = [...calls.values()].flatMap((call) =>
    keywordsOf(call, target).map((span) => ({ uri: call.unit.uri, ...spanOf(span) })),
  );
  const others = node.parameters.flatMap(({ name }) => name?.id ?? []);
  return {
    id,
    under,
    places: [...named, ...given],
    others: others.filter((name) => name !== id),
    used: new Set(namesIn(node.body).map((name) => name.id)),
  };
}

const spanOf = ({ start, end }: Span): Span => ({ start, end });

const parametersOf = (node: FunctionDef): readonly Parameter[] => node.parameters.slice(1);

const hasParameter = (node: FunctionDef, id: string): boolean =>
  parametersOf(node).some(({ name, star }) => name?.id === id && star === '');

function inProgram(analysis: ModuleAnalysis, uri: string, offset: number): Target | null {
  for (const { unit, node } of analysis.facts.programs) {
    if (unit.uri !== uri || !covers(node, offset)) continue;
    for (const { name } of parametersOf(node)) {
      if (!name || !hasParameter(node, name.id)) continue;
      const under = namesOf(node, name.id).find((found) => covers(found, offset));
      if (under) return { uri, node, id: name.id, under: spanOf(under) };
    }
  }
  return null;
}

function inCall(analysis: ModuleAnalysis, uri: string, offset: number): Target | null {
  for (const { unit, node, callee } of analysis.facts.calls) {
    const ref = functionOf(callee);
    if (unit.uri !== uri || !ref?.isProgram || ref.node.kind !== 'FunctionDef') continue;
    const name = node.args.find((argument) => argument.name && covers(argument.name, offset))?.name;
    if (name && hasParameter(ref.node, name.id))
      return { uri: ref.unit.uri, node: ref.node, id: name.id, under: spanOf(name) };
  }
  return null;
}

/** The parameter and its uses in the body; inner functions and comprehensions may have one of their own. */
function namesOf(node: FunctionDef, id: string): readonly Name[] {
  const own = parametersOf(node).flatMap(({ name }) => (name?.id === id ? [name] : []));
  const others: Span[] = [];
  walkBlock(node.body, {
    statement: (inner) => {
      if (inner.kind === 'FunctionDef' && bindsParameter(inner.parameters, id)) others.push(inner);
    },
    expression: (inner) => {
      if (inner.kind === 'Lambda' && bindsParameter(inner.parameters, id)) others.push(inner);
      if (
        inner.kind === 'Comprehension' &&
        inner.clauses.some(({ target }) => mentions(target, id))
      )
        others.push(inner);
    },
  });
  const used = namesIn(node.body).filter(
    (name) => name.id === id && !others.some((span) => covers(span, name.start)),
  );
  return [...own, ...used];
}

const bindsParameter = (parameters: readonly Parameter[], id: string): boolean =>
  parameters.some(({ name }) => name?.id === id);

function mentions(target: Expression, id: string): boolean {
  if (target.kind === 'Name') return target.id === id;
  const isGroup = target.kind === 'Tuple' || target.kind === 'List';
  return isGroup && target.elements.some((element) => mentions(element, id));
}

function keywordsOf({ node, callee }: CallFact, target: Target): readonly Span[] {
  const ref = functionOf(callee);
  if (ref?.unit.uri !== target.uri || ref.node.start !== target.node.start) return [];
  const isBatch = callee.kind === 'method' && callee.name.startsWith('run_batch');
  if (!isBatch)
    return node.args.flatMap(({ name }) => (name?.id === target.id ? [spanOf(name)] : []));
  const keys = batchRows(node).flatMap((row) =>
    row.kind === 'Dict' ? row.entries.flatMap(({ key }) => key ?? []) : [],
  );
  return keys
    .filter((key) => key.kind === 'Str' && key.value === target.id && key.pieces.length === 1)
    .map(textSpan);
}
