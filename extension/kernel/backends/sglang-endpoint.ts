/**
 * SGLang's native HTTP API (`RuntimeEndpoint`): exactly the requests of the Python frontend of
 * v0.4.3, keys in the same order, so that servers of every version take them. Parameters that came
 * later are sent only when a program sets them.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  InvalidAnswerError,
  ServerStatusError,
  UnsupportedByBackendError,
  type Backend,
  type ChoiceEvidence,
  type Completion,
  type GenerateParams,
  type Prompt,
  type SentRequest,
} from './backend.ts';
import { refuseTools } from './chat-prompt.ts';
import { choiceStart, choiceTokens, parseTokenLogprobs } from './choice-tokens.ts';
import { messageIn, type HttpClient } from './http.ts';

type OnRequest = (request: SentRequest) => void;

/** How FastAPI and SGLang's router say that a body is of another type than they read. */
const UNPROCESSABLE = 422;

export class SglangEndpoint implements Backend {
  readonly url: string;
  readonly modelInfo: JsonObject;
  readonly modelPath: string;
  readonly #http: HttpClient;
  /** SGLang's router reads one prompt per request, and refuses its own frontend's lists. */
  #takesLists = true;

  private constructor(url: string, modelInfo: JsonObject, http: HttpClient) {
    this.url = url;
    this.modelInfo = modelInfo;
    const path = modelInfo['model_path'];
    this.modelPath = typeof path === 'string' ? path : '';
    this.#http = http;
  }

  /** Asks the server for its model. @throws BackendError when no SGLang server answers. */
  static async connect(
    url: string,
    http: HttpClient,
    signal: AbortSignal,
  ): Promise<SglangEndpoint> {
    const base = url.replace(/\/+$/, '');
    const info = await http.json('GET', `${base}/get_model_info`, undefined, signal);
    if (!isObject(info)) throw new InvalidAnswerError(`${base}/get_model_info is not an object.`);
    return new SglangEndpoint(base, info, http);
  }

  async generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    const answer = await this.#generate(generateBody(prompt, params, false), onRequest, signal);
    const answers = Array.isArray(answer) ? answer : [answer];
    return answers.map(parseCompletion);
  }

  async *generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    const body = generateBody(prompt, params, true);
    onRequest({ url: `${this.url}/generate`, body: withoutImageData(body) });
    for await (const event of this.#http.events(`${this.url}/generate`, body, signal)) {
      yield parseCompletion(event);
    }
  }

  async scoreChoices(
    prompt: Prompt,
    choices: readonly string[],
    unconditional: boolean,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<ChoiceEvidence> {
    const prefix = await this.#generate(
      withImages(prefillBody(prompt.text), prompt),
      onRequest,
      signal,
    );
    const promptTokens = parseCompletion(prefix).meta['prompt_tokens'];
    if (typeof promptTokens !== 'number')
      throw new InvalidAnswerError('The answer has no prompt_tokens.');
    const body = withImagesForEach(
      {
        text: choices.map((choice) => prompt.text + choice),
        sampling_params: { max_new_tokens: 0, temperature: 0 },
        return_logprob: true,
        return_text_in_logprobs: true,
        logprob_start_len: choiceStart(promptTokens),
      },
      prompt,
      choices.length,
    );
    const scored = await this.#generateList(body, choices.length, onRequest, signal);
    const tokens = scored.map(({ meta }) =>
      choiceTokens(parseTokenLogprobs(meta['input_token_logprobs']), prompt.text, promptTokens),
    );
    assertScored(choices, tokens);
    return {
      tokens,
      outputTokens: scored.map(({ meta }) => meta['output_token_logprobs'] ?? []),
      unconditional: unconditional ? await this.#unconditional(tokens, onRequest, signal) : null,
    };
  }

  async cachePrefix(prompt: Prompt, signal: AbortSignal): Promise<void> {
    await this.#generate(withImages(prefillBody(prompt.text), prompt), ignore, signal);
  }

  async flushCache(signal: AbortSignal): Promise<void> {
    await this.#http.text('POST', `${this.url}/flush_cache`, signal);
  }

  serverInfo(signal: AbortSignal): Promise<JsonValue> {
    return this.#http.json('GET', `${this.url}/get_server_info`, undefined, signal);
  }

  /** The start must be asked for: since 2024 servers give no prompt log probabilities by default. */
  async #unconditional(
    tokens: ChoiceEvidence['tokens'],
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    const body = {
      input_ids: tokens.map((choice) => choice.map(([, id]) => id)),
      sampling_params: { max_new_tokens: 0 },
      return_logprob: true,
      logprob_start_len: 0,
    };
    const answers = await this.#generateList(body, tokens.length, onRequest, signal);
    return answers.map(({ meta }) => parseTokenLogprobs(meta['input_token_logprobs']));
  }

  /** One request for `count` prompts, or one for each. */
  async #generateList(
    body: JsonObject,
    count: number,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<readonly Completion[]> {
    if (this.#takesLists) {
      try {
        return completionList(await this.#generate(body, onRequest, signal), count);
      } catch (error) {
        if (!(error instanceof ServerStatusError && error.status === UNPROCESSABLE)) throw error;
        this.#takesLists = false;
      }
    }
    const bodies = Array.from({ length: count }, (_, index) => itemOf(body, index));
    const answers = bodies.map((each) => this.#generate(each, onRequest, signal));
    return (await Promise.all(answers)).map(parseCompletion);
  }

  #generate(body: JsonObject, onRequest: OnRequest, signal: AbortSignal): Promise<JsonValue> {
    onRequest({ url: `${this.url}/generate`, body: withoutImageData(body) });
    return this.#http.json('POST', `${this.url}/generate`, body, signal);
  }
}

