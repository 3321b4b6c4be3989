import { ConstraintError } from '../constraint.ts';
import {
  choice,
  EMPTY,
  NEVER,
  repeat,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { asStringContent, contentOtherThan, quoted } from './json-text.ts';
import { isList, isObject, type JsonObject } from './json-value.ts';
import { searchPattern } from './pattern.ts';
import type { SchemaContext } from './schema-context.ts';
import { asSchema, type Schema } from './schema-document.ts';
import { child, invalidSchema, unsupportedSchema, type Pointer } from './schema-error.ts';
import { count } from './string-schema.ts';

/** Rules of one object; more would be a mistake or an attack. */
const MAXIMUM_MEMBER_RULES = 50_000;

interface Property {
  readonly name: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
  readonly pointer: Pointer;
}

/** Most and fewest members. */
interface Counts {
  readonly minimum: number;
  readonly maximum: number;
}

/**
 * An object. Declared properties come in the order of the schema, required ones that are not
 * declared after them. Without `additionalProperties` an object with declared properties gets no
 * others (as XGrammar's strict mode, SGLang's default, has it); one without any gets all.
 */
export function objectNode(
  schema: JsonObject,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const counts = {
    minimum: count(schema, 'minProperties', pointer) ?? 0,
    maximum: count(schema, 'maxProperties', pointer) ?? Infinity,
  };
  const patterns = patternSchemas(schema, pointer);
  const properties = declaredProperties(schema, patterns, pointer, context);
  if (properties === null || counts.minimum > counts.maximum) return NEVER;
  const members = properties.map(({ name, schema: value, isRequired, pointer: place }) => ({
    node: context.define(
      sequence(text(JSON.stringify(name)), context.json.colon, context.convert(value, place)),
    ),
    isRequired,
  }));
  const extra = extraMember(schema, properties, patterns, pointer, context);
  const content = memberChain(members, extra, counts, context);
  const mayBeEmpty = counts.minimum === 0 && properties.every((property) => !property.isRequired);
  return context.define(
    choice(mayBeEmpty ? text('{}') : NEVER, context.json.enclosed('{', content, '}')),
  );
}

function patternSchemas(schema: JsonObject, pointer: Pointer): [string, Schema][] {
  const patterns = schema['patternProperties'] ?? {};
  if (!isObject(patterns)) throw invalidSchema(pointer, 'patternProperties must be an object');
  return Object.entries(patterns).map(([pattern, value]) => [
    pattern,
    asSchema(value, child(pointer, 'patternProperties', pattern)),
  ]);
}

/** Properties with names; null if a required one may not exist. */
function declaredProperties(
  schema: JsonObject,
  patterns: readonly [string, Schema][],
  pointer: Pointer,
  context: SchemaContext,
): Property[] | null {
  const declared = schema['properties'] ?? {};
  if (!isObject(declared)) throw invalidSchema(pointer, 'properties must be an object');
  const required = schema['required'] ?? [];
  if (!isList(required) || !required.every((name) => typeof name === 'string')) {
    throw invalidSchema(pointer, 'required must be a list of names');
  }
  const result: Property[] = [];
  for (const name of new Set([...Object.keys(declared), ...required])) {
    const isDeclared = Object.hasOwn(declared, name);
    const place = child(pointer, isDeclared ? 'properties' : 'required', name);
    const isRequired = required.includes(name);
    const own = isDeclared ? asSchema(declared[name], place) : true;
    const value = effectiveSchema(name, own, isDeclared, { schema, patterns, pointer }, context);
    const isNameAllowed = context.accepts(
      asSchema(schema['propertyNames'] ?? true, pointer),
      name,
      pointer,
    );
    if (value !== false && isNameAllowed)
      result.push({ name, schema: value, isRequired, pointer: place });
    else if (isRequired) return null;
  }
  return result;
}

/** The property's own schema together with that of patterns its name matches. */
function effectiveSchema(
  name: string,
  own: Schema,
  isDeclared: boolean,
  object: { schema: JsonObject; patterns: readonly [string, Schema][]; pointer: Pointer },
  context: SchemaContext,
): Schema {
  const matching = object.patterns.filter(([pattern]) =>
    context.matches(searchPattern(pattern, object.pointer), name),
  );
  if (!isDeclared && matching.length === 0) {
    return asSchema(object.schema['additionalProperties'] ?? true, object.pointer);
  }
  return matching.reduce((schema, [, value]) => context.merge(schema, value, object.pointer), own);
}

/** A member that is not declared; null if there may be none. */
function extraMember(
  schema: JsonObject,
  properties: readonly Property[],
  patterns: readonly [string, Schema][],
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode | null {
  const { colon } = context.json;
  const names = Object.keys(isObject(schema['properties']) ? schema['properties'] : {});
  const taken = [...new Set([...names, ...properties.map((property) => property.name)])];
  if (patterns.length > 1) {
    throw unsupportedSchema(pointer, 'more than one pattern in patternProperties is not supported');
  }
  const [only] = patterns;
  if (only !== undefined) {
    // Keys that match no pattern are left out: they could be had, but need not.
    const keys = searchPattern(only[0], pointer);
    if (schema['propertyNames'] !== undefined) {
      throw unsupportedSchema(pointer, 'propertyNames beside patternProperties is not supported');
    }
    if (only[1] === false || taken.some((name) => context.matches(keys, name))) return null;
    const value = context.convert(only[1], child(pointer, 'patternProperties', only[0]));
    return context.define(sequence(quoted(asStringContent(keys)), colon, value));
  }
  const additional = asSchema(
    schema['additionalProperties'] ?? schema['unevaluatedProperties'] ?? taken.length === 0,
    pointer,
  );
  if (additional === false) return null;
  const value = context.convert(additional, child(pointer, 'additionalProperties'));
  return context.define(sequence(extraKey(schema, taken, pointer, context), colon, value));
}

function extraKey(
  schema: JsonObject,
  taken: readonly string[],
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const names = schema['propertyNames'];
  if (names === undefined) return quoted(contentOtherThan(taken));
  const place = child(pointer, 'propertyNames');
  if (taken.some((name) => context.accepts(asSchema(names, place), name, place))) {
    throw unsupportedSchema(pointer, 'propertyNames beside properties and additionalProperties');
  }
  return context.convert(context.merge({ type: 'string' }, asSchema(names, place), place), place);
}

/**
 * Members in order with commas between them. The rule (i, n) is what may follow when the first i
 * properties are dealt with and n members are written; n is only counted as far as it matters.
 */
function memberChain(
  members: readonly { readonly node: GrammarNode; readonly isRequired: boolean }[],
  extra: GrammarNode | null,
  counts: Counts,
  context: SchemaContext,
): GrammarNode {
  const { comma } = context.json;
  const cap = Math.max(1, counts.minimum, counts.maximum === Infinity ? 0 : counts.maximum);
  if (Math.min(cap, members.length) * members.length > MAXIMUM_MEMBER_RULES) {
    throw new ConstraintError(
      'TOO_LARGE',
      'too many properties with minProperties or maxProperties',
      null,
    );
  }
  const separated = (written: number, node: GrammarNode): GrammarNode =>
    written === 0 ? node : sequence(comma, node);
  const last = (written: number): GrammarNode => {
    const least = Math.max(0, counts.minimum - written);
    const most = counts.maximum - written;
    if (extra === null || most <= 0) return least > 0 || most < 0 || written === 0 ? NEVER : EMPTY;
    const more = (from: number): GrammarNode =>
      repeat(sequence(comma, extra), Math.max(0, from), most - (written === 0 ? 1 : 0));
    return written === 0 ? sequence(extra, more(least - 1)) : more(least);
  };
  let following = Array.from({ length: Math.min(cap, members.length) + 1 }, (_, written) =>
    context.define(last(written)),
  );
  for (let index = members.length - 1; index >= 0; index--) {
    const member = members[index] ?? { node: NEVER, isRequired: true };
    following = following.slice(0, Math.min(cap, index) + 1).map((skipped, written) => {
      const next = following[Math.min(cap, written + 1)] ?? NEVER;
      const isFull = written >= counts.maximum;
      const taken = isFull ? NEVER : sequence(separated(written, member.node), next);
      return context.define(member.isRequired ? taken : choice(taken, skipped));
    });
  }
  return following[0] ?? NEVER;
}
