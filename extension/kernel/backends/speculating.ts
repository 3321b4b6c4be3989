/**
 * SGLang's speculation for services that bill every request's prompt (`num_api_spec_tokens`): one request
 * asks for more text than its gen wants, and gens that follow take theirs from it for as long as the
 * program's own text agrees with what was written.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  BackendError,
  UnsupportedByBackendError,
  type Backend,
  type Completion,
  type FormPart,
  type GenerateParams,
  type Prompt,
  type SentRequest,
} from './backend.ts';

type OnRequest = (request: SentRequest) => void;

/** How often a chat model is asked for a message in the program's form, as in SGLang. */
const TRIES = 3;

/** The backend with speculation, or as it is where it has none: only OpenAI's API does it. */
export function speculating(backend: Backend, tokens: number): Backend {
  const chat = backend.modelInfo['is_chat_model'];
  return typeof chat === 'boolean' ? new SpeculatingBackend(backend, tokens, chat) : backend;
}

/** An answer as far as it goes, for one way of sampling. */
interface Foreseen {
  readonly text: string;
  readonly sampling: string;
}

class SpeculatingBackend implements Backend {
  readonly url: string;
  readonly modelInfo: JsonObject;
  readonly modelPath: string;
  readonly looksAhead = true;
  readonly pickChoice?: NonNullable<Backend['pickChoice']>;
  readonly #inner: Backend;
  readonly #tokens: number;
  readonly #chat: boolean;
  /** Of a completion model the whole text; of a chat model the message. */
  #foreseen: Foreseen | null = null;

  constructor(inner: Backend, tokens: number, chat: boolean) {
    this.url = inner.url;
    this.modelInfo = inner.modelInfo;
    this.modelPath = inner.modelPath;
    this.#inner = inner;
    this.#tokens = tokens;
    this.#chat = chat;
    if (inner.pickChoice !== undefined) this.pickChoice = inner.pickChoice;
  }

  async generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<readonly Completion[]> {
    if (!isPlain(params)) return this.#inner.generate(prompt, params, onRequest, signal);
    const written = this.#chat ? (prompt.open?.text ?? '') : prompt.text;
    const known = this.#rest(written, params);
    const end = known === null ? -1 : firstStop(known, params.stop);
    if (known !== null && end >= 0) return [{ text: known.slice(0, end), meta: {} }];
    const last = known !== null && this.#chat && prompt.ahead?.length === 0;
    if (last) return [{ text: known, meta: {} }];
    return this.#chat
      ? this.#message(prompt, params, onRequest, signal)
      : this.#complete(prompt, params, onRequest, signal);
  }

  // oxlint-disable-next-line require-yield -- it refuses
  async *generateStream(): AsyncGenerator<Completion, void> {
    throw new UnsupportedByBackendError(
      'num_api_spec_tokens cannot be used with stream=True: leave one of them out.',
    );
  }

  scoreChoices(...given: Parameters<Backend['scoreChoices']>): ReturnType<Backend['scoreChoices']> {
    return this.#inner.scoreChoices(...given);
  }

  cachePrefix(prompt: Prompt, signal: AbortSignal): Promise<void> {
    return this.#inner.cachePrefix(prompt, signal);
  }

  flushCache(signal: AbortSignal): Promise<void> {
    return this.#inner.flushCache(signal);
  }

  serverInfo(signal: AbortSignal): Promise<JsonValue> {
    return this.#inner.serverInfo(signal);
  }

  /** What was foreseen after the text so far; `null` when that is something else. */
  #rest(written: string, params: GenerateParams): string | null {
    const foreseen = this.#foreseen;
    if (foreseen === null || foreseen.sampling !== samplingOf(params)) return null;
    const { text } = foreseen;
    return text.startsWith(written) && text.length > written.length
      ? text.slice(written.length)
      : null;
  }

  async #complete(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<readonly Completion[]> {
    const wanted = typeof params.maxNewTokens === 'number' ? params.maxNewTokens : 0;
    const longer = { ...params, stop: [], maxNewTokens: Math.max(wanted, this.#tokens) };
    const [answer] = await this.#inner.generate(prompt, longer, onRequest, signal);
    if (answer === undefined) return [];
    const { text, meta } = answer;
    const end = firstStop(text, params.stop);
    this.#foreseen = { text: prompt.text + text, sampling: samplingOf(params) };
    if (end >= 0) return [{ text: text.slice(0, end), meta }];
    const count = meta['completion_tokens'];
    if (longer.maxNewTokens === wanted || (typeof count === 'number' && count <= wanted))
      return [answer];
    // Nobody knows where the wanted number of tokens ends in a longer text.
    this.#foreseen = null;
    return this.#inner.generate(prompt, params, onRequest, signal);
  }

  /** The whole message in the form of the program: what it has written, this gen, what follows. */
  async #message(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<readonly Completion[]> {
    const { open, ahead = [] } = prompt;
    const form: FormPart[] = [{ text: open?.text ?? '' }, { stop: params.stop }, ...ahead];
    const whole = open === undefined ? prompt : { ...prompt, open: { ...open, text: '' } };
    const request = { ...params, stop: [], maxNewTokens: this.#tokens };
    let text = '';
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const [answer] = await this.#inner.generate(whole, request, onRequest, signal);
      text = answer?.text ?? '';
      const value = valueIn(text, form);
      if (value === null) continue;
      this.#foreseen = { text, sampling: samplingOf(params) };
      return [{ text: value, meta: answer?.meta ?? {} }];
    }
    throw new BackendError(
      `${this.modelPath} did not write its message in the form of the program (num_api_spec_tokens), asked ${TRIES} times. ` +
        `It answered ${JSON.stringify(text.slice(0, 200))}. Show it an example of the form, and give each gen a stop.`,
    );
  }
}

/** Gens whose text says all: no list of answers, probabilities or constraints. */
function isPlain({ n, returnLogprob, regex, jsonSchema, extra }: GenerateParams): boolean {
  const free = regex === null && jsonSchema === null && Object.keys(extra).length === 0;
  return n === null && returnLogprob !== true && free;
}

function samplingOf({ temperature, topP, topK, minP, ...others }: GenerateParams): string {
  const { frequencyPenalty, presencePenalty } = others;
  return JSON.stringify([temperature, topP, topK, minP, frequencyPenalty, presencePenalty]);
}

function firstStop(text: string, stops: readonly string[]): number {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

/** The first gen's text in an answer of the form; `null` when the answer has another one. */
function valueIn(answer: string, form: readonly FormPart[]): string | null {
  let rest = answer;
  let value: string | null = null;
  for (const [index, part] of form.entries()) {
    if ('text' in part) {
      if (!rest.startsWith(part.text)) return null;
      rest = rest.slice(part.text.length);
    } else {
      const end = firstStop(rest, part.stop);
      if (end < 0 && index < form.length - 1) return null;
      value ??= end < 0 ? rest : rest.slice(0, end);
      rest = end < 0 ? '' : rest.slice(end);
    }
  }
  return value;
}
