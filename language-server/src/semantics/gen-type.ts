/** Types of state variables: what `state["x"]` holds. At run time every generated value is a `str`. */
import type { JsonSchema } from './json-schema.ts';

export type DtypeName = 'int' | 'float' | 'bool' | 'str';

export type GenType =
  | { readonly kind: 'str' }
  | { readonly kind: 'literal'; readonly values: readonly string[] }
  /** A `str` that reads as the Python type, made by `dtype=`. */
  | { readonly kind: 'dtype'; readonly dtype: DtypeName }
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'json'; readonly schema: JsonSchema }
  /** Stored with `s["x"] = value`, not generated. */
  | { readonly kind: 'python'; readonly name: string }
  | { readonly kind: 'list'; readonly element: GenType }
  | { readonly kind: 'union'; readonly members: readonly GenType[] }
  | { readonly kind: 'unknown' };

export const strType: GenType = { kind: 'str' };
export const unknownType: GenType = { kind: 'unknown' };

export function literalType(values: readonly string[]): GenType {
  return { kind: 'literal', values: [...new Set(values)] };
}

export function listType(element: GenType): GenType {
  return { kind: 'list', element };
}

/** Python string literal in single quotes unless the text has some. */
export function quote(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  if (!escaped.includes("'") || escaped.includes('"')) return `'${escaped.replaceAll("'", "\\'")}'`;
  return `"${escaped}"`;
}

/** The type as a Python annotation, e.g. `Literal['yes', 'no']` or `list[str]`. */
export function formatType(type: GenType): string {
  switch (type.kind) {
    case 'literal':
      return `Literal[${type.values.map(quote).join(', ')}]`;
    case 'list':
      return `list[${formatType(type.element)}]`;
    case 'union':
      return [...new Set(type.members.map(formatType))].join(' | ');
    case 'python':
      return type.name;
    case 'unknown':
      return 'Any';
    case 'str':
    case 'dtype':
    case 'regex':
    case 'json':
      return 'str';
  }
}

const dtypeText: Readonly<Record<DtypeName, string>> = {
  int: 'an integer in digits: `int(...)` reads it',
  float: 'a number in digits: `float(...)` reads it',
  bool: '`True` or `False` as text',
  str: 'a quoted string, quotes included',
};

/** What the annotation cannot say, for hovers; `null` if it says everything. */
export function describeShape(type: GenType): string | null {
  switch (type.kind) {
    case 'dtype':
      return dtypeText[type.dtype];
    case 'regex':
      return `text that matches \`${type.pattern}\``;
    case 'json':
      return 'JSON text that follows the schema: `json.loads(...)` reads it';
    case 'list':
      return describeShape(type.element);
    case 'union': {
      const shapes = type.members.map(describeShape).filter((shape) => shape !== null);
      return shapes.length === 0 ? null : shapes.join('; or ');
    }
    case 'str':
    case 'literal':
    case 'python':
    case 'unknown':
      return null;
  }
}

function sameType(a: GenType, b: GenType): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

const maximumUnion = 8;

export function joinTypes(a: GenType, b: GenType): GenType {
  if (sameType(a, b)) return a;
  if (a.kind === 'unknown' || b.kind === 'unknown') return unknownType;
  if (a.kind === 'literal' && b.kind === 'literal') return literalType([...a.values, ...b.values]);
  if (a.kind === 'list' && b.kind === 'list') return listType(joinTypes(a.element, b.element));
  const members: GenType[] = [];
  for (const member of [...membersOf(a), ...membersOf(b)]) {
    const literal = members.findIndex(
      (known) => known.kind === 'literal' && member.kind === 'literal',
    );
    const existing = members[literal];
    if (existing) members[literal] = joinTypes(existing, member);
    else if (!members.some((known) => sameType(known, member))) members.push(member);
  }
  if (members.length > maximumUnion) return unknownType;
  return { kind: 'union', members };
}

export function membersOf(type: GenType): readonly GenType[] {
  return type.kind === 'union' ? type.members : [type];
}

/** All values of a finite text type, else `null`. */
export function literalValues(type: GenType): readonly string[] | null {
  if (type.kind === 'literal') return type.values;
  if (type.kind === 'dtype' && type.dtype === 'bool') return ['True', 'False'];
  return null;
}
