import type { Engine } from '../../../runtime/src/engine/engine.ts';
import type { LlamaServer } from './llama-server.ts';
import { compare, type Comparison, median, type Row, seconds, times } from './measuring.ts';
import type { Ours } from './ours.ts';
import { forks, prompt } from './prompts.ts';
import { rawDecode, rawPrefill } from './raw-loop.ts';

export interface Sides {
  readonly ours: Ours;
  readonly raw: Engine;
  /** Null when no binary was given. */
  readonly peer: LlamaServer | null;
  readonly vocabulary: number;
  readonly rounds: number;
}

const PREFIX = 512;
const FORKS = 8;
const NEW = 32;

const rate = (tokens: number, { ours, other }: Comparison): string =>
  `${(tokens / ours).toFixed(0)} of ${(tokens / other).toFixed(0)} tok/s`;
const both = ({ ours, other }: Comparison): string =>
  `${ours.toFixed(2)} s against ${other.toFixed(2)} s`;

export async function decodeRow(
  { ours, raw, vocabulary, rounds }: Sides,
  tokens: number,
): Promise<Row> {
  const result = await compare(
    rounds,
    async () => {
      await ours.flush();
      const ids = prompt(PREFIX, vocabulary);
      await ours.generate(ids, 1);
      return seconds(() => ours.generate(ids, tokens + 1));
    },
    async () => {
      raw.clear();
      rawPrefill(raw, prompt(PREFIX, vocabulary));
      return seconds(() => rawDecode(raw, PREFIX, tokens + 1));
    },
  );
  const row = { work: 'single-stream decode vs raw engine', goal: '≥ 0.97' };
  return { ...row, figures: rate(tokens + 1, result), value: times(result) };
}

export async function prefillRow({ ours, raw, vocabulary, rounds }: Sides): Promise<Row> {
  const result = await compare(
    rounds,
    async () => {
      await ours.flush();
      const ids = prompt(PREFIX, vocabulary);
      return seconds(() => ours.generate(ids, 1));
    },
    async () => {
      raw.clear();
      return seconds(() => rawPrefill(raw, prompt(PREFIX, vocabulary)));
    },
  );
  const row = { work: `prefill ${PREFIX} vs raw engine`, goal: '≥ 0.97' };
  return { ...row, figures: rate(PREFIX, result), value: times(result) };
}

export async function forkRow({ ours, vocabulary, rounds }: Sides): Promise<Row> {
  const result = await compare(
    rounds,
    () => sharedForks(ours, vocabulary),
    async () => {
      await ours.flush();
      const prompts = Array.from({ length: FORKS }, () => prompt(PREFIX + 2, vocabulary));
      return seconds(() => ours.generate(prompts, NEW));
    },
  );
  const work = `${FORKS} forks × ${NEW} tokens after a ${PREFIX}-token prefix vs unshared`;
  return { work, figures: both(result), value: times(result), goal: '≥ 4×' };
}

async function sharedForks(ours: Ours, vocabulary: number, sampling: object = {}): Promise<number> {
  await ours.flush();
  const prompts = forks(prompt(PREFIX, vocabulary), FORKS);
  return seconds(() => ours.generate(prompts, NEW, sampling));
}

/**
 * Random weights write bytes that are no UTF-8, and llama-server answers those with an error: against
 * it, both sides are led to a word.
 */
export async function peerRows(sides: Sides, peer: LlamaServer): Promise<Row[]> {
  const { ours, vocabulary, rounds, raw } = sides;
  const [word = 300] = raw.vocabulary.tokenize('the', { addSpecial: false, parseSpecial: false });
  const led = { temperature: 0, logit_bias: { [word]: 100 } };
  const choices = { ...led, temperature: 1, n: FORKS };
  const forked = await compare(
    rounds,
    () => sharedForks(ours, vocabulary, led),
    () => seconds(() => peer.all(forks(prompt(PREFIX, vocabulary), FORKS), NEW, led)),
  );
  const nWay = await compare(
    rounds,
    async () => {
      await ours.flush();
      const ids = prompt(PREFIX, vocabulary);
      return seconds(() => ours.generate(ids, NEW, choices));
    },
    () => seconds(() => peer.complete(prompt(PREFIX, vocabulary), NEW, choices)),
  );
  const many = await compare(
    Math.min(rounds, 2),
    async () => {
      await ours.flush();
      const prompts = forks(prompt(1024, vocabulary), 64);
      return seconds(() => ours.generate(prompts, 16, led));
    },
    () => seconds(() => peer.all(forks(prompt(1024, vocabulary), 64), 16, led)),
  );
  const row = (work: string, result: Comparison, goal: string): Row => ({
    work,
    figures: both(result),
    value: times(result),
    goal,
  });
  return [
    row(`${FORKS} forks × ${NEW} tokens vs llama-server`, forked, '≥ 4.5×'),
    row(`one request with n = ${FORKS} vs llama-server`, nWay, '≥ 1.1×'),
    row('64 requests sharing 1,024 tokens, 16 new each, vs llama-server', many, '≥ 2×'),
  ];
}

