import { Automaton, DEAD } from '../automaton/automaton.ts';
import { ConstraintError } from '../constraint.ts';
import { buildNetwork } from '../network/network-builder.ts';
import { compactNetwork } from '../network/network-compaction.ts';
import {
  choice,
  NEVER,
  rule,
  text,
  type GrammarNode,
  type RuleSet,
} from '../syntax/grammar-node.ts';
import { arrayNode } from './array-schema.ts';
import { JSON_VALUE, JsonText, type JsonWhitespace } from './json-text.ts';
import {
  isEqual,
  isList,
  isObject,
  without,
  type JsonObject,
  type JsonValue,
} from './json-value.ts';
import { checkKeywords, constrainsOnly, TYPE_KEYWORDS } from './keywords.ts';
import { integerNode, numberNode } from './number-schema.ts';
import { objectNode } from './object-schema.ts';
import type { SchemaContext } from './schema-context.ts';
import { asSchema, SchemaDocument, type Schema } from './schema-document.ts';
import { child, invalidSchema, type Pointer } from './schema-error.ts';
import { SchemaMerger } from './schema-merge.ts';
import { stringNode } from './string-schema.ts';

const ROOT = 'schema';
/** Schemas nested deeper would exhaust the call stack. */
const MAXIMUM_DEPTH = 150;
const ANY_BYTE = new Uint8Array(256).fill(1);
const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];

export interface CompiledSchema {
  readonly grammar: RuleSet;
  /** Keywords that are not, or not fully, enforced; one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * A JSON schema as a grammar of JSON texts. Every text it allows is valid (up to the warnings);
 * not every valid text is allowed: properties come in the order of the schema, whitespace is that
 * of ordinary layouts, and a keyword without `type` stands for its type.
 */
export function compileSchema(source: string, whitespace: JsonWhitespace): CompiledSchema {
  return new SchemaCompiler(source, whitespace).compile();
}

class SchemaCompiler implements SchemaContext {
  readonly json: JsonText;
  readonly #document: SchemaDocument;
  readonly #merger: SchemaMerger;
  readonly #rules: Map<string, GrammarNode>;
  readonly #warnings = new Set<string>();
  /** Rules of referenced schemas, by reference. */
  readonly #references = new Map<string, string>();
  #depth = 0;

  constructor(source: string, whitespace: JsonWhitespace) {
    this.json = new JsonText(whitespace);
    this.#document = new SchemaDocument(source);
    this.#merger = new SchemaMerger(this.#document);
    this.#rules = new Map(this.json.commonRules());
  }