function ignore(): void {}

function prefillBody(text: string): JsonObject {
  return { text, sampling_params: { max_new_tokens: 0 } };
}

/** Body of a gen: v0.4.3's keys in v0.4.3's order; later parameters only when they are set. */
function generateBody(prompt: Prompt, params: GenerateParams, stream: boolean): JsonObject {
  refuseTools(params, "SGLang's own API");
  const sampling: JsonObject = {
    skip_special_tokens: true,
    spaces_between_special_tokens: true,
    max_new_tokens: params.maxNewTokens,
    min_new_tokens: params.minNewTokens,
    ...(params.n === null ? {} : { n: params.n }),
    stop: params.stop,
    stop_token_ids: params.stopTokenIds,
    ...(params.stopRegex === null ? {} : { stop_regex: params.stopRegex }),
    temperature: params.temperature,
    top_p: params.topP,
    top_k: params.topK,
    min_p: params.minP,
    frequency_penalty: params.frequencyPenalty,
    presence_penalty: params.presencePenalty,
    ignore_eos: params.ignoreEos,
    regex: params.regex,
    json_schema: params.jsonSchema,
    ...serverNames(params.extra),
  };
  const body: JsonObject = {
    text: prompt.text,
    sampling_params: sampling,
    ...given('return_logprob', params.returnLogprob),
    ...given('logprob_start_len', params.logprobStartLen),
    ...given('top_logprobs_num', params.topLogprobsNum),
    ...given('return_text_in_logprobs', params.returnTextInLogprobs),
    ...(stream ? { stream: true } : {}),
  };
  return withImages(body, prompt);
}

/** SGLang's native API has another name for a seed than OpenAI's. */
function serverNames({ seed, ...others }: JsonObject): JsonObject {
  return seed === undefined ? others : { ...others, sampling_seed: seed };
}

function given(name: string, value: JsonValue): JsonObject {
  return value === null ? {} : { [name]: value };
}

/** One image is sent as SGLang's frontend sends it; several as a list, which newer servers take. */
function withImages(body: JsonObject, prompt: Prompt): JsonObject {
  const [first] = prompt.images;
  if (first === undefined) return body;
  return { ...body, image_data: prompt.images.length === 1 ? first : prompt.images };
}

/** A batch takes one image for all its texts, or a list for each: a flat list would be one for each. */
function withImagesForEach(body: JsonObject, prompt: Prompt, texts: number): JsonObject {
  if (prompt.images.length < 2) return withImages(body, prompt);
  return { ...body, image_data: Array.from({ length: texts }, () => prompt.images) };
}

/** The request for one of the prompts of a list. */
function itemOf(body: JsonObject, index: number): JsonObject {
  const lists = ['text', 'input_ids', 'image_data'];
  const item = (name: string, value: JsonValue): JsonValue =>
    lists.includes(name) && Array.isArray(value) ? (value[index] ?? null) : value;
  return Object.fromEntries(Object.entries(body).map(([name, value]) => [name, item(name, value)]));
}

/** The request as people read it: megabytes of base64 would hide the rest. */
function withoutImageData(body: JsonObject): JsonObject {
  const data = body['image_data'];
  if (data === undefined) return body;
  const shown = (item: JsonValue): JsonValue =>
    Array.isArray(item)
      ? item.map(shown)
      : `(${typeof item === 'string' ? item.length : 0} characters of base64)`;
  return { ...body, image_data: shown(data) };
}

function parseCompletion(answer: JsonValue): Completion {
  if (isObject(answer)) {
    const text = answer['text'];
    const meta = answer['meta_info'];
    if (typeof text === 'string') return { text, meta: isObject(meta) ? meta : {} };
    const message = messageIn(answer);
    if (message !== null) throw new InvalidAnswerError(`The server reported: ${message}`);
  }
  throw new InvalidAnswerError(
    `The server's answer has no text: ${JSON.stringify(answer).slice(0, 200)}`,
  );
}

function completionList(answer: JsonValue, count: number): readonly Completion[] {
  if (!Array.isArray(answer) || answer.length !== count) {
    throw new InvalidAnswerError(`The server should have answered ${count} prompts with a list.`);
  }
  return answer.map(parseCompletion);
}

/** A choice whose tokens have no log probability cannot be compared with the others. */
function assertScored(choices: readonly string[], tokens: ChoiceEvidence['tokens']): void {
  const index = tokens.findIndex((choice) => choice.length === 0);
  if (index === -1) return;
  throw new UnsupportedByBackendError(
    `select cannot score the choice ${JSON.stringify(choices[index])}: the server gives no probability for it. ` +
      'A choice must not be empty, and there must be some text before the select.',
  );
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
