/** Completion of variables in `state["|"]`, choices in comparisons, parameters and methods. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { describeShape, formatType, literalValues, type GenType } from '../semantics/gen-type.ts';
import type { Compare, Expression } from '../syntax/ast.ts';
import { walkBlock } from '../syntax/walk.ts';
import { callAt, covers, readAt, textSpan, unitAt } from './lookup.ts';
import { signatureOf } from './signatures.ts';

export interface CompletionItem {
  readonly label: string;
  readonly kind: 'variable' | 'value' | 'parameter' | 'key';
  readonly detail: string;
  readonly documentation: string;
  /** The text to insert replaces this range. */
  readonly start: number;
  readonly end: number;
  readonly insertText: string;
}

export function completions(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly CompletionItem[] {
  const unit = unitAt(analysis, uri);
  if (!unit) return [];
  return (
    variables(analysis, uri, offset) ??
    jsonKeys(analysis, uri, offset) ??
    choices(analysis, uri, offset) ??
    parameters(analysis, uri, offset, unit.text)
  );
}

function isInside(node: Expression, offset: number): boolean {
  const span = textSpan(node);
  return node.kind === 'Str' && covers(span, offset);
}

function variables(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly CompletionItem[] | null {
  const read = readAt(analysis, uri, offset);
  if (!read || !isInside(read.node, offset)) return null;
  const span = textSpan(read.node);
  return [...read.available()].map(([name, type]) => ({
    label: name,
    kind: 'variable' as const,
    detail: formatType(type),
    documentation: describeShape(type) ?? '',
    start: span.start,
    end: span.end,
    insertText: name,
  }));
}

function jsonKeys(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly CompletionItem[] | null {
  const read = analysis.facts.jsonReads.find(
    ({ unit, node }) => unit.uri === uri && covers(node, offset),
  );
  if (!read || !isInside(read.node, offset)) return null;
  const span = textSpan(read.node);
  return read.keys.map(({ name, type, description, source }) => ({
    label: name,
    kind: 'key' as const,
    detail: `${type === 'Any' ? '' : `${type}, `}${source ?? 'key of the JSON schema'}`,
    documentation: description,
    start: span.start,
    end: span.end,
    insertText: name,
  }));
}

/** `state["type"] == "|"`. */
function choices(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly CompletionItem[] | null {
  const unit = unitAt(analysis, uri);
  let found: { readonly values: readonly string[]; readonly node: Expression } | null = null;
  const check = (node: Compare) => {
    const other = node.operands.find((operand) => isInside(operand, offset));
    const types = node.operands
      .filter((operand) => operand !== other)
      .map((operand) => typeOf(analysis, operand));
    const values = types
      .map((type) => (type ? literalValues(type) : null))
      .find((list) => list !== null);
    if (other && values) found = { values, node: other };
  };
  walkBlock(unit?.tree.body ?? [], {
    expression: (node) => void (node.kind === 'Compare' && covers(node, offset) && check(node)),
  });
  return found === null ? null : choiceItems(found);
}

function choiceItems({
  values,
  node,
}: {
  readonly values: readonly string[];
  readonly node: Expression;
}): CompletionItem[] {
  const span = textSpan(node);
  return values.map((value) => ({
    label: value,
    kind: 'value',
    detail: 'one of the choices',
    documentation: '',
    start: span.start,
    end: span.end,
    insertText: value,
  }));
}

/** Type of a read, or of a name that was assigned from one. */
function typeOf(analysis: ModuleAnalysis, node: Expression): GenType | null {
  if (node.kind === 'Subscript') {
    return analysis.facts.reads.find((read) => read.node === node.index)?.type ?? null;
  }
  if (node.kind !== 'Name') return null;
  const binding = analysis.facts.bindings.findLast(
    (candidate) => candidate.node.id === node.id && candidate.value.kind === 'gen',
  );
  return binding?.value.kind === 'gen' ? binding.value.type : null;
}

function parameters(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  text: string,
): readonly CompletionItem[] {
  const call = callAt(analysis, uri, offset);
  const signature = call ? signatureOf(call.callee) : null;
  if (!call || !signature) return [];
  const start = wordStart(text, offset);
  if (!/[(,\s]/.test(text[start - 1] ?? '')) return [];
  const inText = call.node.args.some(
    ({ value, name }) =>
      (value.kind === 'Str' && value.start < offset && offset < value.end) ||
      (name !== null && offset > name.end && covers(value, offset)),
  );
  if (inText) return [];
  const given = new Set(
    call.node.args.map((argument) => (covers(argument, offset) ? null : argument.name?.id)),
  );
  const positional = call.node.args.filter(
    (argument) => !argument.name && argument.end < offset,
  ).length;
  return signature.parameters
    .filter(
      (parameter, i) => i >= positional && !given.has(parameter.name) && parameter.name !== '',
    )
    .map((parameter) => ({
      label: `${parameter.name}=`,
      kind: 'parameter' as const,
      detail: parameter.label,
      documentation: parameter.doc,
      start,
      end: offset,
      insertText: `${parameter.name}=`,
    }));
}

function wordStart(text: string, offset: number): number {
  let start = offset;
  while (start > 0 && /\w/.test(text[start - 1] ?? '')) start--;
  return start;
}
