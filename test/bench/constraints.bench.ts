/**
 * Constrained decoding: what masks cost, cold and warm, for vocabularies of three sizes; what a
 * constraint adds to the work per token; how many model steps jump-forward saves.
 */
import { createConstraintCompiler } from '../../runtime/src/constraints/compiler.ts';
import type {
  ConstraintSource,
  ConstraintVocabulary,
  Grammar,
} from '../../runtime/src/constraints/constraint.ts';
import { planJump, type JumpVocabulary } from '../../runtime/src/constraints/jump-forward.ts';
import { TokenTrie } from '../../runtime/src/constraints/masks/token-trie.ts';

const SIZES = [32_768, 131_072, 262_144];
const ROUNDS = 5;
const WALK_STEPS = 60;

const TICKET = String.raw`\{\n    "title": "[\w\d\s]{1,24}",\n    "status": "(open|in progress|closed)",\n    "priority": "(low|normal|high|urgent)",\n    "owner": \{\n        "name": "[\w\d\s]{1,16}",\n        "team": "(runtime|kernel|editor|documentation)",\n        "hours": [0-9]{1,2}\.[0-9]{0,2}\n    \},\n    "public": (true|false),\n    "summary": "[\w\d\s]{1,16}"\n\}`;
const TICKET_TEXT =
  '{\n    "title": "masks are slow",\n    "status": "in progress",\n    "priority": "high",\n    "owner": {\n        "name": "Ada Lovelace",\n        "team": "runtime",\n        "hours": 12.5\n    },\n    "public": true,\n    "summary": "measured"\n}';

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 40 },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    tags: { type: 'array', items: { type: 'string' }, maxItems: 8 },
    address: {
      type: 'object',
      properties: { city: { type: 'string' }, zip: { type: 'string', pattern: '^[0-9]{5}$' } },
      required: ['city'],
    },
    score: { type: 'number' },
  },
  required: ['name', 'age', 'address'],
});

const SOURCES: readonly (readonly [name: string, source: ConstraintSource])[] = [
  ['date', { kind: 'regex', pattern: '[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}' }],
  ['ticket', { kind: 'regex', pattern: TICKET }],
  ['.{0,200}', { kind: 'regex', pattern: '.{0,200}' }],
  ['JSON schema', { kind: 'json_schema', schema: SCHEMA }],
  ['any JSON', { kind: 'json_schema', schema: '{}' }],
  ['expressions', { kind: 'ebnf', grammar: 'root ::= root [-+*/] root | "(" root ")" | [0-9]+' }],
];

function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Bytes, syllables with and without a blank in front, punctuation, digits, other scripts. */
class SyntheticVocabulary implements ConstraintVocabulary, JumpVocabulary {
  readonly size: number;
  readonly endOfGeneration: readonly number[];
  readonly #tokens: Uint8Array[] = [];
  readonly #ids = new Map<string, number>();
  #longest = 0;

