import { malformed } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a request body that must be a JSON object. */
export function parseJsonObject(body: Buffer): JsonObject {
  if (body.length === 0) throw malformed('the body is empty; send a JSON object');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw malformed(
      `the body is not JSON: ${error instanceof Error ? error.message : 'unreadable'}`,
    );
  }
  if (!isJsonObject(value)) throw malformed(`the body must be a JSON object, not ${kindOf(value)}`);
  return value;
}

/** Reads typed fields of an object; null counts as absent. Errors name the field. */
export class Fields {
  readonly #object: JsonObject;
  readonly #path: string;
  readonly #fail: (message: string) => Error;

  constructor(object: JsonObject, path = '', fail: (message: string) => Error = malformed) {
    this.#object = object;
    this.#path = path;
    this.#fail = fail;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object[name] ?? null) : null;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.get(name);
    if (value === null) return fallback;
    return typeof value === 'boolean' ? value : this.#wrong(name, 'true or false', value);
  }

  number(name: string, fallback: number): number {
    const value = this.get(name);
    if (value === null) return fallback;
    return typeof value === 'number' ? value : this.#wrong(name, 'a number', value);
  }

  integer(name: string, fallback: number): number {
    const value = this.number(name, fallback);
    return Number.isSafeInteger(value) ? value : this.#wrong(name, 'a whole number', value);
  }

  string(name: string): string | null {
    const value = this.get(name);
    if (value === null) return null;
    return typeof value === 'string' ? value : this.#wrong(name, 'a string', value);
  }

  /** A string or a list of them. */
  strings(name: string): readonly string[] {
    const value = this.get(name);
    if (value === null) return [];
    const list = Array.isArray(value) ? value : [value];
    return list.every((one) => typeof one === 'string')
      ? list
      : this.#wrong(name, 'a string or a list of strings', value);
  }

  /** A whole number or a list of them. */
  integers(name: string): readonly number[] {
    const value = this.get(name);
    if (value === null) return [];
    const list = Array.isArray(value) ? value : [value];
    return list.every((one) => Number.isSafeInteger(one))
      ? list
      : this.#wrong(name, 'a list of whole numbers', value);
  }

  object(name: string): JsonObject | null {
    const value = this.get(name);
    if (value === null) return null;
    return isJsonObject(value) ? value : this.#wrong(name, 'an object', value);
  }

  #wrong(name: string, expected: string, value: unknown): never {
    throw this.#fail(`${this.#path}${name} must be ${expected}, not ${kindOf(value)}`);
  }
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? `the string ${quote(value)}` : JSON.stringify(value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
