/** Pure: what a parameter takes, from its annotation. */
import { splitTopLevel } from '../python-text.ts';
import type { ScannedParameter } from '../program-scan.ts';

export type ParameterKind =
  | { readonly kind: 'text' }
  /** Python literals to choose from. */
  | { readonly kind: 'choice'; readonly literals: readonly string[] }
  | { readonly kind: 'int' | 'float' }
  /** A Python value that begins with `opening`. */
  | { readonly kind: 'container'; readonly opening: string }
  /** Any Python expression: the annotation is a class that text cannot be. */
  | { readonly kind: 'expression' }
  /** No annotation: text, unless what is typed can be nothing but a Python value. */
  | { readonly kind: 'unknown' };

export interface Parameter {
  readonly type: ParameterKind;
  /** Whether `None` is allowed. */
  readonly isOptional: boolean;
}

const CONTAINERS: Readonly<Record<string, string>> = {
  list: '[',
  sequence: '[',
  iterable: '[',
  dict: '{',
  mapping: '{',
  set: '{',
  tuple: '(',
};

export function parameterKind({ annotation, defaultValue }: ScannedParameter): Parameter {
  const isNone = defaultValue === 'None';
  if (annotation === null) return { type: { kind: 'unknown' }, isOptional: isNone };
  const { members, isOptional } = membersOf(annotation);
  return { type: kindOf(members), isOptional: isOptional || isNone };
}

/** `Optional[X]`, `Union[X, None]` and `X | None` as their members without `None`. */
function membersOf(annotation: string): {
  readonly members: readonly string[];
  readonly isOptional: boolean;
} {
  const text = unquoted(annotation.trim()).replace(/^(typing|t)\./, '');
  const [, outer, inner] = /^(Optional|Union|Annotated)\[([\s\S]*)\]$/.exec(text) ?? [];
  if (outer === 'Annotated') return membersOf(splitTopLevel(inner ?? '', ',')[0] ?? '');
  const parts = splitTopLevel(inner ?? text, outer === 'Union' ? ',' : '|').map((part) =>
    part.trim(),
  );
  const isOptional = outer === 'Optional' || parts.includes('None');
  const members = parts.filter((part) => part !== 'None');
  const [only] = members;
  if (members.length === 1 && only !== undefined && only !== text) {
    const nested = membersOf(only);
    return { members: nested.members, isOptional: isOptional || nested.isOptional };
  }
  return { members, isOptional };
}

function kindOf(members: readonly string[]): ParameterKind {
  const kinds = members.map(kindOfOne);
  const [first] = kinds;
  if (first === undefined) return { kind: 'unknown' };
  if (kinds.length === 1) return first;
  if (kinds.every((each) => each.kind === 'int' || each.kind === 'float')) return { kind: 'float' };
  return kinds.some(({ kind }) => kind === 'text') ? { kind: 'unknown' } : { kind: 'expression' };
}

function kindOfOne(member: string): ParameterKind {
  const [, name = '', inner = ''] = /^(?:\w+\.)*(\w+)\s*(?:\[([\s\S]*)\])?$/.exec(member) ?? [];
  const opening = CONTAINERS[name.toLowerCase()];
  if (opening !== undefined) return { kind: 'container', opening };
  switch (name) {
    case 'str':
    case 'LiteralString':
      return { kind: 'text' };
    case 'int':
    case 'float':
      return { kind: name };
    case 'bool':
      return { kind: 'choice', literals: ['True', 'False'] };
    case 'Literal':
      return { kind: 'choice', literals: splitTopLevel(inner, ',').map((each) => each.trim()) };
    case 'Any':
    case 'object':
      return { kind: 'unknown' };
    default:
      return { kind: 'expression' };
  }
}

function unquoted(annotation: string): string {
  return /^(["'])([\s\S]*)\1$/.exec(annotation)?.[2] ?? annotation;
}
