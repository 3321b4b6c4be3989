/** Programs with their parameters, for run lenses and argument forms. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { FunctionDef, Parameter, Span } from '../syntax/ast.ts';

export interface LensParameter {
  readonly name: string;
  /** Source text, `null` if there is none. */
  readonly annotation: string | null;
  readonly defaultText: string | null;
}

export interface ProgramLens extends Span {
  readonly name: string;
  readonly parameters: readonly LensParameter[];
  /** Defined at the module's top level, so that it can be run by name. */
  readonly runnable: boolean;
}

export function programLenses(analysis: ModuleAnalysis, uri: string): readonly ProgramLens[] {
  return analysis.facts.programs
    .filter(({ unit }) => unit.uri === uri)
    .map(({ unit, node, name }) => ({
      name,
      start: node.headStart,
      end: node.name.end,
      parameters: parametersOf(node, unit.text),
      runnable: unit.tree.body.includes(node),
    }));
}

function parametersOf(node: FunctionDef, text: string): LensParameter[] {
  const source = (part: Span | null) => (part ? text.slice(part.start, part.end) : null);
  return node.parameters
    .filter((parameter: Parameter) => parameter.separator === '' && parameter.star === '')
    .slice(1)
    .map((parameter) => ({
      name: parameter.name?.id ?? '',
      annotation: source(parameter.annotation),
      defaultText: source(parameter.defaultValue),
    }));
}
