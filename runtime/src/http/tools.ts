import { isJsonObject, kindOf } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** A function that the model may call. */
export interface Tool {
  readonly name: string;
  readonly parameters: JsonObject;
  /** As the client sent it; chat templates print it. */
  readonly source: JsonObject;
}

export type ToolChoice =
  | { readonly kind: 'auto' }
  | { readonly kind: 'required' }
  | { readonly kind: 'named'; readonly name: string };

export interface ToolUse {
  readonly tools: readonly Tool[];
  readonly choice: ToolChoice;
  /** Several calls in one answer. */
  readonly parallel: boolean;
}

/** `tools`, `tool_choice` and `parallel_tool_calls` of a chat request; null when none may be called. */
export function readToolUse(body: JsonObject, fail: (message: string) => Error): ToolUse | null {
  const tools = readTools(body['tools'] ?? null, fail);
  const choice = readChoice(body['tool_choice'] ?? null, tools, fail);
  if (choice === null || tools.length === 0) return null;
  const parallel = body['parallel_tool_calls'] ?? true;
  if (typeof parallel !== 'boolean') {
    throw fail(`parallel_tool_calls must be true or false, not ${kindOf(parallel)}`);
  }
  return { tools, choice, parallel };
}

function readTools(value: unknown, fail: (message: string) => Error): Tool[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw fail(`tools must be a list, not ${kindOf(value)}`);
  return value.map((tool: unknown, index) => {
    const definition = isJsonObject(tool) && tool['type'] === 'function' ? tool['function'] : null;
    if (
      !isJsonObject(tool) ||
      !isJsonObject(definition) ||
      typeof definition['name'] !== 'string'
    ) {
      throw fail(`tools[${index}] must be {"type": "function", "function": {"name": …}}`);
    }
    const parameters = definition['parameters'] ?? { type: 'object', properties: {} };
    if (!isJsonObject(parameters)) {
      throw fail(`tools[${index}].function.parameters must be a JSON schema, an object`);
    }
    return { name: definition['name'], parameters, source: tool };
  });
}

function readChoice(
  value: unknown,
  tools: readonly Tool[],
  fail: (message: string) => Error,
): ToolChoice | null {
  if (value === 'none') return null;
  if (value === null || value === 'auto') return { kind: 'auto' };
  if (value === 'required') {
    if (tools.length === 0) throw fail('tool_choice "required" needs tools');
    return { kind: 'required' };
  }
  const definition = isJsonObject(value) ? value['function'] : null;
  const name = isJsonObject(definition) ? definition['name'] : null;
  if (typeof name !== 'string') {
    throw fail(
      'tool_choice must be "none", "auto", "required" or {"type": "function", "function": {"name": …}}',
    );
  }
  if (!tools.some((tool) => tool.name === name)) {
    throw fail(`tool_choice names the tool ${name}, which is not among the tools`);
  }
  return { kind: 'named', name };
}

/**
 * What the answer must be when a call is required: a list of `{"name", "parameters"}`, as in SGLang.
 * Null when the model is free to answer in words.
 */
export function toolSchema({ tools, choice, parallel }: ToolUse): JsonObject | null {
  if (choice.kind === 'auto') return null;
  const callable =
    choice.kind === 'named' ? tools.filter(({ name }) => name === choice.name) : tools;
  const calls = callable.map(({ name, parameters }) => ({
    type: 'object',
    properties: { name: { const: name }, parameters: withoutDefinitions(parameters) },
    required: ['name', 'parameters'],
    additionalProperties: false,
  }));
  const most = choice.kind === 'named' || !parallel ? { maxItems: 1 } : {};
  return {
    type: 'array',
    minItems: 1,
    ...most,
    items: calls.length === 1 ? calls[0] : { anyOf: calls },
    ...definitionsOf(callable),
  };
}

/** `$ref`s count from the root of the whole schema: definitions move there. */
function definitionsOf(tools: readonly Tool[]): JsonObject {
  const all = tools.map(({ parameters }) => parameters['$defs']).filter(isJsonObject);
  const merged: JsonObject = Object.fromEntries(all.flatMap((one) => Object.entries(one)));
  return Object.keys(merged).length === 0 ? {} : { $defs: merged };
}

function withoutDefinitions(schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$defs'));
}