export async function choicesRow({ ours, vocabulary, rounds }: Sides): Promise<Row> {
  const result = await compare(
    rounds,
    async () => {
      await ours.flush();
      const stem = prompt(PREFIX, vocabulary);
      return seconds(async () => {
        // As `select` does it: first the prompt, then all choices at once.
        await ours.generate(stem, 0);
        await ours.score(forks(stem, FORKS), PREFIX - 1);
      });
    },
    async () => {
      const prompts = forks(prompt(PREFIX, vocabulary), FORKS);
      let sum = 0;
      for (const one of prompts) {
        await ours.flush();
        sum += await seconds(() => ours.score(one, PREFIX - 1));
      }
      return sum;
    },
  );
  const work = `${FORKS} choices on a ${PREFIX}-token prompt vs scored separately`;
  return { work, figures: both(result), value: times(result), goal: '≥ 5×' };
}

/** Neither ends by itself, nor has anything to skip behind the first tokens. */
const REGEX = { regex: '[a-zA-Z0-9 ,.]*' };
const SCHEMA = {
  json_schema: JSON.stringify({
    type: 'object',
    properties: { text: { type: 'string' } },
    required: ['text'],
  }),
};

/** Bars the tokens that could end a string. */
function unending({ vocabulary }: Engine): Record<number, number> {
  const tokens = Array.from({ length: vocabulary.size }, (_, token) => token);
  const ends = tokens.filter(
    (token) => vocabulary.isEndOfGeneration(token) || vocabulary.bytes(token, false).includes(0x22),
  );
  return Object.fromEntries(ends.map((token) => [token, -100]));
}

export async function constraintRows(sides: Sides, tokens: number): Promise<Row[]> {
  const { ours, vocabulary, rounds } = sides;
  const rows: Row[] = [];
  for (const [name, constraint] of [
    ['regex', REGEX],
    ['schema', SCHEMA],
  ] as const) {
    const ids = prompt(64, vocabulary);
    const logit_bias = unending(sides.raw);
    const run = (sampling: object) => async () => {
      await ours.generate(ids, 1);
      return seconds(() => ours.generate(ids, tokens, { logit_bias, ...sampling }));
    };
    await run(constraint)();
    // Of each round: constrained over free.
    const result = await compare(rounds, run({}), run(constraint));
    const perToken = (time: number): string => `${((time / tokens) * 1000).toFixed(2)} ms`;
    rows.push({
      work: `${name}-constrained vs free, per token`,
      figures: `${perToken(result.other)} against ${perToken(result.ours)}`,
      value: times(result),
      goal: '≤ 1.03',
    });
  }
  return rows;
}

const SHEET = String.raw`\{\n    "name": "[\w\d\s]{1,16}",\n    "house": "(Gryffindor|Slytherin|Ravenclaw|Hufflepuff)",\n    "blood status": "(Pure-blood|Half-blood|Muggle-born)",\n    "occupation": "(student|teacher|auror|ministry of magic|death eater|order of the phoenix)",\n    "wand": \{\n        "wood": "[\w\d\s]{1,16}",\n        "core": "[\w\d\s]{1,16}",\n        "length": [0-9]{1,2}\.[0-9]{0,2}\n    \},\n    "alive": "(Alive|Deceased)",\n    "patronus": "[\w\d\s]{1,16}",\n    "bogart": "[\w\d\s]{1,16}"\n\}`;

/** `without` is a runtime that does not skip forced text. */
export async function jumpRow({ ours, vocabulary, rounds }: Sides, without: Ours): Promise<Row> {
  // The same for both: greedy, they write the same fields.
  const ids = prompt(64, vocabulary);
  const run = (side: Ours) => async () => {
    return seconds(() => side.generate(ids, 400, { regex: SHEET, ignore_eos: false }));
  };
  await Promise.all([run(ours)(), run(without)()]);
  const result = await compare(rounds, run(ours), run(without));
  const work = 'character-sheet regex with jump-forward vs without';
  return { work, figures: both(result), value: times(result), goal: '≥ 1.5×' };
}

const STREAMS = 8;
const LONG = 4096;

/** Eight streams decode; a long prompt arrives. */
export async function gapRow({ ours, vocabulary }: Sides): Promise<Row> {
  await ours.flush();
  const streams = Array.from({ length: STREAMS }, () => ours.stream(prompt(32, vocabulary), 160));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const start = performance.now();
  const [first = Number.NaN] = await ours.stream(prompt(LONG, vocabulary), 1);
  const events = (await Promise.all(streams)).map((times) =>
    times.filter((time) => time >= start && time <= first),
  );
  const gaps = events.flatMap((times) => times.slice(1).map((time, i) => time - (times[i] ?? 0)));
  const step = median(gaps);
  const longest = Math.max(...gaps);
  return {
    work: `${LONG}-token prompt arrives while ${STREAMS} streams decode`,
    figures: `first token after ${((first - start) / 1000).toFixed(2)} s; a step ${step.toFixed(0)} ms, longest gap ${longest.toFixed(0)} ms`,
    value: `${(longest / step).toFixed(2)} steps`,
    goal: '≤ 2 steps',
  };
}
