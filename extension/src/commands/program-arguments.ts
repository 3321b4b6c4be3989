/** The form of a program's arguments, shared by ▷ Run and Preview prompt; answers are remembered. */
import { l10n, window, type Memento } from 'vscode';
import type { ScannedParameter, ScannedProgram } from '../program-scan.ts';
import { argumentLiterals } from './python-value.ts';

/** Python literal by parameter, without those left at their default; nothing when the user cancels. */
export async function askArguments(
  memory: Memento,
  program: ScannedProgram,
): Promise<Readonly<Record<string, string>> | undefined> {
  const key = `arguments.${program.name}`;
  const remembered = memory.get<Record<string, string>>(key, {});
  const typed: Record<string, string> = {};
  for (const [index, parameter] of program.parameters.entries()) {
    const value = await window.showInputBox({
      title: l10n.t(
        '{0} (argument {1} of {2})',
        program.name,
        index + 1,
        program.parameters.length,
      ),
      prompt: describe(parameter),
      value: remembered[parameter.name] ?? parameter.defaultValue ?? '',
      ignoreFocusOut: true,
    });
    if (value === undefined) return undefined;
    typed[parameter.name] = value;
  }
  await memory.update(key, typed);
  return argumentLiterals(program, typed);
}

function describe(parameter: ScannedParameter): string {
  const type = parameter.annotation ? `: ${parameter.annotation}` : '';
  return l10n.t('{0}: text, or a Python value such as 5, [1, 2] or "text"', parameter.name + type);
}
