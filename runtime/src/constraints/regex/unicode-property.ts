import { codePointSet, LAST_CODE_POINT, type CodePointSet } from '../syntax/code-points.ts';

const known = new Map<string, CodePointSet>();

/** Characters of `\p{name}` (ECMAScript names: `L`, `Lu`, `Script=Greek`, …); null if unknown. */
export function unicodeProperty(name: string): CodePointSet | null {
  const cached = known.get(name);
  if (cached !== undefined) return cached;
  if (!/^[A-Za-z0-9_=]+$/.test(name)) return null;
  let matcher: RegExp;
  try {
    matcher = new RegExp(`^\\p{${name}}$`, 'u');
  } catch {
    return null;
  }
  const pairs: number[] = [];
  for (let point = 0; point <= LAST_CODE_POINT; point++) {
    if (matcher.test(String.fromCodePoint(point))) pairs.push(point, point);
  }
  const set = codePointSet(pairs);
  known.set(name, set);
  return set;
}
