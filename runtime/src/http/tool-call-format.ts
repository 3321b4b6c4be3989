import { isJsonObject } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** A call that the model made; `arguments` is JSON text, as OpenAI's API has it. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: string;
}

/** How a model writes calls into its text. */
export interface ToolCallFormat {
  /** Texts that begin a call. */
  readonly starts: readonly string[];
  /** The text that ends it; null: it goes on to the end of the answer. */
  readonly end: string | null;
  /** A call can only be the whole answer. */
  readonly onlyFirst: boolean;
}

/** Hermes and Qwen: `<tool_call>{"name": …, "arguments": …}</tool_call>`, any number of times. */
export const HERMES: ToolCallFormat = {
  starts: ['<tool_call>'],
  end: '</tool_call>',
  onlyFirst: false,
};
/** Mistral: `[TOOL_CALLS] [{"name": …, "arguments": …}, …]`. */
const MISTRAL: ToolCallFormat = { starts: ['[TOOL_CALLS]'], end: null, onlyFirst: false };
/** Llama 3: `{"name": …, "parameters": …}` as the whole answer, several separated by `;`. */
const LLAMA: ToolCallFormat = { starts: ['<|python_tag|>', '{'], end: null, onlyFirst: true };
/** Answers that `toolSchema` constrains. */
export const JSON_LIST: ToolCallFormat = { starts: ['['], end: null, onlyFirst: true };

/** The format that a chat template teaches; Hermes', which is what we teach, if it knows no tools. */
export function formatOfTemplate(template: string): ToolCallFormat {
  if (template.includes('<tool_call>')) return HERMES;
  if (template.includes('[TOOL_CALLS]')) return MISTRAL;
  return template.includes('<|python_tag|>') || /"parameters"\s*:/.test(template) ? LLAMA : HERMES;
}

/** The calls in the text between start and end; null if it is none, and then it is text. */
export function parseCalls(body: string): ToolCall[] | null {
  const values = parseValues(body.trim());
  if (values === null || values.length === 0) return null;
  const calls = values.map(callOf);
  return calls.every((call) => call !== null) ? calls : null;
}

function parseValues(text: string): unknown[] | null {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    const parts = text.split(/;\s*(?=\{)/);
    return parts.length > 1 ? flatten(parts.map(parseValues)) : null;
  }
}

function flatten(lists: readonly (unknown[] | null)[]): unknown[] | null {
  return lists.every((list) => list !== null) ? lists.flat() : null;
}

function callOf(value: unknown): ToolCall | null {
  if (!isJsonObject(value) || typeof value['name'] !== 'string') return null;
  const given: JsonObject | string = argumentsOf(value);
  return {
    name: value['name'],
    arguments: typeof given === 'string' ? given : JSON.stringify(given),
  };
}

function argumentsOf(value: JsonObject): JsonObject | string {
  const given = value['arguments'] ?? value['parameters'] ?? {};
  return isJsonObject(given) || typeof given === 'string' ? given : {};
}
