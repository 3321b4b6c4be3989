/** OpenAI's API: its own service, Azure's, and every server that speaks it (vLLM, llama.cpp, Ollama …). */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  UnsupportedByBackendError,
  type Backend,
  type ChoiceEvidence,
  type Completion,
  type GenerateParams,
  type Prompt,
  type TokenLogprob,
} from './backend.ts';
import {
  chatMessages,
  choiceSchema,
  chosenIndex,
  firstObject,
  isObject,
  requirePlainChoice,
} from './chat-prompt.ts';
import {
  isReasoningModel,
  leftOutOf,
  openAiBody,
  schemaFormat,
  type OpenAiModel,
} from './openai-body.ts';
import { chatLogprobs, completionLogprobs, echoedTokens } from './openai-logprobs.ts';
import { isCount, type OnRequest, type RemoteService } from './remote-service.ts';
import { typedCompletion } from './typed-completion.ts';

export class OpenAiEndpoint implements Backend {
  readonly url: string;
  readonly modelInfo: JsonObject;
  readonly modelPath: string;
  readonly pickChoice?: NonNullable<Backend['pickChoice']>;
  readonly #model: OpenAiModel;
  readonly #service: RemoteService;
  readonly #query: string;

  /** `query` follows every path: Azure's `?api-version=…`. Nothing is sent before the first gen. */
  constructor(service: RemoteService, model: OpenAiModel, query = '') {
    this.url = service.url;
    this.modelPath = model.name;
    this.modelInfo = { model_path: model.name, is_chat_model: model.chat };
    this.#service = service;
    this.#model = model;
    this.#query = query;
    if (model.chat) this.pickChoice = this.#pick.bind(this);
  }

