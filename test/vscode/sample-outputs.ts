/** One output of each kind that the kernel can send, with every part of it filled in. */
import {
  BATCH_MIME,
  HIGHLIGHT_MIME,
  NOTICE_MIME,
  STATE_MIME,
  type BatchPayload,
  type ChoiceScore,
  type StatePayload,
  type StateSegment,
  type TokenProbability,
} from '../../extension/protocol/output-payloads.ts';

type Gen = Extract<StateSegment, { kind: 'gen' }>;

export function gen(text: string, more: Partial<Gen> = {}): Gen {
  return {
    kind: 'gen',
    role: 'assistant',
    name: 'answer',
    text,
    source: 'gen',
    constraint: null,
    timing: null,
    tokens: null,
    choices: null,
    request: null,
    ...more,
  };
}

export function state(
  segments: readonly StateSegment[],
  more: Partial<StatePayload> = {},
): StatePayload {
  return { program: 'qa', running: false, error: null, segments, forks: [], ...more };
}

export function said(role: string, text: string): StateSegment {
  return { kind: 'text', role, text };
}

const timing = {
  milliseconds: 510,
  firstTokenMilliseconds: 34,
  promptTokens: 41,
  cachedTokens: 12,
  completionTokens: 8,
  queueMilliseconds: 1,
  prefillMilliseconds: 20,
};

/** `others` are alternatives with their probabilities. */
export function token(
  text: string,
  probability: number,
  others: readonly (readonly [string, number])[] = [],
): TokenProbability {
  const top = others.map(([other, share]) => ({ text: other, logprob: Math.log(share) }));
  return { text, logprob: Math.log(probability), top };
}

const TOKENS = [
  token('Ber', 0.3, [
    ['Mun', 0.4],
    ['Ber', 0.3],
  ]),
  token('lin', 0.05, [['ich', 0.9]]),
  token('.', 0.6),
  token('<|im_end|>', 0.99),
];

/** Of a gen that asked for log probabilities without their text. */
export const NUMBERED_TOKENS: readonly TokenProbability[] = [
  {
    text: null,
    id: 1234,
    logprob: Math.log(0.05),
    top: [{ text: null, id: 99, logprob: Math.log(0.9) }],
  },
];

/** The mean decides for the first; the other ways would have chosen the second. */
export const CHOICES: readonly ChoiceScore[] = [
  {
    text: 'a city',
    score: -0.4,
    chosen: true,
    probability: 0.71,
    greedyLoss: 2,
    gain: 0.2,
    tokens: [
      { text: 'a', logprob: -0.1, without: null },
      { text: ' city', logprob: -0.7, without: -3 },
    ],
  },
  {
    text: 'a river',
    score: -0.6,
    chosen: false,
    probability: 0.29,
    greedyLoss: null,
    gain: 0.9,
    tokens: [
      { text: 'a', logprob: -0.1, without: null },
      { text: null, logprob: -0.6, without: -2 },
    ],
  },
];

export const RED_SQUARE =
  'iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX/AAD///9BHTQRAAAAFElEQVR42mNgGAWjYBSMglFATwAABQAAAeg/hCAAAAAASUVORK5CYII=';

const conversation = state([
  said('system', 'You are a helpful assistant.'),
  said('user', 'What is the capital of Germany?'),
  gen('Berlin.', {
    name: 'capital',
    timing,
    tokens: TOKENS,
    request: { url: 'http://127.0.0.1:30000/generate', body: { text: "it's" } },
  }),
  said('assistant', 'It is '),
  gen('a city', {
    name: 'kind',
    source: 'select',
    timing,
    constraint: 'choices "a city", "a river"',
    choices: CHOICES,
    decidedBy: 'token_length_normalized',
  }),
  gen('1879', {
    name: 'year',
    timing,
    constraint: String.raw`regex \d{4}`,
    tokens: NUMBERED_TOKENS,
  }),
]);

const batch: BatchPayload = {
  program: 'capital_of',
  total: 3,
  finished: 2,
  failed: 1,
  rows: [
    {
      index: 0,
      arguments: { country: 'Italy' },
      values: { capital: 'Rome' },
      error: null,
      milliseconds: 850,
    },
    {
      index: 1,
      arguments: { country: 'Peru' },
      values: {},
      error: 'the prompt is too long',
      milliseconds: 3,
    },
  ],
};

export const SAMPLE_OUTPUTS: readonly (readonly [mime: string, payload: unknown])[] = [
  [HIGHLIGHT_MIME, { text: 'What print_highlight shows' }],
  [NOTICE_MIME, { severity: 'info', text: 'The starter model runs in its place.' }],
  [NOTICE_MIME, { severity: 'warning', text: 'The host 0.0.0.0 was replaced.' }],
  [STATE_MIME, conversation],
  [
    STATE_MIME,
    state([said('user', 'Who was Albert Einstein?')], {
      forks: ['A physicist.', 'A physicist.', 'A violinist.'].map((text) =>
        state([gen(text, { name: 'opinion', timing })]),
      ),
    }),
  ],
  [STATE_MIME, state([said('user', 'x'), gen('so far')], { running: true })],
  [STATE_MIME, state([said('user', 'x'), gen('')], { error: 'the server is gone' })],
  [
    STATE_MIME,
    state([
      { kind: 'image', role: 'user', mime: 'image/png', base64: RED_SQUARE },
      gen('A red square.'),
    ]),
  ],
  [BATCH_MIME, batch],
];