  compile(): CompiledSchema {
    this.#rules.set(ROOT, this.convert(this.#document.root, '#'));
    return { grammar: { rules: this.#rules, root: ROOT }, warnings: [...this.#warnings] };
  }

  convert(schema: Schema, pointer: Pointer): GrammarNode {
    if (schema === true) return rule(JSON_VALUE);
    if (schema === false) return NEVER;
    if (++this.#depth > MAXIMUM_DEPTH) {
      throw new ConstraintError('TOO_LARGE', `JSON schema at ${pointer}: nested too deeply`, null);
    }
    for (const keyword of checkKeywords(schema, pointer)) {
      this.warn(pointer, `the unknown keyword ${keyword} is not enforced`);
    }
    const node = this.#convertObject(schema, pointer);
    this.#depth--;
    return node;
  }

  merge(left: Schema, right: Schema, pointer: Pointer): Schema {
    return this.#merger.merge(left, right, pointer);
  }

  define(node: GrammarNode): GrammarNode {
    if (node.kind === 'rule' || node.kind === 'never' || node.kind === 'empty') return node;
    const name = `rule_${this.#rules.size}`;
    this.setRule(name, node);
    return rule(name);
  }

  setRule(name: string, node: GrammarNode): void {
    this.#rules.set(name, node);
  }

  warn(pointer: Pointer, message: string): void {
    this.#warnings.add(`${pointer}: ${message}`);
  }

  accepts(schema: Schema, value: JsonValue, pointer: Pointer): boolean {
    if (typeof schema === 'boolean') return schema;
    return this.matches(this.convert(schema, pointer), JSON.stringify(value));
  }

  matches(node: GrammarNode, text: string): boolean {
    const grammar = { rules: new Map(this.#rules).set('', node), root: '' };
    let automaton: Automaton;
    try {
      automaton = new Automaton(compactNetwork(buildNetwork(grammar), ANY_BYTE));
    } catch (error) {
      if (error instanceof ConstraintError && error.code === 'UNMATCHABLE') return false;
      throw error;
    }
    let state = automaton.start;
    for (const byte of new TextEncoder().encode(text)) {
      state = automaton.step(state, byte);
      if (state === DEAD) return false;
    }
    return automaton.isAccepting(state);
  }

  #convertObject(schema: JsonObject, pointer: Pointer): GrammarNode {
    const reference = schema['$ref'];
    if (typeof reference === 'string' && constrainsOnly(schema, '$ref')) {
      return this.#reference(reference, pointer);
    }
    if (reference !== undefined || schema['allOf'] !== undefined) {
      return this.convert(this.#merger.flatten(schema, pointer), pointer);
    }
    for (const key of ['anyOf', 'oneOf']) {
      if (schema[key] !== undefined) return this.#alternatives(schema, key, pointer);
    }
    if (schema['nullable'] === true) {
      return choice(text('null'), this.convert(without(schema, 'nullable'), pointer));
    }
    if (schema['const'] !== undefined || schema['enum'] !== undefined) {
      return this.#fixedValues(schema, pointer);
    }
    return choice(...typesOf(schema, pointer).map((type) => this.#typed(type, schema, pointer)));
  }

  /** One rule per referenced schema, so that it may contain itself. */
  #reference(reference: string, pointer: Pointer): GrammarNode {
    const known = this.#references.get(reference);
    if (known !== undefined) return rule(known);
    const name = `reference_${this.#references.size}`;
    this.#references.set(reference, name);
    this.setRule(name, NEVER);
    this.setRule(name, this.convert(this.#document.resolve(reference, pointer), reference));
    return rule(name);
  }

  #alternatives(schema: JsonObject, key: string, pointer: Pointer): GrammarNode {
    const list = schema[key];
    if (!isList(list) || list.length === 0) {
      throw invalidSchema(pointer, `${key} must be a list of at least one schema`);
    }
    const common = without(schema, key);
    const branches = list.map((branch, index) => asSchema(branch, child(pointer, key, index)));
    if (key === 'oneOf' && !areDistinctTypes(branches)) {
      this.warn(pointer, 'oneOf is enforced as anyOf: exactly one match is not checked');
    }
    const isPlain = constrainsOnly(common);
    return choice(
      ...branches.map((branch, index) => {
        const place = child(pointer, key, index);
        return this.convert(isPlain ? branch : this.merge(common, branch, place), place);
      }),
    );
  }

  /** `enum` and `const`: those values that the rest of the schema allows. */
  #fixedValues(schema: JsonObject, pointer: Pointer): GrammarNode {
    const listed = schema['enum'] ?? [schema['const'] ?? null];
    if (!isList(listed) || listed.length === 0) {
      throw invalidSchema(pointer, 'enum must be a list of at least one value');
    }
    const constant = schema['const'];
    const values =
      constant === undefined ? listed : listed.filter((value) => isEqual(value, constant));
    const rest = without(schema, 'enum', 'const');
    const allowed = constrainsOnly(rest, 'type')
      ? values.filter((value) => isOfType(value, rest, pointer))
      : values.filter((value) => this.accepts(rest, value, pointer));
    return choice(...allowed.map((value) => this.json.literal(value)));
  }

  #typed(type: string, schema: JsonObject, pointer: Pointer): GrammarNode {
    switch (type) {
      case 'object':
        return objectNode(schema, pointer, this);
      case 'array':
        return arrayNode(schema, pointer, this);
      case 'string':
        return stringNode(schema, pointer, this);
      case 'integer':
        return integerNode(schema, pointer, this);
      case 'number':
        return numberNode(schema, pointer, this);
      case 'boolean':
        return choice(text('true'), text('false'));
      case 'null':
        return text('null');
      case 'any':
        return rule(JSON_VALUE);
      default:
        throw invalidSchema(pointer, `unknown type ${JSON.stringify(type)}`);
    }
  }
}

/** The types a schema names, or that its keywords speak about; `any` if it says nothing. */
function typesOf(schema: JsonObject, pointer: Pointer): string[] {
  const type = schema['type'];
  if (type === undefined) {
    const hinted = Object.entries(TYPE_KEYWORDS)
      .filter(([, keywords]) => keywords.some((keyword) => schema[keyword] !== undefined))
      .map(([name]) => name);
    return hinted.length > 0 ? hinted : ['any'];
  }
  const named = isList(type) ? type : [type];
  return named.map((name) => {
    if (typeof name === 'string' && TYPES.includes(name)) return name;
    throw invalidSchema(pointer, `unknown type ${JSON.stringify(name)}`);
  });
}

function isOfType(value: JsonValue, schema: JsonObject, pointer: Pointer): boolean {
  if (schema['type'] === undefined) return true;
  return typesOf(schema, pointer).some((type) => {
    switch (type) {
      case 'null':
        return value === null;
      case 'integer':
        return Number.isInteger(value);
      case 'array':
        return isList(value);
      case 'object':
        return isObject(value);
      default:
        return typeof value === type;
    }
  });
}

/** Alternatives of different types: no value can be valid against two of them. */
function areDistinctTypes(branches: readonly Schema[]): boolean {
  const types = branches.map((branch) => (isObject(branch) ? branch['type'] : undefined));
  const names = types.map((type) => (type === 'integer' ? 'number' : type));
  return names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
}
