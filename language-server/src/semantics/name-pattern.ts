/** Variable names that are only partly known, e.g. `f"tip_{i}"` = `['tip_', null]`. */

/** `null` is a hole: any text. */
export type NamePattern = readonly (string | null)[];

export function formatPattern(pattern: NamePattern): string {
  return pattern.map((part) => part ?? '{…}').join('');
}

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

export function matchesPattern(name: string, pattern: NamePattern): boolean {
  return new RegExp(
    `^${pattern.map((part) => (part === null ? '[^]*' : escape(part))).join('')}$`,
  ).test(name);
}

/** Can the two patterns produce the same name? Compares known beginnings and ends. */
export function patternsOverlap(a: NamePattern, b: NamePattern): boolean {
  const startA = a[0] ?? '';
  const startB = b[0] ?? '';
  const endA = a.at(-1) ?? '';
  const endB = b.at(-1) ?? '';
  return (
    (startA.startsWith(startB) || startB.startsWith(startA)) &&
    (endA.endsWith(endB) || endB.endsWith(endA))
  );
}

/** Joins neighbouring texts and holes. */
export function normalise(parts: NamePattern): NamePattern {
  const result: (string | null)[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part === '' || (part === null && last === null && result.length > 0)) continue;
    if (typeof part === 'string' && typeof last === 'string')
      result[result.length - 1] = last + part;
    else result.push(part);
  }
  return result;
}
