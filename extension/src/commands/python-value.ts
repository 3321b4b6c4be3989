/** Pure: what was typed into an argument form, as Python literals. */
import type { ScannedParameter, ScannedProgram } from '../program-scan.ts';

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

/** What was typed as Python: numbers, lists, quoted text and the like stay, all else is text. */
export function pythonValue(typed: string, parameter: ScannedParameter): string {
  const text = typed.trim();
  const isText = parameter.annotation !== null && /^str\b/.test(parameter.annotation);
  const literal = /^(-?\d+(\.\d+)?|True|False|None|\[.*\]|\{.*\}|\(.*\)|"[^"]*"|'[^']*')$/s;
  if (text !== '' && literal.test(text) && !(isText && /^-?\d/.test(text))) return text;
  return JSON.stringify(typed);
}
