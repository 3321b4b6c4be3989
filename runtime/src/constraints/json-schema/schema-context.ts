import type { GrammarNode } from '../syntax/grammar-node.ts';
import type { JsonText } from './json-text.ts';
import type { JsonValue } from './json-value.ts';
import type { Schema } from './schema-document.ts';
import type { Pointer } from './schema-error.ts';

/** What the parts of the schema compiler need of the whole. */
export interface SchemaContext {
  readonly json: JsonText;
  /** The values of a schema. */
  convert(schema: Schema, pointer: Pointer): GrammarNode;
  /** Both schemas at once. */
  merge(left: Schema, right: Schema, pointer: Pointer): Schema;
  /** Makes a rule of a node, so that it may be used often. */
  define(node: GrammarNode): GrammarNode;
  setRule(name: string, node: GrammarNode): void;
  /** The node matches exactly this text. */
  matches(node: GrammarNode, text: string): boolean;
  /** The value, written in the usual way, is valid. */
  accepts(schema: Schema, value: JsonValue, pointer: Pointer): boolean;
  /** Notes that something is not enforced. */
  warn(pointer: Pointer, message: string): void;
}
