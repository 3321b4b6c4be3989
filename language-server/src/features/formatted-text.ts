/** Replacement fields of f-strings, and code whose text is for people only. */
import type { SourceUnit } from '../semantics/source-unit.ts';
import type { Expression, Span, Str } from '../syntax/ast.ts';
import { lastName, walkBlock } from '../syntax/walk.ts';

export interface Field {
  readonly string: Str;
  readonly node: Expression;
}

interface FormattedText {
  readonly fields: readonly Field[];
  readonly shown: readonly Span[];
}

/** Cells stay the same while others are edited. */
const known = new WeakMap<SourceUnit['tree'], FormattedText>();

function formattedText({ tree }: SourceUnit): FormattedText {
  const found = known.get(tree);
  if (found) return found;
  const fields: Field[] = [];
  const shown: Span[] = [];
  walkBlock(tree.body, {
    statement: (node) => {
      if (node.kind === 'Raise') shown.push(node);
      if (node.kind === 'Assert' && node.message) shown.push(node.message);
    },
    expression: (node) => {
      if (node.kind === 'Call' && isReport(node.callee)) shown.push(node);
      if (node.kind !== 'Str') return;
      for (const part of node.parts)
        if (part.kind === 'field') fields.push({ string: node, node: part.value });
    },
  });
  const text = { fields, shown };
  known.set(tree, text);
  return text;
}

/** `print(...)`, `console.print(...)`, `log.debug(...)`, `logging.getLogger("x").info(...)`. */
function isReport(callee: Expression): boolean {
  const name = lastName(callee);
  if (printers.has(name)) return true;
  if (callee.kind !== 'Attribute' || !levels.has(name)) return false;
  const { object } = callee;
  return /log|warn/i.test(lastName(object.kind === 'Call' ? object.callee : object));
}

const printers: ReadonlySet<string> = new Set(['print', 'pprint', 'display', 'repr']);

const levels: ReadonlySet<string> = new Set([
  'trace',
  'debug',
  'info',
  'warn',
  'warning',
  'error',
  'exception',
  'critical',
  'log',
]);

const contains = (outer: Span, inner: Span): boolean =>
  outer.start <= inner.start && inner.end <= outer.end;

/** Is it printed, logged or the message of an error? No prompt comes of it. */
export function isOnlyShown(unit: SourceUnit, span: Span): boolean {
  return formattedText(unit).shown.some((outer) => contains(outer, span));
}

/** The innermost field around the expression. */
export function fieldAround(unit: SourceUnit, span: Span): Field | undefined {
  return formattedText(unit).fields.findLast(({ node }) => contains(node, span));
}
