/** What may be appended to a state, wrapped in a role or added to an expression: text and expressions. */
import type { Expression, Str } from '../syntax/ast.ts';
import type { Fix } from './facts.ts';
import { surround } from './fixes.ts';
import { formatType, membersOf } from './gen-type.ts';
import type { Machine } from './machine.ts';
import type { Value } from './value.ts';

/** An expression for certain, not what an unknown function may have returned. */
export function buildsExpression(value: Value): boolean {
  return value.kind === 'expression' && value.events.some((event) => event.kind !== 'opaque');
}

/** SGLang asserts that the value is text or an expression. `doing`: "appended to a state". */
export function checkAppendable(
  machine: Machine,
  node: Expression,
  value: Value,
  doing: string,
): void {
  const found = unfit(value);
  if (found === null) return;
  machine.report(
    'invalid-append',
    node,
    `Only text and SGLang expressions can be ${doing}${found}.`,
    fixesFor(machine, node, value),
  );
}

/** What the value is instead, as the end of a sentence; `null` if it can be text. */
function unfit(value: Value): string | null {
  if (value.kind === 'number' || value.kind === 'bool' || value.kind === 'dict') return '';
  if (value.kind === 'list') return ', not a list';
  if (value.kind === 'instance')
    return ['int', 'float', 'bool', 'dict', 'bytes'].includes(value.type) ? '' : null;
  if (value.kind === 'state') return ', not a state: read one of its variables';
  if (value.kind === 'gen' && membersOf(value.type).every(({ kind }) => kind === 'list'))
    return `, not a \`${formatType(value.type)}\`, which this is after \`join\``;
  return null;
}

function fixesFor(machine: Machine, node: Expression, value: Value): readonly Fix[] {
  if (value.kind === 'state') return [];
  if (value.kind === 'gen') return [surround(node, '"\\n".join(', ')', "Join with '\\n'")];
  const parts = node.kind === 'List' || node.kind === 'Tuple' ? node.elements : [];
  const isOfExpressions = value.kind === 'list' && (value.items ?? []).some(buildsExpression);
  if (!isOfExpressions) return [surround(node, 'str(', ')', 'Wrap in str(...)')];
  if (parts.some(({ kind }) => kind === 'Starred')) return [];
  const sum = parts.map((part) => machine.unit.text.slice(part.start, part.end)).join(' + ');
  return [
    { title: "Add the parts with '+'", edits: [{ start: node.start, end: node.end, text: sum }] },
  ];
}

const formatted =
  'Formatting turns this expression into its description, and nothing is generated: add it with `+`.';

/** `f"The answer is {gen("a")}"` generates nothing. */
export function checkField(machine: Machine, string: Str, node: Expression, value: Value): void {
  if (!buildsExpression(value)) return;
  machine.report('gen-in-fstring', node, formatted, fieldOutside(machine.unit.text, string, node));
}

/** `"The answer is %s" % gen("a")` and `"…".format(gen("a"))` are no better. */
export function checkFormatted(machine: Machine, node: Expression, value: Value): void {
  if (buildsExpression(value)) machine.report('gen-in-fstring', node, formatted);
}

/** Takes a field out of an f-string: ends the string before it and goes on behind it. */
export function fieldOutside(text: string, string: Str, node: Expression): readonly Fix[] {
  const piece = string.pieces.find(
    ({ contentStart, contentEnd }) => contentStart <= node.start && node.end <= contentEnd,
  );
  if (!piece) return [];
  const open = /\{\s*$/.exec(text.slice(piece.contentStart, node.start));
  const close = /^\s*\}/.exec(text.slice(node.end, piece.contentEnd));
  if (!open || !close) return [];
  const [first, last] = [piece.contentStart + open.index, node.end + close[0].length];
  const quote = text.slice(piece.contentEnd, piece.end);
  const isFirst = first === piece.contentStart;
  const isLast = last === piece.contentEnd;
  // Strings side by side are one: what stands between them now has to be added.
  const begins = piece === string.pieces[0];
  const ends = piece === string.pieces.at(-1);
  const before = isFirst ? (begins ? '' : '+ ') : `${quote} + `;
  const after = isLast ? (ends ? '' : ' +') : ` + ${text.slice(piece.start, piece.contentStart)}`;
  const edit = {
    start: isFirst ? piece.start : first,
    end: isLast ? piece.end : last,
    text: `${before}${text.slice(node.start, node.end)}${after}`,
  };
  return [{ title: "Add it with '+'", edits: [edit] }];
}

/** `gen("a")` as a statement: the expression is built and forgotten. */
export function checkStatement(
  machine: Machine,
  node: Expression,
  value: Value,
  isApi: (callee: Expression) => boolean,
): void {
  const { programNode, owner, program } = machine.frame;
  if (program === null || !buildsExpression(value)) return;
  if (!summands(node).some((part) => part.kind === 'Call' && isApi(part.callee))) return;
  const state = owner === programNode ? programNode?.parameters[0]?.name?.id : undefined;
  const fixes =
    state === undefined
      ? []
      : [
          {
            title: `Append to ${state}`,
            edits: [{ start: node.start, end: node.start, text: `${state} += ` }],
          },
        ];
  machine.report(
    'not-appended',
    node,
    'This expression is not appended to a state: it has no effect.',
    fixes,
  );
}

function summands(node: Expression): readonly Expression[] {
  return node.kind === 'Binary' && node.operator === '+'
    ? [...summands(node.left), ...summands(node.right)]
    : [node];
}
