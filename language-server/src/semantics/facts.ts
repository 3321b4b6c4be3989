/** What the analysis found, in the order it was found. Features are views of this. */
import type { Call, Expression, FunctionDef, Name, Span, Str } from '../syntax/ast.ts';
import type { GenType } from './gen-type.ts';
import type { DescribedKey } from './json-schema.ts';
import type { NamePattern } from './name-pattern.ts';
import type { SourceUnit } from './source-unit.ts';
import type { GenSite, Value } from './value.ts';

export interface GenFact {
  readonly site: GenSite;
  readonly names: readonly NamePattern[];
  readonly type: GenType;
  /** Role block it runs in, as far as one is known. */
  readonly role: string | null;
}

/** `state["name"]`, `get_meta_info("name")`, `text_iter("name")`, `"name" in state`. */
export interface ReadFact {
  readonly unit: SourceUnit;
  readonly node: Expression;
  /** Exact name, `null` for patterns. */
  readonly name: string | null;
  readonly pattern: NamePattern;
  /** Best presence over all ways to get here. */
  readonly presence: 'set' | 'maybe' | 'unset';
  readonly type: GenType;
  readonly sites: readonly GenSite[];
  /** Names that can be read here, with their types; put together when asked, for few reads are. */
  readonly available: () => ReadonlyMap<string, GenType>;
  readonly program: string | null;
  /** The program whose body reads, through any number of helpers. */
  readonly reader: FunctionDef | null;
  /** Inside a program (as opposed to after it ran). */
  readonly inProgram: boolean;
  /** A membership test or write: never an error. */
  readonly tolerant: boolean;
  /** The state is known completely at this point. */
  readonly certain: boolean;
  /** The condition under which the name is set, for messages, e.g. `s["type"]`. */
  readonly when: string | null;
}

/** One of the names that `state[name]` reads, in a loop or from a choice of names, and that is never set. */
export interface MissingName {
  readonly read: ReadFact;
  readonly name: string;
}

export interface CallFact {
  readonly unit: SourceUnit;
  readonly node: Call;
  readonly callee: Value;
}

/** A Python name that received a generated value. */
export interface BindingFact {
  readonly unit: SourceUnit;
  readonly node: Name;
  readonly value: Value;
}

/** `data["key"]` where `data` was parsed from schema-shaped text, or is the meta info of a gen. */
export interface JsonReadFact {
  readonly unit: SourceUnit;
  readonly node: Str;
  readonly keys: readonly DescribedKey[];
  /** There are no other keys. */
  readonly isComplete: boolean;
}

export interface ProgramFact {
  readonly unit: SourceUnit;
  readonly node: FunctionDef;
  readonly name: string;
  /** What its state holds when it has run; names that only some paths make are among them. */
  readonly variables: ReadonlyMap<string, GenType>;
}

/** One program calls another (or a helper). */
export interface CallEdge {
  readonly unit: SourceUnit;
  readonly node: Call;
  readonly caller: FunctionDef | null;
  readonly callee: FunctionDef;
  readonly calleeUnit: SourceUnit;
}

export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Fix {
  readonly title: string;
  readonly edits: readonly TextEdit[];
}

export interface Problem {
  readonly unit: SourceUnit;
  readonly code: string;
  readonly span: Span;
  readonly message: string;
  readonly fixes: readonly Fix[];
  /** Less severe than the rule's default, e.g. reads after a run rather than inside the program. */
  readonly mild?: boolean;
}

export interface Facts {
  readonly gens: readonly GenFact[];
  readonly reads: readonly ReadFact[];
  readonly missing: readonly MissingName[];
  readonly calls: readonly CallFact[];
  readonly bindings: readonly BindingFact[];
  readonly jsonReads: readonly JsonReadFact[];
  readonly programs: readonly ProgramFact[];
  readonly edges: readonly CallEdge[];
  readonly problems: readonly Problem[];
}
