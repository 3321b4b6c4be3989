import { randomUUID } from 'node:crypto';
import type { TokenLogprob } from '../scheduler/messages.ts';
import type { GenerateItem } from './generate-request.ts';
import type { ResultFormat } from './generate-response.ts';
import type { Generation, LogprobColumns } from './generation.ts';
import type { ToolCall, ToolCallFormat } from './tool-call-format.ts';
import { ToolCallReader } from './tool-call-reader.ts';
import type { AnswerPart } from './tool-call-reader.ts';

export interface OpenAiHead {
  readonly id: string;
  readonly model: string;
  readonly created: number;
  /** Put `prompt_tokens_details` into `usage`. */
  readonly cacheReport: boolean;
}

type Choice = Record<string, unknown>;

/** How one of the two APIs words its answers; choices come without their index. */
export interface OpenAiDialect {
  readonly object: string;
  readonly chunkObject: string;
  choice(generation: Generation, item: GenerateItem): Choice;
  /** A choice that is streamed. */
  stream(item: GenerateItem): ChoiceStream;
}

export interface ChoiceStream {
  /** What is new since the last call: one or more chunks. */
  next(generation: Generation): Choice[];
}

export function completionDialect(format: ResultFormat, echo: boolean): OpenAiDialect {
  const prompt = ({ request }: Generation, item: GenerateItem): string => {
    if (!echo) return '';
    if (item.prompt.kind === 'text') return item.prompt.text;
    const bytes = request.inputIds.map((token) => format.bytesOf(token));
    return Buffer.concat(bytes).toString();
  };
  return {
    object: 'text_completion',
    chunkObject: 'text_completion',
    choice: (generation, item) => ({
      text: prompt(generation, item) + generation.text,
      logprobs:
        item.logprobs === null
          ? null
          : completionLogprobs(rows(generation, { echo, from: 0 }), format),
      ...finish(generation),
    }),
    stream: (item) => {
      const cursor = new Cursor();
      return {
        next: (generation) => {
          const isFirst = cursor.isFirst;
          const { text, from } = cursor.advance(generation);
          const news = rows(generation, { echo: echo && isFirst, from });
          const hasLogprobs = item.logprobs !== null && news.tokens.length > 0;
          return [
            {
              text: (isFirst ? prompt(generation, item) : '') + text,
              logprobs: hasLogprobs ? completionLogprobs(news, format) : null,
              ...finish(generation),
            },
          ];
        },
      };
    },
  };
}

/** `calls`: how the model writes tool calls; null when it may make none. */
export function chatDialect(format: ResultFormat, calls: ToolCallFormat | null): OpenAiDialect {
  const logprobs = (generation: Generation, item: GenerateItem, from: number) => {
    const news = rows(generation, { echo: false, from });
    return item.logprobs === null || (from > 0 && news.tokens.length === 0)
      ? null
      : { content: chatLogprobs(news, format) };
  };
  return {
    object: 'chat.completion',
    chunkObject: 'chat.completion.chunk',
    choice: (generation, item) => {
      const message = wholeMessage(generation.text, calls);
      return {
        message,
        logprobs: logprobs(generation, item, 0),
        ...finish(generation, message.tool_calls !== null),
      };
    },
    stream: (item) => {
      const cursor = new Cursor();
      const reader = new DeltaReader(calls);
      return {
        next: (generation) => {
          const isFirst = cursor.isFirst;
          const { text, from } = cursor.advance(generation);
          const deltas = reader.read(text, generation.finish !== null);
          const entries = logprobs(generation, item, from);
          const start = isFirst ? [openChunk({ role: 'assistant', content: '' }, null)] : [];
          const body = deltas.map((delta, i) => openChunk(delta, i === 0 ? entries : null));
          // Log probabilities of tokens whose text is held back must not be lost.
          if (deltas.length === 0 && entries !== null) body.push(openChunk({}, entries));
          const last = { delta: {}, logprobs: null, ...finish(generation, reader.calls > 0) };
          return [...start, ...body, ...(generation.finish === null ? [] : [last])];
        },
      };
    },
  };
}

function openChunk(delta: Choice, logprobs: unknown): Choice {
  return { delta, logprobs, finish_reason: null, matched_stop: null };
}

