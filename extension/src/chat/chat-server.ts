/** A runtime's OpenAI API, as far as chats need it; errors say what happened. No VS Code. */
import { field } from '../field.ts';

export interface ChatServer {
  /** Base URL without a slash at its end. */
  readonly url: string;
  /** Bearer token. */
  readonly key?: string;
}

export interface ServedModel {
  readonly name: string;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** A request that got no answer, or not a whole one. */
export class ChatServerError extends Error {
  readonly code: 'UNREACHABLE' | 'REFUSED' | 'BROKEN_OFF';

  constructor(code: ChatServerError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Fails with `ChatServerError`, as all of these do; an abort is an `AbortError`. */
export async function servedModel(server: ChatServer, signal: AbortSignal): Promise<ServedModel> {
  const answer = await jsonOf(await ask(server, '/v1/models', signal));
  const data = field(answer, 'data');
  const card: unknown = Array.isArray(data) ? data[0] : undefined;
  const [name, contextLength] = [field(card, 'id'), field(card, 'max_model_len')];
  if (typeof name !== 'string' || typeof contextLength !== 'number')
    throw new ChatServerError('REFUSED', 'it names no model');
  return { name, contextLength };
}

export async function countTokens(
  server: ChatServer,
  text: string,
  signal: AbortSignal,
): Promise<number> {
  const body = { prompt: text, add_special_tokens: false };
  const count = field(await jsonOf(await ask(server, '/tokenize', signal, body)), 'count');
  if (typeof count !== 'number') throw new ChatServerError('REFUSED', 'it counts no tokens');
  return count;
}

/** Hands each piece of the answer to `onText` as it comes. `options` are those of the API. */
export async function streamChat(
  server: ChatServer,
  messages: readonly ChatMessage[],
  options: Readonly<Record<string, unknown>>,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const body = { ...options, messages, stream: true };
  const response = await ask(server, '/v1/chat/completions', signal, body);
  let isDone = false;
  for await (const data of events(response, signal)) {
    if (data === '[DONE]') {
      isDone = true;
      continue;
    }
    const event: unknown = JSON.parse(data);
    const reason = reasonIn(event);
    if (reason !== null) throw new ChatServerError('BROKEN_OFF', reason);
    const choices = field(event, 'choices');
    const text = field(field(Array.isArray(choices) ? choices[0] : undefined, 'delta'), 'content');
    if (typeof text === 'string' && text !== '') onText(text);
  }
  if (!isDone) throw new ChatServerError('BROKEN_OFF', 'the connection ended');
}

/** The data of server-sent events. */
async function* events(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6).trimEnd();
    }
  } catch (error) {
    throw signal.aborted ? error : new ChatServerError('BROKEN_OFF', causeOf(error));
  }
}

async function ask(
  { url, key }: ChatServer,
  path: string,
  signal: AbortSignal,
  body?: object,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, {
      signal,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        // The runtime's log is below the user's cells.
        'x-access-log': 'off',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw signal.aborted ? error : new ChatServerError('UNREACHABLE', causeOf(error));
  }
  if (response.ok) return response;
  const reason = reasonIn(await jsonOf(response)) ?? `it answered ${response.status}`;
  throw new ChatServerError('REFUSED', reason);
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

/** Of OpenAI's errors, with and without the object around them. */
function reasonIn(answer: unknown): string | null {
  const error = field(answer, 'error') ?? (field(answer, 'object') === 'error' ? answer : null);
  const message = field(error, 'message');
  return typeof message === 'string' ? message : null;
}

/** `fetch` hides what happened in the cause. */
function causeOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
