/** Pure: a program's call as Python text, from the values that a language model passes. */
import { pythonLiteral } from '../../notebook-format/python-literal.ts';
import type { JsonObject } from '../../protocol/kernel-protocol.ts';
import type { ScannedProgram } from '../program-scan.ts';
import { ToolError } from './tool-input.ts';

const IDENTIFIER = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;

/** Names become code as they are: only what Python can read as a name gets there. */
export function programCall({ name, parameters }: ScannedProgram, given: JsonObject): string {
  const known = parameters.map((parameter) => parameter.name);
  const words = Object.keys(given).filter((key) => !IDENTIFIER.test(key));
  if (words.length > 0) throw new ToolError(`No parameter names: ${words.join(', ')}`);
  const missing = parameters.filter(
    (parameter) => parameter.defaultValue === null && !Object.hasOwn(given, parameter.name),
  );
  if (missing.length > 0) {
    throw new ToolError(
      `"arguments" lacks ${missing.map((parameter) => parameter.name).join(', ')}. ` +
        `The parameters of ${name}: ${known.join(', ')}`,
    );
  }
  const texts = Object.entries(given).map(([key, value]) => `${key}=${pythonLiteral(value)}`);
  return `state = ${name}.run(${texts.join(', ')})\nstate`;
}
