/**
 * Regular expressions as trees, for looking at what they spell. Only what JSON is spelled with: text,
 * sets, groups and counts; anything else makes the whole pattern unreadable.
 */

export type RegexNode =
  | { readonly kind: 'text'; readonly value: string }
  /** One character of a set; `source` is the set as written. */
  | { readonly kind: 'set'; readonly source: string }
  | { readonly kind: 'options'; readonly options: readonly (readonly RegexNode[])[] }
  | {
      readonly kind: 'repeat';
      readonly node: RegexNode;
      readonly minimum: number;
      /** `Infinity` without a limit. */
      readonly maximum: number;
    };

class Unreadable extends Error {}

/** `null` for patterns that use more than this file knows. */
export function readRegex(pattern: string): readonly RegexNode[] | null {
  const reader = new TreeReader(pattern);
  try {
    return reader.read();
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

const maximumNesting = 50;
const controls: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

class TreeReader {
  readonly #pattern: string;
  #at = 0;
  #nesting = 0;

  constructor(pattern: string) {
    this.#pattern = pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
  }

  read(): readonly RegexNode[] {
    const options = this.#options();
    if (this.#at < this.#pattern.length) throw new Unreadable();
    const [only] = options;
    return options.length === 1 && only ? only : [{ kind: 'options', options }];
  }

  #options(): readonly (readonly RegexNode[])[] {
    const options = [this.#sequence()];
    while (this.#pattern[this.#at] === '|') {
      this.#at++;
      options.push(this.#sequence());
    }
    return options;
  }

  #sequence(): readonly RegexNode[] {
    const nodes: RegexNode[] = [];
    for (;;) {
      const char = this.#pattern[this.#at];
      if (char === undefined || char === '|' || char === ')') return nodes;
      nodes.push(...this.#counted(this.#atom()));
    }
  }

  /** The atom with its count; a group without one is its content. */
  #counted(nodes: readonly RegexNode[]): readonly RegexNode[] {
    const [whole, minimum, maximum] = this.#count();
    if (whole === '') return nodes;
    this.#at += whole.length;
    if ('?+'.includes(this.#pattern[this.#at] ?? ' ')) throw new Unreadable();
    const [only] = nodes;
    const node: RegexNode =
      nodes.length === 1 && only ? only : { kind: 'options', options: [nodes] };
    return [{ kind: 'repeat', node, minimum, maximum }];
  }

  #count(): readonly [whole: string, minimum: number, maximum: number] {
    const char = this.#pattern[this.#at];
    if (char === '*') return [char, 0, Infinity];
    if (char === '+') return [char, 1, Infinity];
    if (char === '?') return [char, 0, 1];
    const found = /^\{(\d*)(,?)(\d*)\}/.exec(this.#pattern.slice(this.#at));
    const [whole = '', low = '', comma = '', high = ''] = found ?? [];
    if (low === '' && high === '') return ['', 1, 1];
    const maximum = comma === '' ? Number(low) : high === '' ? Infinity : Number(high);
    return [whole, Number(low), maximum];
  }

  #atom(): readonly RegexNode[] {
    const char = this.#pattern[this.#at] ?? '';
    if (char === '(') return this.#group();
    if (char === '[') return [this.#set()];
    if (char === '\\') return [this.#escape()];
    if (char === '.') {
      this.#at++;
      return [{ kind: 'set', source: '.' }];
    }
    if ('*+?^$'.includes(char)) throw new Unreadable();
    const value = String.fromCodePoint(this.#pattern.codePointAt(this.#at) ?? 0);
    this.#at += value.length;
    return [{ kind: 'text', value }];
  }

  #group(): readonly RegexNode[] {
    const head = /^\((?:\?:|\?P<\w+>|(?!\?))/.exec(this.#pattern.slice(this.#at))?.[0];
    if (head === undefined || ++this.#nesting > maximumNesting) throw new Unreadable();
    this.#at += head.length;
    const options = this.#options();
    if (this.#pattern[this.#at] !== ')') throw new Unreadable();
    this.#at++;
    this.#nesting--;
    const [only] = options;
    return options.length === 1 && only ? only : [{ kind: 'options', options }];
  }

  #set(): RegexNode {
    const source = /^\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]/.exec(this.#pattern.slice(this.#at))?.[0];
    if (source === undefined) throw new Unreadable();
    this.#at += source.length;
    return { kind: 'set', source };
  }

  #escape(): RegexNode {
    const letter = this.#pattern[this.#at + 1] ?? '';
    this.#at += 2;
    if (/[dws]/.test(letter)) return { kind: 'set', source: `\\${letter}` };
    const control = controls[letter];
    if (control !== undefined) return { kind: 'text', value: control };
    if (letter === '' || /[\p{L}\p{N}]/u.test(letter)) throw new Unreadable();
    return { kind: 'text', value: letter };
  }
}

/** The text that nodes spell, `null` if they can spell several. */
export function textOf(nodes: readonly RegexNode[]): string | null {
  const parts = nodes.map((node) => (node.kind === 'text' ? node.value : null));
  return parts.every((part) => part !== null) ? parts.join('') : null;
}

const specials = /[.*+?^${}()|[\]\\]/g;

/** The nodes as a pattern again. */
export function formatRegex(nodes: readonly RegexNode[]): string {
  return nodes.map(formatNode).join('');
}

function formatNode(node: RegexNode): string {
  switch (node.kind) {
    case 'text':
      return node.value.replaceAll(specials, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
    case 'set':
      return node.source;
    case 'options':
      return `(${node.options.map(formatRegex).join('|')})`;
    case 'repeat':
      return `${formatNode(node.node)}${formatCount(node.minimum, node.maximum)}`;
  }
}

function formatCount(minimum: number, maximum: number): string {
  if (maximum === Infinity) return minimum === 0 ? '*' : minimum === 1 ? '+' : `{${minimum},}`;
  if (minimum === 0 && maximum === 1) return '?';
  return minimum === maximum ? `{${minimum}}` : `{${minimum},${maximum}}`;
}