  constructor(size: number) {
    this.size = size;
    this.endOfGeneration = [size - 1];
    const random = randomSource(7);
    const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)] ?? '';
    const syllables = Array.from({ length: 400 }, () =>
      [pick(Array.from('bcdfghklmnprstvw')), pick(Array.from('aeiou')), pick(Array.from('lnrst  '))]
        .join('')
        .trim(),
    );
    const marks = [
      '"',
      '": "',
      '",\n',
      '\n    "',
      '\n        "',
      '{\n',
      '}',
      ' {',
      '": ',
      '    ',
      '\n',
    ];
    const scripts = Array.from({ length: 3000 }, (_, index) =>
      String.fromCodePoint(0x4e00 + index),
    );
    for (let byte = 0; byte < 256; byte++) this.#add(Uint8Array.of(byte));
    for (const text of [...marks, ...scripts]) this.#add(new TextEncoder().encode(text));
    while (this.#tokens.length < size - 1) {
      const word = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(syllables)).join(
        '',
      );
      const form = random();
      const cased = form < 0.2 ? word.charAt(0).toUpperCase() + word.slice(1) : word;
      const mark = random() < 0.06 ? pick(marks) : '';
      this.#add(new TextEncoder().encode((random() < 0.6 ? ' ' : '') + cased + mark));
    }
    this.#tokens.push(new Uint8Array(0));
  }

  bytes(token: number): Uint8Array {
    return this.#tokens[token] ?? new Uint8Array(0);
  }

  isControl(token: number): boolean {
    return token === this.size - 1;
  }

  tokenize(text: string): number[] {
    const latin = Buffer.from(text).toString('latin1');
    const tokens: number[] = [];
    for (let at = 0; at < latin.length;) {
      let length = Math.min(this.#longest, latin.length - at);
      while (length > 1 && !this.#ids.has(latin.slice(at, at + length))) length--;
      tokens.push(this.#ids.get(latin.slice(at, at + length)) ?? 0);
      at += length;
    }
    return tokens;
  }

  #add(bytes: Uint8Array): void {
    const latin = Buffer.from(bytes).toString('latin1');
    if (this.#ids.has(latin)) return;
    this.#ids.set(latin, this.#tokens.length);
    this.#longest = Math.max(this.#longest, bytes.length);
    this.#tokens.push(bytes);
  }
}

function milliseconds(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function randomAllowed(mask: Int32Array, random: () => number): number {
  const offset = Math.floor(random() * mask.length);
  for (let step = 0; step < mask.length; step++) {
    const index = (offset + step) % mask.length;
    const word = mask[index] ?? 0;
    if (word !== 0) return index * 32 + (31 - Math.clz32(word & -word));
  }
  return -1;
}

/** Tokens of one random output. */
function walk(
  grammar: Grammar,
  random: () => number,
  visit: (milliseconds: number) => void,
): number[] {
  const matcher = grammar.start();
  const tokens: number[] = [];
  for (let step = 0; step < WALK_STEPS && !matcher.mustEnd; step++) {
    const start = performance.now();
    const mask = matcher.mask();
    visit(performance.now() - start);
    const token = randomAllowed(mask, random);
    if (!matcher.accept(token)) break;
    tokens.push(token);
  }
  return tokens;
}

function microseconds(time: number): string {
  return `${(time * 1000).toFixed(time < 0.001 ? 2 : 0)} µs`;
}

function measureMasks(vocabulary: SyntheticVocabulary): void {
  for (const [name, source] of SOURCES) {
    const compile: number[] = [];
    const cold: number[] = [];
    const warm: number[] = [];
    const accept: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const compiler = createConstraintCompiler(vocabulary);
      compiler.compile({ kind: 'regex', pattern: 'x' }); // builds the trie
      let grammar: Grammar | null = null;
      compile.push(milliseconds(() => (grammar = compiler.compile(source))));
      if (grammar === null) throw new Error('not compiled');
      const tokens = walk(grammar, randomSource(round), (time) => cold.push(time));
      const matcher = (grammar as Grammar).start();
      for (const token of tokens) {
        matcher.mask();
        warm.push(milliseconds(() => matcher.mask()));
        accept.push(milliseconds(() => matcher.accept(token)));
      }
    }
    console.log(
      `  ${name.padEnd(12)} compile ${quantile(compile, 0.5).toFixed(1)} ms; cold mask median ` +
        `${microseconds(quantile(cold, 0.5))}, p99 ${microseconds(quantile(cold, 0.99))}; warm ` +
        `${microseconds(quantile(warm, 0.5))}; accept ${microseconds(quantile(accept, 0.5))}`,
    );
  }
}

/** Greedy choice over all logits, and over the allowed ones only, in turn. */
function measureSampling(vocabulary: SyntheticVocabulary): void {
  const random = randomSource(3);
  const logits = Float32Array.from({ length: vocabulary.size }, () => random());
  const grammar = createConstraintCompiler(vocabulary).compile({ kind: 'regex', pattern: TICKET });
  const tokens = walk(grammar, randomSource(1), () => {});
  const free: number[] = [];
  const constrained: number[] = [];
  for (let round = 0; round < ROUNDS * 4; round++) {
    free.push(milliseconds(() => tokens.forEach(() => greatest(logits))));
    const matcher = grammar.start();
    constrained.push(
      milliseconds(() =>
        tokens.forEach((token) => {
          greatestAllowed(logits, matcher.mask());
          matcher.accept(token);
          matcher.forcedBytes();
        }),
      ),
    );
  }
  const perToken = (times: readonly number[]) => quantile(times, 0.5) / Math.max(1, tokens.length);
  const ratio = perToken(constrained) / perToken(free);
  console.log(
    `  greedy choice per token: free ${microseconds(perToken(free))}, constrained ` +
      `${microseconds(perToken(constrained))}, ratio ${ratio.toFixed(2)}`,
  );
}

function greatest(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) {
    if ((logits[token] ?? 0) > (logits[best] ?? 0)) best = token;
  }
  return best;
}

function greatestAllowed(logits: Float32Array, mask: Int32Array): number {
  let best = -1;
  for (let index = 0; index < mask.length; index++) {
    for (let word = mask[index] ?? 0; word !== 0; word &= word - 1) {
      const token = index * 32 + (31 - Math.clz32(word & -word));
      if (best < 0 || (logits[token] ?? 0) > (logits[best] ?? 0)) best = token;
    }
  }
  return best;
}

/** Model steps to write a text under its pattern, with and without jumps. */
function modelSteps(vocabulary: SyntheticVocabulary, jumps: boolean): number {
  const grammar = createConstraintCompiler(vocabulary).compile({ kind: 'regex', pattern: TICKET });
  const matcher = grammar.start();
  let output: number[] = [];
  let steps = 0;
  while (!matcher.mustEnd) {
    const jump = jumps ? planJump(matcher, output, vocabulary) : null;
    if (jump !== null) {
      matcher.rollback(output.length - jump.keep);
      for (const token of jump.tokens) matcher.accept(token);
      output = [...output.slice(0, jump.keep), ...jump.tokens];
      continue;
    }
    const written = output.reduce((sum, token) => sum + vocabulary.bytes(token).length, 0);
    const [token = -1] = vocabulary.tokenize(TICKET_TEXT.slice(written));
    if (!matcher.accept(token)) throw new Error(`the text does not match at byte ${written}`);
    output.push(token);
    steps++;
  }
  return steps;
}

for (const size of SIZES) {
  const vocabulary = new SyntheticVocabulary(size);
  const builds = Array.from({ length: 3 }, () => milliseconds(() => new TokenTrie(vocabulary)));
  const megabytes = new TokenTrie(vocabulary).byteLength / 2 ** 20;
  const build = quantile(builds, 0.5).toFixed(0);
  console.log(`${size} tokens: trie ${build} ms, ${megabytes.toFixed(1)} MB, once per model`);
  measureMasks(vocabulary);
  measureSampling(vocabulary);
}
const vocabulary = new SyntheticVocabulary(SIZES[0] ?? 0);
const [plain, jumping] = [modelSteps(vocabulary, false), modelSteps(vocabulary, true)];
const saved = (plain / jumping).toFixed(1);
console.log(`jump-forward, ticket: ${plain} model steps without, ${jumping} with: ${saved}× fewer`);
