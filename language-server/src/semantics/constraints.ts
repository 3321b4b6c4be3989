/** Checks of what a gen is constrained to: `choices`, `dtype`, `regex`, `json_schema`. */
import type { Expression } from '../syntax/ast.ts';
import type { BoundArguments } from './argument-binding.ts';
import type { TextEdit } from './facts.ts';
import { surround } from './fixes.ts';
import { literalType, strType, type DtypeName, type GenType } from './gen-type.ts';
import { parseSchema } from './json-schema.ts';
import type { ArgumentValue, CallArguments, Machine } from './machine.ts';
import { checkRegex } from './python-regex.ts';
import { dtypeNames } from './sglang-api.ts';
import { constantText, type Value } from './value.ts';

/** Text per token of constrained output at the very best; real models need more tokens. */
const charactersPerToken = 5;

const dtypes: ReadonlySet<string> = new Set(dtypeNames);

/** Strings of a list that is completely known. */
export function constantTexts(value: Value | undefined): readonly string[] | null {
  if (value?.kind !== 'list' || !value.items) return null;
  const texts = value.items.map(constantText);
  return texts.every((item) => item !== null) ? texts : null;
}

/** Removes an argument together with its comma. */
export function removeArgument(
  text: string,
  args: CallArguments,
  argument: ArgumentValue,
): TextEdit {
  const all = [...args.positional, ...args.keywords.values()].sort(
    (a, b) => a.span.start - b.span.start,
  );
  const at = all.indexOf(argument);
  const next = all[at + 1];
  const previous = all[at - 1];
  if (next) return { start: argument.span.start, end: next.span.start, text: '' };
  if (previous) return { start: previous.span.end, end: argument.span.end, text: '' };
  const comma = /^\s*,/.exec(text.slice(argument.span.end))?.[0].length ?? 0;
  return { start: argument.span.start, end: argument.span.end + comma, text: '' };
}

function removal(machine: Machine, args: CallArguments, argument: ArgumentValue, name: string) {
  return [
    { title: `Remove '${name}'`, edits: [removeArgument(machine.unit.text, args, argument)] },
  ];
}

/** Type of a gen or select, after checking its arguments. */
export function constrainedType(
  machine: Machine,
  api: string,
  args: CallArguments,
  bound: BoundArguments,
): GenType {
  const choices = bound.get('choices');
  const isEmptyList = choices?.value.kind === 'list' && choices.value.items?.length === 0;
  if (choices && (choices.value.kind === 'text' || choices.value.kind === 'dict'))
    reportNoList(machine, choices);
  if (choices && isEmptyList) {
    machine.report(
      'empty-choices',
      choices.span,
      'No choices: this is an ordinary gen without a constraint.',
    );
  } else if (choices && choices.value.kind !== 'none') {
    return choiceType(machine, api, args, bound, choices);
  }
  if (api === 'gen_int') return { kind: 'dtype', dtype: 'int' };
  if (api === 'gen_string') return { kind: 'dtype', dtype: 'str' };
  return freeType(machine, args, bound);
}

function reportNoList(machine: Machine, { node, value }: ArgumentValue): void {
  const [before, after] = value.kind === 'text' ? (['[', ']'] as const) : (['list(', ')'] as const);
  machine.report(
    'call-arguments',
    node,
    value.kind === 'text'
      ? '`choices` takes a list: of a text each character is a choice.'
      : '`choices` takes a list.',
    [surround(node, before, after, 'Make it a list')],
  );
}

const keptByChoices: ReadonlySet<string> = new Set([
  'name',
  'choices',
  'temperature',
  'choices_method',
]);

