/** Completion of variables in `state["|"]`, choices in comparisons, parameters and methods. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { describeShape, formatType, literalValues, type GenType } from '../semantics/gen-type.ts';
import { qualifierOf } from '../semantics/fixes.ts';
import { choicesMethods, dtypeNames, joinModes, reasoningModels } from '../semantics/sglang-api.ts';
import type { Expression, Pattern } from '../syntax/ast.ts';
import { walkBlock } from '../syntax/walk.ts';
import { batchRows, callAt, covers, readAt, textSpan, unitAt } from './lookup.ts';
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
    batchKeys(analysis, uri, offset) ??
    argumentValues(analysis, uri, offset, unit.text) ??
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
    // Of a name with a hole only the beginning is certain.
    insertText: name.split('{…}')[0] ?? name,
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

/** `state["type"] == "|"`, `state["type"] in ["|"]` and `match state["type"]: case "|":`. */
function choices(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly CompletionItem[] | null {
  const unit = unitAt(analysis, uri);
  let found: { readonly values: readonly string[]; readonly node: Expression } | null = null;
  const check = (subjects: readonly Expression[], texts: readonly Expression[]) => {
    const node = texts.find((text) => isInside(text, offset));
    if (!node) return;
    const values = subjects
      .filter((subject) => subject !== node)
      .map((subject) => typeOf(analysis, subject))
      .map((type) => (type ? literalValues(type) : null))
      .find((list) => list !== null);
    if (values) found = { values, node };
  };
  walkBlock(unit?.tree.body ?? [], {
    expression: (node) => {
      if (node.kind === 'Compare' && covers(node, offset))
        check(node.operands, node.operands.flatMap(elementsOf));
    },
    statement: (node) => {
      if (node.kind === 'Match' && covers(node, offset))
        check(
          [node.subject],
          node.cases.flatMap(({ pattern }) => patternValues(pattern)),
        );
    },
  });
  return found === null ? null : choiceItems(found);
}

function elementsOf(node: Expression): readonly Expression[] {
  const isDisplay = node.kind === 'List' || node.kind === 'Tuple' || node.kind === 'Set';
  return isDisplay ? node.elements : [node];
}

function patternValues(pattern: Pattern): readonly Expression[] {
  if (pattern.kind === 'OrPattern') return pattern.children.flatMap(patternValues);
  if (pattern.kind === 'AsPattern') return patternValues(pattern.pattern);
  return pattern.kind === 'ValuePattern' ? [pattern.value] : [];
}

/** `program.run_batch([{"|": …}])`. */
function batchKeys(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly CompletionItem[] | null {
  for (const { unit, node, callee } of analysis.facts.calls) {
    if (unit.uri !== uri || !covers(node, offset)) continue;
    if (callee.kind !== 'method' || !callee.name.startsWith('run_batch')) continue;
    if (callee.object.kind !== 'program') continue;
    const row = batchRows(node).find((item) => covers(item, offset));
    const keys = row ? keysOf(row) : [];
    const key = keys.find((candidate) => isInside(candidate, offset));
    if (!key) continue;
    const given = new Set(keys.map((other) => (other.kind === 'Str' ? other.value : null)));
    const span = textSpan(key);
    return (signatureOf({ ...callee, name: 'bind' })?.parameters ?? [])
      .filter(({ name }) => !given.has(name))
      .map(({ name, label }) => ({
        label: name,
        kind: 'key' as const,
        detail: label,
        documentation: '',
        start: span.start,
        end: span.end,
        insertText: name,
      }));
  }
  return null;
}

/** Keys of a dict, and what is a set while its first key is typed. */
function keysOf(row: Expression): readonly Expression[] {
  if (row.kind === 'Set') return row.elements;
  return row.kind === 'Dict' ? row.entries.flatMap(({ key }) => key ?? []) : [];
}

interface KnownValues {
  readonly values: readonly string[];
  /** Texts, types of Python, or names that SGLang exports. */
  readonly kind: 'text' | 'type' | 'api';
}

/** What parameters take, by function and name. */
const knownValues: ReadonlyMap<string, KnownValues> = new Map([
  ['gen.dtype', { values: dtypeNames, kind: 'type' }],
  ['gen.choices_method', { values: choicesMethods, kind: 'api' }],
  ['select.choices_method', { values: choicesMethods, kind: 'api' }],
  ['join.mode', { values: joinModes, kind: 'text' }],
  ['separate_reasoning.model_type', { values: reasoningModels, kind: 'text' }],
]);

function argumentValues(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  text: string,
): readonly CompletionItem[] | null {
  const call = callAt(analysis, uri, offset);
  if (!call) return null;
  const { callee, node } = call;
  const api = callee.kind === 'api' || callee.kind === 'method' ? callee.name : '';
  const at = node.args.findIndex((argument) => covers(argument, offset));
  const argument = node.args[at];
  const name = argument?.name?.id ?? (api === 'join' && at <= 0 ? 'mode' : '');
  const known = knownValues.get(`${api}.${name}`);
  if (!known || (argument?.name && offset <= argument.name.end)) return null;
  const value = argument?.value;
  const quoted = value !== undefined && isInside(value, offset) ? textSpan(value) : null;
  if (quoted && known.kind !== 'text') return [];
  const { start, end } = quoted ?? { start: wordStart(text, offset), end: offset };
  const prefix = known.kind === 'api' ? qualifierOf(node.callee, text) : '';
  return known.values.map((item) => {
    const label = known.kind === 'text' && !quoted ? `"${item}"` : item;
    return {
      label,
      kind: 'value' as const,
      detail: `a value of ${name}`,
      documentation: '',
      start,
      end,
      insertText: `${prefix}${label}`,
    };
  });
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
