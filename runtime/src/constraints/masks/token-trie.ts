import type { ConstraintVocabulary } from '../constraint.ts';

/** Numbers per node of the trie. */
export const NODE_WORDS = 3;

/**
 * All tokens that a constraint may allow, as a trie in depth-first order, so that a walk is a
 * single scan which jumps over dead subtrees. Built once per model.
 *
 * Node at index i of `nodes`: [byte | depth << 8, index behind the subtree, first token or −1].
 * Control tokens, end tokens and tokens without bytes are not in it: their text is not output.
 */
export class TokenTrie {
  readonly vocabularySize: number;
  readonly nodes: Int32Array;
  /** Next token with the same bytes, or −1. */
  readonly nextEqual: Int32Array;
  readonly longestToken: number;
  readonly endTokens: readonly number[];
  /** 1 for bytes that occur in some token. */
  readonly usableBytes: Uint8Array;
  readonly #offsets: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(vocabulary: ConstraintVocabulary) {
    this.vocabularySize = vocabulary.size;
    this.endTokens = vocabulary.endOfGeneration.filter(
      (token) => token >= 0 && token < vocabulary.size,
    );
    const texts = readTokens(vocabulary);
    const tokens = texts
      .map((_, token) => token)
      .filter((token) => texts[token] !== '')
      .sort((left, right) => compare(texts[left] ?? '', texts[right] ?? '') || left - right);
    this.nextEqual = new Int32Array(vocabulary.size).fill(-1);
    this.nodes = layOut(tokens, texts, this.nextEqual);
    this.longestToken = tokens.reduce(
      (longest, token) => Math.max(longest, texts[token]?.length ?? 0),
      0,
    );
    const packed = pack(texts);
    this.#offsets = packed.offsets;
    this.#bytes = packed.bytes;
    this.usableBytes = new Uint8Array(256);
    for (const byte of this.#bytes) this.usableBytes[byte] = 1;
  }

  isEnd(token: number): boolean {
    return this.endTokens.includes(token);
  }

  /** Bytes of a token; empty if constraints never allow it or the id is out of range. */
  bytes(token: number): Uint8Array {
    const from = this.#offsets[token] ?? 0;
    return this.#bytes.subarray(from, this.#offsets[token + 1] ?? from);
  }

  get byteLength(): number {
    return (
      this.nodes.byteLength +
      this.nextEqual.byteLength +
      this.#offsets.byteLength +
      this.#bytes.byteLength
    );
  }
}

/** Tokens as strings of one character per byte, '' for those that are never allowed. */
function readTokens(vocabulary: ConstraintVocabulary): string[] {
  const ends = new Set(vocabulary.endOfGeneration);
  const texts: string[] = [];
  for (let token = 0; token < vocabulary.size; token++) {
    const excluded = ends.has(token) || vocabulary.isControl(token);
    texts.push(excluded ? '' : latin1(vocabulary.bytes(token, false)));
  }
  return texts;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function commonPrefix(left: string, right: string): number {
  const limit = Math.min(left.length, right.length);
  let length = 0;
  while (length < limit && left.charCodeAt(length) === right.charCodeAt(length)) length++;
  return length;
}

function layOut(
  tokens: readonly number[],
  texts: readonly string[],
  nextEqual: Int32Array,
): Int32Array {
  let nodeCount = 0;
  tokens.forEach((token, index) => {
    const before = index === 0 ? '' : (texts[tokens[index - 1] ?? 0] ?? '');
    const text = texts[token] ?? '';
    nodeCount += text.length - commonPrefix(before, text);
  });
  const nodes = new Int32Array(nodeCount * NODE_WORDS);
  const path: number[] = [];
  let next = 0;
  let before = '';
  const closeTo = (depth: number): void => {
    while (path.length > depth) nodes[(path.pop() ?? 0) + 1] = next;
  };
  for (const token of tokens) {
    const text = texts[token] ?? '';
    closeTo(commonPrefix(before, text));
    for (let depth = path.length; depth < text.length; depth++) {
      nodes[next] = text.charCodeAt(depth) | (depth << 8);
      nodes[next + 2] = -1;
      path.push(next);
      next += NODE_WORDS;
    }
    const last = (path.at(-1) ?? 0) + 2;
    nextEqual[token] = nodes[last] ?? -1;
    nodes[last] = token;
    before = text;
  }
  closeTo(0);
  return nodes;
}

function pack(texts: readonly string[]): { offsets: Int32Array; bytes: Uint8Array } {
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach((text, token) => (offsets[token + 1] = (offsets[token] ?? 0) + text.length));
  const bytes = new Uint8Array(Buffer.from(texts.join(''), 'latin1'));
  return { offsets, bytes };
}
