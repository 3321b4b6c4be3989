/** Random edits as an unsteady hand makes them, reproducible by seed. */

export type Random = () => number;

/** Mulberry32: uniform in [0, 1). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const snippets = [
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '"',
  "'",
  '"""',
  '\n',
  '    ',
  '\t',
  ':',
  ',',
  '.',
  '=',
  '+=',
  '\\',
  '#',
  '!',
  '%',
  '@',
  'f"{',
  '{{',
  'def ',
  'if ',
  'else:',
  'for x in ',
  'while True:\n',
  'return ',
  'lambda ',
  'async ',
  'await ',
  'class ',
  'with ',
  'match x:\n',
  'case ',
  'try:\n',
  'except',
  'import ',
  'from ',
  's += gen(',
  's["',
  'state["x"]',
  '.fork(',
  '.join()',
  '.run(',
  '0',
  '1e',
  '\u00e9',
  '\ud83d\ude00',
  '\ud83d',
  '\u0000',
  'yield ',
  'not ',
  ':=',
  '**',
  '->',
  ';',
  '%%',
  'sgl.',
];

export function mutate(text: string, random: Random): string {
  const at = Math.floor(random() * (text.length + 1));
  const length = Math.floor(random() * random() * 30);
  switch (Math.floor(random() * 5)) {
    case 0:
      return text.slice(0, at) + text.slice(at + length);
    case 1:
      return (
        text.slice(0, at) +
        (snippets[Math.floor(random() * snippets.length)] ?? '') +
        text.slice(at)
      );
    case 2: {
      const from = Math.floor(random() * text.length);
      return text.slice(0, at) + text.slice(from, from + length) + text.slice(at);
    }
    case 3: {
      const lines = text.split('\n');
      const i = Math.floor(random() * lines.length);
      const j = Math.floor(random() * lines.length);
      [lines[i], lines[j]] = [lines[j] ?? '', lines[i] ?? ''];
      return lines.join('\n');
    }
    default:
      return (
        text.slice(0, at) + String.fromCharCode(32 + Math.floor(random() * 95)) + text.slice(at + 1)
      );
  }
}