function choiceType(
  machine: Machine,
  api: string,
  args: CallArguments,
  bound: BoundArguments,
  choices: ArgumentValue,
): GenType {
  if (api === 'gen') {
    for (const [name, argument] of bound) {
      if (keptByChoices.has(name) || argument.value.kind === 'none') continue;
      machine.report(
        'ignored-argument',
        argument.span,
        `\`${name}\` is ignored because of \`choices\`.`,
        removal(machine, args, argument, name),
      );
    }
  }
  const temperature = bound.get('temperature');
  if (temperature?.value.kind === 'number' && temperature.value.value > 1e-5) {
    machine.report(
      'select-temperature',
      temperature.span,
      'Choices are scored, not sampled: a temperature above 0 fails when this runs.',
      removal(machine, args, temperature, 'temperature'),
    );
  }
  const texts = constantTexts(choices.value);
  if (texts) {
    reportChoiceProblems(machine, choices, texts);
    return literalType(texts);
  }
  return strType;
}

function reportChoiceProblems(
  machine: Machine,
  choices: ArgumentValue,
  texts: readonly string[],
): void {
  const duplicate = texts.find((item, i) => texts.indexOf(item) !== i);
  if (duplicate !== undefined) {
    machine.report(
      'duplicate-choice',
      choices.node,
      `The choice ${JSON.stringify(duplicate)} is listed twice.`,
      withoutElement(machine, choices.node, texts.lastIndexOf(duplicate)),
    );
  }
  if (texts.includes('')) {
    machine.report(
      'empty-choices',
      choices.node,
      'An empty choice has no tokens to score and fails when this runs.',
      withoutElement(machine, choices.node, texts.indexOf('')),
    );
  }
}

/** Takes an element out of a list that is written there. */
function withoutElement(machine: Machine, node: Expression, at: number) {
  const elements = node.kind === 'List' || node.kind === 'Tuple' ? node.elements : [];
  const element = elements[at];
  if (!element || elements.some(({ kind }) => kind === 'Starred')) return [];
  const [before, after] = [elements[at - 1], elements[at + 1]];
  const start = before ? before.end : element.start;
  const end = !before && after ? after.start : element.end;
  const shown = machine.unit.text.slice(element.start, element.end);
  return [{ title: `Remove ${shown}`, edits: [{ start, end, text: '' }] }];
}

function freeType(machine: Machine, args: CallArguments, bound: BoundArguments): GenType {
  const dtype = bound.get('dtype');
  const regex = bound.get('regex');
  const schema = bound.get('json_schema');
  const has = (argument: ArgumentValue | undefined) =>
    argument !== undefined && argument.value.kind !== 'none';
  if (dtype && regex && has(dtype) && has(regex)) {
    machine.report(
      'dtype-with-regex',
      regex.span,
      '`dtype` has its own pattern: this `regex` is ignored.',
      removal(machine, args, regex, 'regex'),
    );
  }
  if (regex && schema && has(regex) && has(schema)) {
    machine.report(
      'regex-with-json-schema',
      schema.span,
      'A gen takes `regex` or `json_schema`, not both: the server refuses the request.',
      removal(machine, args, regex, 'regex'),
    );
  }
  const regexType = regex && has(regex) ? checkRegexArgument(machine, regex, bound) : null;
  const schemaType = schema && has(schema) ? checkSchemaArgument(machine, schema) : null;
  const dtypeType = dtype && has(dtype) ? checkDtype(machine, dtype) : null;
  return dtypeType ?? regexType ?? schemaType ?? strType;
}

function checkDtype(machine: Machine, dtype: ArgumentValue): GenType | null {
  const name = dtype.value.kind === 'builtin' ? dtype.value.name : constantText(dtype.value);
  const known = (['int', 'float', 'bool', 'str'] as const).find((candidate) => candidate === name);
  if (known) return { kind: 'dtype', dtype: known satisfies DtypeName };
  if (name !== null && !dtypes.has(name)) {
    machine.report(
      'invalid-dtype',
      dtype.node,
      `\`dtype\` must be int, float, bool or str, not ${name}.`,
    );
  }
  return strType;
}

