/** Pure: what was typed into an argument form, as Python literals. */
import { isComplete } from '../python-text.ts';
import type { ScannedParameter, ScannedProgram } from '../program-scan.ts';
import { parameterKind } from './parameter-kind.ts';

const INT = /^[+-]?\d[\d_]*$/;
const FLOAT = /^[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d+)?$/;
const QUOTED = /^("([^"\\\n]|\\.)*"|'([^'\\\n]|\\.)*')$/;

/** A default that was left as it is needs no argument: it may be an expression of the program's own. */
export function argumentLiterals(
  program: ScannedProgram,
  typed: Readonly<Record<string, string>>,
): Record<string, string> {
  const given = program.parameters.flatMap((parameter) => {
    const value = typed[parameter.name] ?? '';
    return value === parameter.defaultValue
      ? []
      : [[parameter.name, pythonValue(value, parameter)]];
  });
  return Object.fromEntries(given);
}

/** What was typed as Python: text is quoted where the parameter takes text, all else stays. */
export function pythonValue(typed: string, parameter: ScannedParameter): string {
  const text = typed.trim();
  const { type, isOptional } = parameterKind(parameter);
  if (isOptional && (text === 'None' || (text === '' && type.kind !== 'text'))) return 'None';
  // What is quoted is a Python string, with its escapes: `"two\nlines"`.
  if (QUOTED.test(text)) return text;
  const takesText = type.kind === 'text' || (type.kind === 'unknown' && !isUnmistakable(text));
  return takesText ? JSON.stringify(typed) : text;
}

function isUnmistakable(text: string): boolean {
  return (
    FLOAT.test(text) ||
    /^(True|False|None)$/.test(text) ||
    (/^[[{(]/.test(text) && /[\]})]$/.test(text) && isComplete(text))
  );
}

/** What is wrong with what was typed so far. */
export type ValueProblem = 'int' | 'float' | 'list' | 'dict' | 'tuple' | 'incomplete' | 'empty';

/** `null` when it will do. A default that was left as it is always does. */
export function valueProblem(typed: string, parameter: ScannedParameter): ValueProblem | null {
  const text = typed.trim();
  const { type, isOptional } = parameterKind(parameter);
  if (typed === parameter.defaultValue || (isOptional && (text === 'None' || text === ''))) {
    return null;
  }
  if (type.kind === 'int') return INT.test(text) ? null : 'int';
  if (type.kind === 'float') return FLOAT.test(text) ? null : 'float';
  if (type.kind === 'expression' && text === '') return 'empty';
  if (type.kind === 'container' && !text.startsWith(type.opening)) {
    return containerName(type.opening);
  }
  const isPython = type.kind === 'expression' || type.kind === 'container';
  return isPython && !isComplete(text) ? 'incomplete' : null;
}

function containerName(opening: string): 'list' | 'dict' | 'tuple' {
  if (opening === '[') return 'list';
  return opening === '{' ? 'dict' : 'tuple';
}
