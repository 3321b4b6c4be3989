/** The expressions of a program, as the interpreter executes them, and their parser. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { SourcePosition } from '../guest/bridge-protocol.ts';
import type { ChoicesMethod } from '../../protocol/output-payloads.ts';
import { ProgramError } from './program-error.ts';
import { reasoningName } from './reasoning.ts';

export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'role_begin'; readonly role: string }
  | { readonly kind: 'role_end'; readonly role: string }
  | GenExpression
  | SelectExpression
  | { readonly kind: 'image'; readonly path: string | null; readonly base64: string }
  | { readonly kind: 'video'; readonly path: string; readonly frames: number }
  | { readonly kind: 'scope_begin'; readonly name: string }
  | { readonly kind: 'scope_end'; readonly name: string }
  /** Computes the text so far, before forks share it. */
  | { readonly kind: 'commit' }
  | { readonly kind: 'bad'; readonly error: ProgramError };

export interface GenExpression {
  readonly kind: 'gen';
  readonly name: string | null;
  /** Only what the program set, under the names of SGLang's sampling parameters. */
  readonly sampling: JsonObject;
  /** The family of a reasoning model, whose reasoning becomes a variable of its own. */
  readonly reasoning: string | null;
  readonly at: SourcePosition | null;
}

export interface SelectExpression {
  readonly kind: 'select';
  readonly name: string | null;
  readonly choices: readonly string[];
  readonly temperature: number;
  readonly method: ChoicesMethod | OwnMethod;
  readonly at: SourcePosition | null;
}

/** A way to decide that the program brings along: Python calls it, and knows it by the ticket. */
export interface OwnMethod {
  readonly ticket: number;
  /** It asks for the log probabilities without the prompt, too. */
  readonly unconditional: boolean;
}

/** Parses the list of a `submit`. A malformed expression becomes one that fails when executed. */
export function parseExpressions(value: JsonValue | undefined): Expression[] {
  if (!Array.isArray(value)) return [malformed(value)];
  return value.map(parseExpression);
}

/** The variables that an expression will define. */
export function definedNames(expression: Expression): readonly (string | null)[] {
  if (expression.kind === 'scope_end') return [expression.name];
  if (expression.kind === 'select') return expression.name === null ? [] : [expression.name];
  if (expression.kind !== 'gen') return [];
  const { name, reasoning } = expression;
  return reasoning === null || name === null ? [name] : [name, reasoningName(name)];
}

function parseExpression(value: JsonValue): Expression {
  if (!isObject(value)) return malformed(value);
  const tag = string(value['t']);
  switch (tag) {
    case 'text':
      return { kind: 'text', text: string(value['v']) };
    case 'begin':
      return { kind: 'role_begin', role: string(value['role']) };
    case 'end':
      return { kind: 'role_end', role: string(value['role']) };
    case 'gen':
      return {
        kind: 'gen',
        name: nameOf(value),
        sampling: object(value['sampling']),
        reasoning: typeof value['reasoning'] === 'string' ? value['reasoning'] : null,
        at: position(value),
      };
    case 'select':
      return parseSelect(value);
    case 'image': {
      const path = value['path'];
      return {
        kind: 'image',
        path: typeof path === 'string' ? path : null,
        base64: string(value['base64']),
      };
    }
    case 'video': {
      const frames = value['frames'];
      return {
        kind: 'video',
        path: string(value['path']),
        frames: typeof frames === 'number' ? frames : 0,
      };
    }
    case 'scope_begin':
      return { kind: 'scope_begin', name: string(value['name']) };
    case 'scope_end':
      return { kind: 'scope_end', name: string(value['name']) };
    case 'commit':
      return { kind: 'commit' };
    case 'bad': {
      const error = object(value['error']);
      return {
        kind: 'bad',
        error: new ProgramError(string(error['type']), string(error['message'])),
      };
    }
    default:
      return malformed(value);
  }
}

function parseSelect(value: JsonObject): Expression {
  const choices = value['choices'];
  const method = methodOf(value);
  if (!Array.isArray(choices) || !choices.every((choice) => typeof choice === 'string')) {
    return bad('TypeError', 'The choices of a select must be a list of strings.');
  }
  if (method === null) {
    return bad('ValueError', `Unknown choices_method ${JSON.stringify(value['method'] ?? null)}.`);
  }
  const temperature = value['temperature'];
  return {
    kind: 'select',
    name: nameOf(value),
    choices,
    temperature: typeof temperature === 'number' ? temperature : 0,
    method,
    at: position(value),
  };
}

function methodOf(value: JsonObject): SelectExpression['method'] | null {
  const { method, ticket } = value;
  if (method === 'own') {
    const unconditional = value['unconditional'] === true;
    return { ticket: typeof ticket === 'number' ? ticket : 0, unconditional };
  }
  return method === 'token_length_normalized' ||
    method === 'greedy_token_selection' ||
    method === 'unconditional_likelihood_normalized'
    ? method
    : null;
}

function malformed(value: JsonValue | undefined): Expression {
  return bad(
    'TypeError',
    `This is not an expression: ${JSON.stringify(value ?? null).slice(0, 200)}`,
  );
}

function bad(type: string, message: string): Expression {
  return { kind: 'bad', error: new ProgramError(type, message) };
}

function nameOf(value: JsonObject): string | null {
  return typeof value['name'] === 'string' ? value['name'] : null;
}

function position(value: JsonObject): SourcePosition | null {
  const at = value['at'];
  if (!Array.isArray(at)) return null;
  const [file, line] = at;
  return typeof file === 'string' && typeof line === 'number' ? [file, line] : null;
}

function string(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function object(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
