/** Every diagnostic rule: its code (also the name of its page), default severity and one line on it. */

export type Severity = 'error' | 'warning' | 'information' | 'hint' | 'off';

export interface Rule {
  readonly code: string;
  readonly severity: Severity;
  readonly summary: string;
}

const rows: readonly (readonly [code: string, severity: Severity, summary: string])[] = [
  ['unknown-variable', 'error', 'A variable is read that the program never makes.'],
  ['maybe-unset', 'warning', 'A variable is read that only some paths make.'],
  ['read-before-gen', 'error', 'A variable is read before it is generated.'],
  ['impossible-comparison', 'warning', 'A value is compared with text that it can never be.'],
  ['value-is-str', 'warning', 'A generated value, always a str, is used as a number.'],
  ['duplicate-name', 'warning', 'A generated value is overwritten before anything read it.'],
  ['ignored-argument', 'warning', 'An argument has no effect because of choices.'],
  ['empty-choices', 'warning', 'choices is empty or has an empty text.'],
  ['duplicate-choice', 'warning', 'A choice is listed twice.'],
  ['select-temperature', 'error', 'choices with a temperature above 0 fail.'],
  ['dtype-with-regex', 'warning', 'dtype and regex together: the regex is ignored.'],
  ['regex-with-json-schema', 'error', 'regex and json_schema together are refused.'],
  ['invalid-dtype', 'error', 'dtype is not int, float, bool or str.'],
  ['invalid-regex', 'error', 'The regular expression is not valid.'],
  [
    'unsupported-regex',
    'warning',
    'The regular expression uses what constrained decoding cannot do.',
  ],
  ['regex-exceeds-max-tokens', 'warning', 'The shortest match does not fit into max_tokens.'],
  ['invalid-json-schema', 'error', 'json_schema is not a valid schema in a JSON string.'],
  ['invalid-sampling-value', 'error', 'A sampling parameter is outside of its range.'],
  ['first-parameter', 'error', 'The first parameter of a program is not called s.'],
  [
    'shadowed-sampling-parameter',
    'warning',
    'A program parameter has the name of a sampling keyword of run.',
  ],
  ['nested-role', 'error', 'A role begins inside another role.'],
  ['unbalanced-role', 'warning', 'A role is begun and not ended, or ended and not begun.'],
  [
    'gen-outside-assistant',
    'warning',
    'A chat model is asked to generate outside an assistant message.',
  ],
  ['unsupported-on-backend', 'warning', 'The chosen backend cannot do this.'],
  ['call-arguments', 'error', 'A call has missing, unknown or too many arguments.'],
  ['invalid-append', 'error', 'Something that is neither text nor an expression is appended.'],
  ['not-appended', 'warning', 'An expression is built and appended to nothing.'],
  ['gen-in-fstring', 'error', 'An expression is formatted into text instead of appended.'],
  ['appended-twice', 'warning', 'A message is appended twice.'],
  ['invalid-join-mode', 'error', 'join is called with an unknown mode.'],
  [
    'traced-value-in-fstring',
    'warning',
    'An f-string swallows a value that is not known while tracing.',
  ],
  ['unknown-json-key', 'warning', 'A key is read that the JSON schema does not have.'],
  ['unused-gen', 'hint', 'A generated variable is never read.'],
  ['syntax-error', 'error', 'The code is not valid Python.'],
];

export const rules: ReadonlyMap<string, Rule> = new Map(
  rows.map(([code, severity, summary]) => [code, { code, severity, summary }]),
);

export type SeverityOverrides = Readonly<Record<string, Severity>>;

export function severityOf(code: string, overrides: SeverityOverrides): Severity {
  return overrides[code] ?? rules.get(code)?.severity ?? 'warning';
}
