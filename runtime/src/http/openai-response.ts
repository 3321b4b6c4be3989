import type { GenerateItem } from './generate-request.ts';
import type { ResultFormat } from './generate-response.ts';
import type { Generation } from './generation.ts';

export interface OpenAiHead {
  readonly id: string;
  readonly model: string;
  readonly created: number;
  /** Put `prompt_tokens_details` into `usage`. */
  readonly cacheReport: boolean;
}

/** How one of the two APIs words its answers. */
export interface OpenAiDialect {
  readonly object: string;
  readonly chunkObject: string;
  choice(index: number, generation: Generation, item: GenerateItem): Record<string, unknown>;
  /** The part of a streamed choice that is new since `sent` characters and `tokens` tokens. */
  chunk(generation: Generation, sent: number, isFirst: boolean): Record<string, unknown>;
}

export function completionDialect(format: ResultFormat, echo: boolean): OpenAiDialect {
  const prompt = (item: GenerateItem): string =>
    echo && item.prompt.kind === 'text' ? item.prompt.text : '';
  return {
    object: 'text_completion',
    chunkObject: 'text_completion',
    choice: (index, generation, item) => ({
      index,
      text: prompt(item) + generation.text,
      logprobs: item.logprobs === null ? null : completionLogprobs(generation, format),
      ...finish(generation),
    }),
    chunk: (generation, sent) => ({ text: generation.text.slice(sent), logprobs: null }),
  };
}

export function chatDialect(format: ResultFormat): OpenAiDialect {
  return {
    object: 'chat.completion',
    chunkObject: 'chat.completion.chunk',
    choice: (index, generation, item) => ({
      index,
      message: { role: 'assistant', content: generation.text, tool_calls: null },
      logprobs: item.logprobs === null ? null : { content: chatLogprobs(generation, format) },
      ...finish(generation),
    }),
    chunk: (generation, sent, isFirst) => ({
      delta: {
        ...(isFirst ? { role: 'assistant' } : {}),
        content: generation.text.slice(sent),
      },
      logprobs: null,
    }),
  };
}

/** OpenAI's finish reason, and what stopped it. */
export function finish({ finish }: Generation): Record<string, unknown> {
  return {
    finish_reason: finish?.type ?? null,
    matched_stop: finish?.type === 'stop' ? finish.matched : null,
  };
}

export function usage(generations: readonly Generation[], head: OpenAiHead): unknown {
  const sum = (of: (generation: Generation) => number): number =>
    generations.reduce((total, generation) => total + of(generation), 0);
  const prompt = sum(({ request }) => request.inputIds.length);
  const completion = sum(({ tokens }) => tokens.length);
  return {
    prompt_tokens: prompt,
    total_tokens: prompt + completion,
    completion_tokens: completion,
    prompt_tokens_details: head.cacheReport
      ? { cached_tokens: sum(({ cachedTokens }) => cachedTokens) }
      : null,
  };
}

function completionLogprobs(generation: Generation, format: ResultFormat): unknown {
  const { tokens, top } = generation.output;
  return {
    tokens: tokens.map(([, token]) => format.textOf(token)),
    token_logprobs: tokens.map(([logprob]) => logprob),
    top_logprobs: top.map((row) =>
      row === null
        ? null
        : Object.fromEntries(row.map(([logprob, token]) => [format.textOf(token), logprob])),
    ),
    text_offset: tokens.map(() => -1),
  };
}

function chatLogprobs(generation: Generation, format: ResultFormat): unknown {
  const entry = ([logprob, token]: readonly [number | null, number]) => {
    const text = format.textOf(token);
    return { token: text, bytes: [...Buffer.from(text)], logprob };
  };
  const { tokens, top } = generation.output;
  return tokens.map((row, index) => ({
    ...entry(row),
    top_logprobs: (top[index] ?? []).map(entry),
  }));
}
