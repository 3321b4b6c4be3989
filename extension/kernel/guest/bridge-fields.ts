/** Typed reading of a bridge message. A wrong type is a bug of the Python side, said plainly. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { BridgeMessage } from './guest.ts';
import type { WireChatTemplate, WireError } from './bridge-protocol.ts';

export class MalformedMessageError extends Error {
  readonly code = 'MALFORMED_BRIDGE_MESSAGE';
}

export function numberField(message: BridgeMessage, name: string): number {
  const value = message[name];
  return typeof value === 'number' ? value : wrong(message, name, 'a number');
}

export function stringField(message: BridgeMessage, name: string): string {
  const value = message[name];
  return typeof value === 'string' ? value : wrong(message, name, 'a string');
}

export function nullableString(message: BridgeMessage, name: string): string | null {
  return message[name] === null || message[name] === undefined ? null : stringField(message, name);
}

export function nullableNumber(message: BridgeMessage, name: string): number | null {
  return message[name] === null || message[name] === undefined ? null : numberField(message, name);
}

export function numbersField(message: BridgeMessage, name: string): readonly number[] {
  const value = message[name];
  if (Array.isArray(value) && value.every((item) => typeof item === 'number')) return value;
  return wrong(message, name, 'a list of numbers');
}

export function objectField(message: BridgeMessage, name: string): JsonObject {
  const value = message[name];
  return isObject(value) ? value : wrong(message, name, 'an object');
}

export function stringMap(message: BridgeMessage, name: string): Record<string, string> {
  const entries = Object.entries(objectField(message, name));
  return Object.fromEntries(entries.map(([key, value]) => [key, textOf(value)]));
}

export function errorField(message: BridgeMessage, name: string): WireError | null {
  const value = message[name];
  if (!isObject(value)) return null;
  return { type: textOf(value['type']), message: textOf(value['message']) };
}

export function templateField(message: BridgeMessage, name: string): WireChatTemplate {
  const value = objectField(message, name);
  const roles = isObject(value['roles']) ? value['roles'] : {};
  const stop = value['stop'];
  const text = (key: string, fallback: string): string => {
    const found = value[key];
    return typeof found === 'string' ? found : fallback;
  };
  return {
    name: text('name', 'custom'),
    defaultSystemPrompt:
      typeof value['defaultSystemPrompt'] === 'string' ? value['defaultSystemPrompt'] : null,
    roles: Object.fromEntries(Object.entries(roles).map(([role, pair]) => [role, affixes(pair)])),
    stop: Array.isArray(stop) ? stop.map(textOf) : [],
    imageToken: text('imageToken', '<image>'),
    audioToken: text('audioToken', '<audio>'),
    style: value['style'] === 'llama2' ? 'llama2' : 'plain',
  };
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function affixes(pair: JsonValue): readonly [string, string] {
  const [prefix, suffix] = Array.isArray(pair) ? pair : [];
  return [textOf(prefix), textOf(suffix)];
}

/** Text as it is; anything else, which our Python never sends here, as JSON. */
function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function wrong(message: BridgeMessage, name: string, expected: string): never {
  throw new MalformedMessageError(
    `The bridge message "${message.op}" needs "${name}" to be ${expected}.`,
  );
}
