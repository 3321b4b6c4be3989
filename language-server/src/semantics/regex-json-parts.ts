/** Pieces of regular expressions that spell parts of JSON. */
import type { JsonSchema } from './json-schema.ts';
import type { RegexNode } from './regex-tree.ts';

export const isDigits = (node: RegexNode | undefined): boolean =>
  node?.kind === 'set' && ['\\d', '[0-9]', '[\\d]'].includes(node.source);

/** `[-+]`, `-`: a sign that may be left out. */
export function isSign(node: RegexNode | undefined): boolean {
  if (node?.kind !== 'repeat' || node.minimum !== 0 || node.maximum !== 1) return false;
  const sign = node.node;
  return sign.kind === 'text'
    ? sign.value === '-'
    : sign.kind === 'set' && ['[-+]', '[+-]', '[-]', '[+\\-]', '[\\-+]'].includes(sign.source);
}

const blank = /^[ \n\t\r]+$/;
const blankSets: ReadonlySet<string> = new Set([
  '\\s',
  '[ ]',
  '[ \\n]',
  '[\\n ]',
  '[ \\n\\t]',
  '[ \\t\\n]',
  '[\\s]',
]);

export function isBlank(node: RegexNode | undefined): boolean {
  if (node?.kind === 'repeat') return isBlank(node.node);
  return node?.kind === 'text'
    ? blank.test(node.value)
    : node?.kind === 'set' && blankSets.has(node.source);
}

export const isDigitRun = (node: RegexNode | undefined): boolean =>
  node?.kind === 'repeat' ? isDigits(node.node) : isDigits(node);

/** A JSON literal, `undefined` for other text. */
export function constant(text: string): JsonSchema | undefined {
  try {
    const value: JsonSchema = JSON.parse(text);
    return typeof value === 'object' && value !== null ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Text that stands in a JSON string as it is. */
export function isPlain(text: string): boolean {
  return JSON.stringify(text) === `"${text}"`;
}

const anyText: ReadonlySet<string> = new Set([
  '.',
  '[^"]',
  '[^"\\n]',
  '[^"\\\\]',
  '[^"\\\\\\n]',
  '[^\\n"]',
  '[^\\\\"]',
]);

export function isAnyText(node: RegexNode): boolean {
  return node.kind === 'set' && anyText.has(node.source);
}

/** Never a quote or a backslash, so that the text is the value. */
export function isPlainNode(node: RegexNode): boolean {
  switch (node.kind) {
    case 'text':
      return isPlain(node.value);
    case 'set':
      return isPlainSet(node.source);
    case 'options':
      return node.options.every((option) => option.every(isPlainNode));
    case 'repeat':
      return isPlainNode(node.node);
  }
}

function isPlainSet(source: string): boolean {
  if (/^\\[dws]$/.test(source)) return true;
  if (!source.startsWith('[') || source.startsWith('[^')) return false;
  const items = [...source.slice(1, -1).matchAll(/\\[\s\S]|[\s\S]/gu)].map(([item]) => item);
  return items.every((item, i) => {
    const isRange = item === '-' && i > 0 && i < items.length - 1;
    if (!isRange) return /^\\[dwsnt]$/.test(item) || isPlain(item.at(-1) ?? '');
    const [low, high] = [items[i - 1]?.at(-1) ?? '', items[i + 1]?.at(-1) ?? ''];
    return !['"', '\\'].some((char) => low <= char && char <= high);
  });
}