  async generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    const body = openAiBody(this.#model, prompt, params, false);
    const quote = typedCompletion(this.#model, params)?.quote ?? '';
    this.#service.leaveOut(this.#model.name, leftOutOf(this.#model, params));
    const answer = await this.#service.post(this.#path(), body, onRequest, signal);
    const choices = answer['choices'];
    if (!Array.isArray(choices) || choices.length === 0) throw this.#service.invalid(answer);
    const usage = this.#usage(answer);
    return choices.map((choice) => {
      const { text, meta } = this.#completion(choice, { ...usage, ...identity(answer) });
      return { text: quote + text + quote, meta };
    });
  }

  async *generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Completion, void> {
    const body = openAiBody(this.#model, prompt, params, true);
    this.#service.leaveOut(this.#model.name, leftOutOf(this.#model, params));
    let [text, meta, last]: [string, JsonObject, JsonObject] = ['', {}, {}];
    let answered = false;
    for await (const event of this.#service.events(this.#path(), body, onRequest, signal, true)) {
      const choice = firstObject(event['choices']);
      if (choice === null && !isObject(event['usage'])) continue;
      answered ||= choice !== null;
      if (isObject(event['usage'])) last = event;
      meta = { ...meta, ...identity(event), ...usageOf(event), ...finish(choice) };
      text += pieceOf(choice);
      yield { text, meta };
    }
    this.#usage(last);
    if (!answered) throw this.#service.invalid('a stream without choices');
  }

  /** Completion models: the log probabilities of prompt and choice, by `echo`. */
  async scoreChoices(
    prompt: Prompt,
    choices: readonly string[],
    unconditional: boolean,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<ChoiceEvidence> {
    const score = (prefix: string): Promise<TokenLogprob[][]> =>
      this.#score(prefix, choices, onRequest, signal);
    const tokens = await score(prompt.text);
    return {
      tokens,
      outputTokens: choices.map(() => []),
      unconditional: unconditional ? await score('') : null,
    };
  }

  async cachePrefix(): Promise<void> {}

  async flushCache(): Promise<void> {}

  async serverInfo(): Promise<JsonValue> {
    return this.#service.info(this.#model.name);
  }

  #path(): string {
    return (this.#model.chat ? '/chat/completions' : '/completions') + this.#query;
  }

  /** Chat models: the decision by constrained output. */
  async #pick(
    prompt: Prompt,
    choices: readonly string[],
    method: string,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    requirePlainChoice(method);
    const body: JsonObject = {
      model: this.#model.name,
      messages: chatMessages(prompt, this.#model.wholeText),
      ...(isReasoningModel(this.#model.name) ? {} : { temperature: 0 }),
      response_format: schemaFormat(choiceSchema(choices)),
    };
    const answer = await this.#service.post(this.#path(), body, onRequest, signal);
    const { text, meta } = this.#completion(
      firstObject(answer['choices']) ?? undefined,
      this.#usage(answer),
    );
    const chosen = chosenIndex(text, choices);
    if (chosen >= 0) return { chosen, meta };
    throw new UnsupportedByBackendError(
      `${this.#model.name} did not keep to the choices but answered ${JSON.stringify(text.slice(0, 100))}: ` +
        'the server ignores response_format. Use a RuntimeEndpoint for select and gen(choices=…).',
    );
  }

  async #score(
    prefix: string,
    choices: readonly string[],
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<TokenLogprob[][]> {
    const body: JsonObject = {
      model: this.#model.name,
      prompt: choices.map((choice) => prefix + choice),
      max_tokens: 0,
      temperature: 0,
      echo: true,
      logprobs: 1,
    };
    const answer = await this.#service.post(this.#path(), body, onRequest, signal);
    this.#usage(answer);
    const list = Array.isArray(answer['choices']) ? answer['choices'] : [];
    return choices.map((choice, index) => {
      const found = list.find((item) => isObject(item) && item['index'] === index) ?? list[index];
      const tokens = echoedTokens(found, prefix.length);
      if (tokens.length > 0) return tokens;
      throw new UnsupportedByBackendError(
        `${this.#model.name} gives no log probability for the choice ${JSON.stringify(choice)}: ` +
          'the server does not support echo with logprobs. Use a chat model or a RuntimeEndpoint for select.',
      );
    });
  }

  #completion(choice: JsonValue | undefined, meta: JsonObject): Completion {
    if (!isObject(choice)) throw this.#service.invalid(choice);
    const { message } = choice;
    const content = isObject(message) ? (message['content'] ?? message['refusal']) : choice['text'];
    const calls = isObject(message) ? message['tool_calls'] : undefined;
    // Servers that tell the reasoning apart have two names for it, and null where nothing else came.
    const reasoning = isObject(message)
      ? (message['reasoning_content'] ?? message['reasoning'])
      : undefined;
    const silent = isObject(message) && message['content'] === null && 'finish_reason' in choice;
    if (typeof content !== 'string' && !Array.isArray(calls) && !silent)
      throw this.#service.invalid(choice);
    return {
      text: typeof content === 'string' ? content : '',
      meta: {
        ...meta,
        ...finish(choice),
        ...(Array.isArray(calls) ? { tool_calls: calls } : {}),
        ...(typeof reasoning === 'string' ? { reasoning_content: reasoning } : {}),
        ...(isObject(message)
          ? chatLogprobs(choice['logprobs'])
          : completionLogprobs(choice['logprobs'])),
      },
    };
  }

  /** Counts what the answer used. Only once for an answer: events of a stream tell the sum so far. */
  #usage(answer: JsonObject): JsonObject {
    const { usage } = answer;
    if (!isObject(usage)) return {};
    this.#service.count(usage['prompt_tokens'], usage['completion_tokens']);
    return usageOf(answer);
  }
}

function usageOf({ usage }: JsonObject): JsonObject {
  if (!isObject(usage)) return {};
  const details = usage['prompt_tokens_details'];
  const cached = isObject(details) ? details['cached_tokens'] : undefined;
  const counts = {
    prompt_tokens: usage['prompt_tokens'],
    completion_tokens: usage['completion_tokens'],
    cached_tokens: cached,
  };
  return Object.fromEntries(
    Object.entries(counts).filter((entry): entry is [string, number] => isCount(entry[1])),
  );
}

function identity(answer: JsonObject): JsonObject {
  return typeof answer['id'] === 'string' ? { id: answer['id'] } : {};
}

function finish(choice: JsonObject | null): JsonObject {
  const reason = choice?.['finish_reason'];
  return typeof reason === 'string' ? { finish_reason: { type: reason } } : {};
}

function pieceOf(choice: JsonObject | null): string {
  const delta = choice?.['delta'];
  const piece = isObject(delta) ? delta['content'] : choice?.['text'];
  return typeof piece === 'string' ? piece : '';
}
