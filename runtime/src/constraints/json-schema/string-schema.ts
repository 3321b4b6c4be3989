import { NEVER, repeat, rule, type GrammarNode } from '../syntax/grammar-node.ts';
import { asStringContent, JSON_CHARACTER, JSON_STRING, quoted } from './json-text.ts';
import type { JsonObject } from './json-value.ts';
import { withinLengths, type Lengths } from './length-limits.ts';
import { searchPattern, wholePattern } from './pattern.ts';
import type { SchemaContext } from './schema-context.ts';
import { invalidSchema, type Pointer } from './schema-error.ts';
import { STRING_FORMATS } from './string-formats.ts';

/** A JSON string in quotes. Lengths count characters, as JSON Schema does. */
export function stringNode(
  schema: JsonObject,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const limits = {
    minimum: count(schema, 'minLength', pointer) ?? 0,
    maximum: count(schema, 'maxLength', pointer) ?? Infinity,
  };
  if (limits.minimum > limits.maximum) return NEVER;
  const shape = shapeOf(schema, pointer, context);
  if (shape !== null) {
    return context.define(quoted(asStringContent(limited(shape, limits, pointer, context))));
  }
  if (limits.minimum === 0 && limits.maximum === Infinity) return rule(JSON_STRING);
  return context.define(quoted(repeat(rule(JSON_CHARACTER), limits.minimum, limits.maximum)));
}

/** What `pattern` or `format` ask for; null for any text. */
function shapeOf(schema: JsonObject, pointer: Pointer, context: SchemaContext): GrammarNode | null {
  const pattern = schema['pattern'];
  const format = schema['format'];
  if (pattern !== undefined && typeof pattern !== 'string') {
    throw invalidSchema(pointer, 'pattern must be a string');
  }
  if (format !== undefined && typeof format !== 'string') {
    throw invalidSchema(pointer, 'format must be a string');
  }
  if (format !== undefined && (pattern !== undefined || !STRING_FORMATS.has(format))) {
    context.warn(pointer, `format ${format} is not enforced`);
  }
  if (pattern !== undefined) return searchPattern(pattern, pointer);
  const known = format === undefined ? undefined : STRING_FORMATS.get(format);
  return known === undefined ? null : wholePattern(known);
}

function limited(
  shape: GrammarNode,
  limits: Lengths,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const narrowed = withinLengths(shape, limits);
  if (narrowed !== null) return narrowed;
  context.warn(pointer, 'minLength and maxLength are not enforced beside this pattern or format');
  return shape;
}

/** A keyword that is a number of things: a non-negative integer; null if absent. */
export function count(schema: JsonObject, key: string, pointer: Pointer): number | null {
  const value = schema[key];
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw invalidSchema(pointer, `${key} must be an integer of at least 0`);
}