/** How much of a generation has been sent. */
class Cursor {
  #characters = 0;
  #tokens = 0;
  isFirst = true;

  advance(generation: Generation): { readonly text: string; readonly from: number } {
    const text = generation.text.slice(this.#characters);
    const from = this.#tokens;
    this.#characters = generation.text.length;
    this.#tokens = generation.output.tokens.length;
    this.isFirst = false;
    return { text, from };
  }
}

/** Pieces of answer to the deltas of a chat message. */
class DeltaReader {
  readonly #reader: ToolCallReader | null;
  calls = 0;

  constructor(format: ToolCallFormat | null) {
    this.#reader = format === null ? null : new ToolCallReader(format);
  }

  read(text: string, isEnd: boolean): Choice[] {
    if (this.#reader === null) return text === '' ? [] : [{ content: text }];
    const parts = [...this.#reader.append(text), ...(isEnd ? this.#reader.finish() : [])];
    return parts.map((part) => this.#delta(part));
  }

  #delta(part: AnswerPart): Choice {
    if (part.kind === 'text') return { content: part.text };
    const index = this.calls;
    this.calls += 1;
    return { tool_calls: [{ index, ...callEntry(part.call) }] };
  }
}

function wholeMessage(
  text: string,
  format: ToolCallFormat | null,
): Choice & { readonly tool_calls: unknown[] | null } {
  const message = { role: 'assistant', content: text, reasoning_content: null };
  if (format === null) return { ...message, tool_calls: null };
  const reader = new ToolCallReader(format);
  const parts = [...reader.append(text), ...reader.finish()];
  const calls = parts.flatMap((part) => (part.kind === 'call' ? [callEntry(part.call)] : []));
  if (calls.length === 0) return { ...message, tool_calls: null };
  const content = parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');
  return { ...message, content: content.trim() === '' ? null : content, tool_calls: calls };
}

function callEntry(call: ToolCall): Choice {
  const id = `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
  return { id, type: 'function', function: { ...call } };
}

/** OpenAI's finish reason, and what stopped it. */
function finish({ finish }: Generation, calledTools = false): Choice {
  const reason = calledTools && finish?.type === 'stop' ? 'tool_calls' : (finish?.type ?? null);
  return {
    finish_reason: reason,
    matched_stop: finish?.type === 'stop' ? finish.matched : null,
  };
}

/** A prompt counts once, however many answers it gets. */
export function usage(
  generations: readonly Generation[],
  answersPerPrompt: number,
  head: OpenAiHead,
): unknown {
  const sum = (of: (generation: Generation) => number, every = 1): number =>
    generations.reduce((total, one, index) => total + (index % every === 0 ? of(one) : 0), 0);
  const prompt = sum(({ request }) => request.inputIds.length, answersPerPrompt);
  const completion = sum(({ tokens }) => tokens.length);
  return {
    prompt_tokens: prompt,
    total_tokens: prompt + completion,
    completion_tokens: completion,
    prompt_tokens_details: head.cacheReport
      ? { cached_tokens: sum(({ cachedTokens }) => cachedTokens, answersPerPrompt) }
      : null,
  };
}

type Rows = Pick<LogprobColumns, 'tokens' | 'top'>;

/** Log probabilities of generated tokens, with `echo` after those of the prompt. */
function rows(
  { request, input, output }: Generation,
  { echo, from }: { readonly echo: boolean; readonly from: number },
): Rows {
  const tokens = output.tokens.slice(from);
  const top = output.top.slice(from);
  const first = request.inputIds[0];
  if (!echo || first === undefined || request.logprobs?.start !== 0) return { tokens, top };
  return {
    tokens: [[null, first], ...input.tokens, ...tokens],
    top: [null, ...input.top, ...top],
  };
}

function completionLogprobs({ tokens, top }: Rows, format: ResultFormat): unknown {
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

function chatLogprobs({ tokens, top }: Rows, format: ResultFormat): unknown {
  const entry = ([logprob, token]: TokenLogprob) => ({
    token: format.textOf(token),
    bytes: [...format.bytesOf(token)],
    logprob,
  });
  return tokens.map((row, index) => ({
    ...entry(row),
    top_logprobs: (top[index] ?? []).map(entry),
  }));
}
