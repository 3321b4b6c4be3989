import { ConstraintError } from '../constraint.ts';

/** A JSON pointer into the schema, as a URI fragment: `#`, `#/properties/name`. */
export type Pointer = string;

export function child(pointer: Pointer, ...keys: readonly (string | number)[]): Pointer {
  const escaped = keys.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'));
  return [pointer, ...escaped].join('/');
}

export function invalidSchema(pointer: Pointer, message: string): ConstraintError {
  return new ConstraintError('INVALID', `JSON schema at ${pointer}: ${message}`, null);
}

export function unsupportedSchema(pointer: Pointer, message: string): ConstraintError {
  return new ConstraintError('UNSUPPORTED', `JSON schema at ${pointer}: ${message}`, null);
}
