/** Which argument fills which parameter, and what is wrong with the call. */
import type { ApiParameter } from './sglang-api.ts';
import { closest } from './edit-distance.ts';
import type { ArgumentValue, CallArguments, Machine } from './machine.ts';

export type BoundArguments = ReadonlyMap<string, ArgumentValue>;

export function bindArguments(
  machine: Machine,
  what: string,
  parameters: readonly ApiParameter[],
  args: CallArguments,
  later: readonly ApiParameter[] = [],
): BoundArguments {
  const bound = new Map<string, ArgumentValue>();
  args.positional.forEach((argument, i) => {
    const parameter = parameters[i];
    if (parameter) bound.set(parameter.name, argument);
    else if (!args.hasUnpacking) {
      machine.report(
        'call-arguments',
        argument.span,
        `\`${what}\` takes at most ${parameters.length} positional arguments.`,
      );
    }
  });
  for (const [name, argument] of args.keywords) {
    if (bound.has(name)) reportTwice(machine, what, name, argument);
    if (parameters.some((parameter) => parameter.name === name)) bound.set(name, argument);
    else if (!later.some((parameter) => parameter.name === name)) {
      reportUnknownKeyword(
        machine,
        what,
        name,
        argument,
        parameters.map((parameter) => parameter.name),
      );
    }
  }
  return bound;
}

export function reportTwice(
  machine: Machine,
  what: string,
  name: string,
  argument: ArgumentValue,
): void {
  machine.report('call-arguments', argument.span, `\`${what}\` got two values for \`${name}\`.`);
}

export function reportUnknownKeyword(
  machine: Machine,
  what: string,
  name: string,
  argument: ArgumentValue,
  known: readonly string[],
): void {
  const meant = closest(name, known);
  const hint = meant === null ? '' : ` Did you mean \`${meant}\`?`;
  const span = argument.keyword ?? argument.span;
  const fixes =
    meant === null
      ? []
      : [
          {
            title: `Change to '${meant}'`,
            edits: [{ start: span.start, end: span.end, text: meant }],
          },
        ];
  machine.report('call-arguments', span, `\`${what}\` has no parameter \`${name}\`.${hint}`, fixes);
}