function checkRegexArgument(
  machine: Machine,
  regex: ArgumentValue,
  bound: BoundArguments,
): GenType {
  const pattern = constantText(regex.value);
  if (pattern === null) return strType;
  if (pattern === '') {
    machine.report(
      'invalid-regex',
      regex.node,
      'An empty pattern allows no text at all; older servers hang on it.',
    );
    return strType;
  }
  const { problem, minimumLength } = checkRegex(pattern);
  if (problem) {
    const span = spanInText(machine.unit.text, regex.node, problem.position);
    if (problem.type === 'invalid') {
      machine.report(
        'invalid-regex',
        span,
        `Invalid regular expression: ${problem.message} at position ${problem.position}.`,
      );
    } else {
      machine.report(
        'unsupported-regex',
        span,
        `In constrained decoding ${problem.message} (position ${problem.position}).`,
      );
    }
  }
  reportTooLong(machine, regex, bound, minimumLength);
  return { kind: 'regex', pattern };
}

function reportTooLong(
  machine: Machine,
  regex: ArgumentValue,
  bound: BoundArguments,
  minimumLength: number,
): void {
  const limit = bound.get('max_tokens');
  const tokens = limit ? (limit.value.kind === 'number' ? limit.value.value : null) : 128;
  const needed = Math.ceil(minimumLength / charactersPerToken);
  if (tokens === null || needed <= tokens) return;
  const message = `The shortest match has ${minimumLength} characters, about ${needed} tokens or more; ${tokens} tokens cannot finish it.`;
  const suggestion = String(Math.ceil(minimumLength / 2));
  const fixes = limit
    ? [{ title: `Set max_tokens to ${suggestion}`, edits: [{ ...limit.node, text: suggestion }] }]
    : [
        {
          title: `Add max_tokens=${suggestion}`,
          edits: [
            { start: regex.span.end, end: regex.span.end, text: `, max_tokens=${suggestion}` },
          ],
        },
      ];
  const edits = fixes.map((fix) => ({
    title: fix.title,
    edits: fix.edits.map(({ start, end, text }) => ({ start, end, text })),
  }));
  machine.report('regex-exceeds-max-tokens', limit ? limit.span : regex.span, message, edits);
}

/**
 * The place of a character of a string's value in its source, when the string is one raw or
 * escape-free literal; the whole expression otherwise.
 */
function spanInText(
  text: string,
  node: Expression,
  position: number,
): { start: number; end: number } {
  const whole = { start: node.start, end: node.end };
  const piece = node.kind === 'Str' && node.pieces.length === 1 ? node.pieces[0] : undefined;
  if (!piece) return whole;
  const raw = /r/i.test(piece.prefix);
  if (!raw && text.slice(piece.contentStart, piece.contentEnd).includes('\\')) return whole;
  const start = Math.min(piece.contentStart + position, piece.contentEnd);
  return { start, end: Math.max(start, Math.min(start + 1, piece.contentEnd)) };
}

function checkSchemaArgument(machine: Machine, schema: ArgumentValue): GenType {
  if (schema.value.kind === 'dict') {
    machine.report(
      'invalid-json-schema',
      schema.node,
      '`json_schema` takes the schema as a JSON string: use `json.dumps(...)`.',
      [surround(schema.node, 'json.dumps(', ')', 'Wrap in json.dumps(...)')],
    );
    return strType;
  }
  if (schema.value.kind === 'object' && !schema.value.isInstance) {
    machine.report(
      'invalid-json-schema',
      schema.node,
      '`json_schema` takes the schema as a JSON string, not the class.',
      [
        surround(
          schema.node,
          'json.dumps(',
          '.model_json_schema())',
          'Use json.dumps(….model_json_schema())',
        ),
      ],
    );
    return strType;
  }
  const source = constantText(schema.value);
  if (source === null) return strType;
  const result = parseSchema(source);
  if (result.ok) return { kind: 'json', schema: result.schema };
  const { message, offset } = result.problem;
  const span = offset === null ? schema.node : spanInText(machine.unit.text, schema.node, offset);
  machine.report('invalid-json-schema', span, `Invalid JSON schema: ${message}.`);
  return strType;
}
