import {
  choice,
  EMPTY,
  NEVER,
  repeat,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { isList, type JsonObject, type JsonValue } from './json-value.ts';
import type { SchemaContext } from './schema-context.ts';
import { asSchema } from './schema-document.ts';
import { child, invalidSchema, type Pointer } from './schema-error.ts';
import { count } from './string-schema.ts';

/** Positional items, then any number of further ones; null if there are none. */
interface Items {
  readonly prefix: readonly GrammarNode[];
  readonly rest: GrammarNode | null;
}

/**
 * An array. A tuple (`prefixItems`) is written in full, and without further items, unless
 * `minItems` and `items` say otherwise.
 */
export function arrayNode(
  schema: JsonObject,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const { prefix, rest } = readItems(schema, pointer, context);
  const maximum = count(schema, 'maxItems', pointer) ?? Infinity;
  const minimum = count(schema, 'minItems', pointer) ?? Math.min(prefix.length, maximum);
  if (schema['uniqueItems'] === true && maximum > 1) {
    context.warn(pointer, 'uniqueItems is not enforced');
  }
  const content = listContent({ prefix, rest }, minimum, maximum, context);
  const empty = minimum === 0 ? text('[]') : NEVER;
  return context.define(choice(empty, context.json.enclosed('[', content, ']')));
}

function readItems(schema: JsonObject, pointer: Pointer, context: SchemaContext): Items {
  const items = schema['items'];
  const prefixKey = isList(items) ? 'items' : 'prefixItems';
  const prefixSchemas = schema[prefixKey] ?? [];
  if (!isList(prefixSchemas)) throw invalidSchema(pointer, 'prefixItems must be a list');
  const prefix = prefixSchemas.map((item, index) =>
    context.convert(asSchema(item, pointer), child(pointer, prefixKey, index)),
  );
  const restKey = isList(items) ? 'additionalItems' : 'items';
  const rest: JsonValue =
    schema[restKey] ?? (prefix.length === 0 || needsMore(schema, prefix.length));
  if (rest === false) return { prefix, rest: null };
  const pointerOfRest = child(pointer, restKey);
  return {
    prefix,
    rest: context.define(context.convert(asSchema(rest, pointerOfRest), pointerOfRest)),
  };
}

function needsMore(schema: JsonObject, length: number): boolean {
  const minimum = schema['minItems'];
  return typeof minimum === 'number' && minimum > length;
}

/** One item or more, between the brackets. */
function listContent(
  { prefix, rest }: Items,
  minimum: number,
  maximum: number,
  context: SchemaContext,
): GrammarNode {
  const { comma } = context.json;
  const placed = Math.min(prefix.length, maximum);
  const further = (written: number): GrammarNode => {
    const least = Math.max(0, minimum - written);
    const most = maximum - written;
    if (rest === null || most <= 0) return least > 0 ? NEVER : EMPTY;
    if (written > 0) return repeat(sequence(comma, rest), least, most);
    return sequence(rest, repeat(sequence(comma, rest), Math.max(0, least - 1), most - 1));
  };
  if (placed === 0 && (rest === null || maximum === 0)) return NEVER;
  if (minimum > maximum) return NEVER;
  let tail = further(placed);
  for (let index = placed - 1; index >= 0; index--) {
    const item = prefix[index] ?? NEVER;
    const here = index === 0 ? sequence(item, tail) : sequence(comma, item, tail);
    const mayStop = index > 0 && index >= minimum;
    tail = context.define(mayStop ? choice(EMPTY, here) : here);
  }
  return tail;
}
