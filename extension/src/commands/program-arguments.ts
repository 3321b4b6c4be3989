/**
 * The form of a program's arguments, shared by ▷ Run and Preview prompt: a step for each, made for its
 * type, with a way back; answers are remembered.
 */
import {
  l10n,
  QuickInputButtons,
  window,
  type InputBox,
  type Memento,
  type QuickPick,
  type QuickPickItem,
} from 'vscode';
import type { ScannedParameter, ScannedProgram } from '../program-scan.ts';
import { parameterKind } from './parameter-kind.ts';
import { argumentLiterals, valueProblem, type ValueProblem } from './python-value.ts';

/** How text of several lines is typed into one. */
const TWO_LINES = String.raw`"two\nlines"`;

const BACK = Symbol('back');
type Answer = string | typeof BACK | undefined;

interface Step {
  readonly title: string;
  readonly number: number;
  readonly total: number;
  readonly parameter: ScannedParameter;
  /** What stands there at first: the last answer, or the default. */
  readonly value: string;
}

/** Python literal by parameter, without those left at their default; nothing when the user cancels. */
export async function askArguments(
  memory: Memento,
  program: ScannedProgram,
): Promise<Readonly<Record<string, string>> | undefined> {
  const key = `arguments.${program.name}`;
  const remembered = memory.get<Record<string, string>>(key, {});
  const typed: Record<string, string> = {};
  const { parameters } = program;
  for (let index = 0; index < parameters.length;) {
    const parameter = parameters[index];
    if (parameter === undefined) break;
    const { name } = parameter;
    const answer = await ask({
      title: program.name,
      number: index + 1,
      total: parameters.length,
      parameter,
      value: typed[name] ?? remembered[name] ?? parameter.defaultValue ?? '',
    });
    if (answer === undefined) return undefined;
    if (answer === BACK) index -= 1;
    else {
      typed[name] = answer;
      index += 1;
    }
  }
  await memory.update(key, typed);
  return argumentLiterals(program, typed);
}

function ask(step: Step): Promise<Answer> {
  const { type, isOptional } = parameterKind(step.parameter);
  if (type.kind !== 'choice') return askText(step);
  const literals = isOptional ? [...type.literals, 'None'] : type.literals;
  return askChoice(step, [...new Set(literals)]);
}

function askChoice(step: Step, literals: readonly string[]): Promise<Answer> {
  const { defaultValue } = step.parameter;
  const pick = window.createQuickPick();
  pick.placeholder = signature(step.parameter);
  // A default that is none of the literals is an expression of the program's own.
  const all =
    defaultValue === null || literals.includes(defaultValue)
      ? literals
      : [...literals, defaultValue];
  pick.items = all.map((label) => ({
    label,
    ...(label === defaultValue ? { description: l10n.t('default') } : {}),
  }));
  pick.activeItems = pick.items.filter(({ label }) => label === step.value);
  return shown(pick, step, () => pick.activeItems[0]?.label);
}

function askText(step: Step): Promise<Answer> {
  const input = window.createInputBox();
  input.prompt = `${signature(step.parameter)} — ${hint(step.parameter)}`;
  input.value = step.value;
  input.valueSelection = [0, step.value.length];
  const validate = (): boolean => {
    const problem = valueProblem(input.value, step.parameter);
    input.validationMessage = problem === null ? undefined : problemText(problem);
    return problem === null;
  };
  // What is not typed yet is no mistake: complaints come with the first change, or with Enter.
  input.onDidChangeValue(validate);
  return shown(input, step, () => (validate() ? input.value : undefined));
}

/** `answer` is asked for when the user presses Enter; nothing keeps the input open. */
function shown(
  input: InputBox | QuickPick<QuickPickItem>,
  { title, number, total }: Step,
  answer: () => string | undefined,
): Promise<Answer> {
  input.title = title;
  input.step = number;
  input.totalSteps = total;
  input.ignoreFocusOut = true;
  if (number > 1) input.buttons = [QuickInputButtons.Back];
  return new Promise((resolve) => {
    const finish = (value: Answer): void => {
      resolve(value);
      input.dispose();
    };
    input.onDidAccept(() => {
      const value = answer();
      if (value !== undefined) finish(value);
    });
    input.onDidTriggerButton(() => finish(BACK));
    input.onDidHide(() => finish(undefined));
    input.show();
  });
}

/** As it stands in the program: `count: int = 3`. */
function signature({ name, annotation, defaultValue }: ScannedParameter): string {
  const type = annotation === null ? '' : `: ${annotation}`;
  return `${name}${type}${defaultValue === null ? '' : ` = ${defaultValue}`}`;
}

function hint(parameter: ScannedParameter): string {
  const { type, isOptional } = parameterKind(parameter);
  switch (type.kind) {
    case 'int':
      return optional(l10n.t('a whole number such as 5'), isOptional);
    case 'float':
      return optional(l10n.t('a number such as 0.5'), isOptional);
    case 'container':
      return optional(l10n.t('a Python value such as {0}', example(type.opening)), isOptional);
    case 'expression':
      return optional(l10n.t('a Python expression'), isOptional);
    case 'text':
      return isOptional
        ? l10n.t('text, or None; line breaks as in {0}', TWO_LINES)
        : l10n.t('text; line breaks as in {0}', TWO_LINES);
    case 'unknown':
    case 'choice':
      return l10n.t('text, or a Python value such as 5, [1, 2] or "text"');
    default:
      return type satisfies never;
  }
}

function optional(words: string, isOptional: boolean): string {
  return isOptional ? l10n.t('{0}; empty for None', words) : words;
}

function example(opening: string): string {
  if (opening === '[') return '["a", "b"]';
  return opening === '{' ? '{"a": 1}' : '(1, 2)';
}

function problemText(problem: ValueProblem): string {
  switch (problem) {
    case 'int':
      return l10n.t('Type a whole number such as 5.');
    case 'float':
      return l10n.t('Type a number such as 0.5.');
    case 'list':
      return l10n.t('Type a Python list such as {0}.', example('['));
    case 'dict':
      return l10n.t('Type a Python dictionary such as {0}.', example('{'));
    case 'tuple':
      return l10n.t('Type a Python tuple such as {0}.', example('('));
    case 'incomplete':
      return l10n.t('A bracket or a quote is not closed.');
    case 'empty':
      return l10n.t('Type a Python expression.');
    default:
      return problem satisfies never;
  }
}
