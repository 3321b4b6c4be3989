/** Anthropic's Messages API. JSON schemas and choices go through a tool that the model must call. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  InvalidAnswerError,
  UnsupportedByBackendError,
  ServerStatusError,
  type Backend,
  type ChoiceEvidence,
  type Completion,
  type GenerateParams,
  type Prompt,
} from './backend.ts';
import {
  chatMessages,
  choiceSchema,
  chosenIndex,
  isObject,
  refuseGrammars,
  refuseTools,
  requirePlainChoice,
  schemaOf,
} from './chat-prompt.ts';
import { leftOut, type ParameterName } from './left-out.ts';
import type { OnRequest, RemoteService } from './remote-service.ts';

const TOOL = 'answer';
const REFUSED: readonly ParameterName[] = [
  'minP',
  'frequencyPenalty',
  'presencePenalty',
  'minNewTokens',
  'ignoreEos',
  'stopTokenIds',
  'stopRegex',
  'returnLogprob',
  'seed',
  'repetitionPenalty',
];

export class AnthropicEndpoint implements Backend {
  readonly url: string;
  readonly modelInfo: JsonObject;
  readonly modelPath: string;
  readonly #service: RemoteService;
  /** Newer models refuse any temperature. */
  #refusesTemperature = false;

  constructor(service: RemoteService, model: string) {
    this.url = service.url;
    this.modelPath = model;
    this.modelInfo = { model_path: model };
    this.#service = service;
  }

  async generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    const body = this.#body(prompt, params);
    return [this.#completion(await this.#post(body, onRequest, signal))];
  }

  async *generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Completion, void> {
    const body = { ...this.#body(prompt, params), stream: true };
    let [text, meta, ended]: [string, JsonObject, boolean] = ['', {}, false];
    let last: JsonObject = {};
    for await (const event of this.#service.events(
      '/v1/messages',
      body,
      onRequest,
      signal,
      false,
    )) {
      if (event['type'] === 'message_start') meta = this.#usage(event['message'], 'input_tokens');
      if (event['type'] === 'message_delta') {
        last = event;
        meta = { ...meta, ...stopReason(event['delta']) };
      }
      if (event['type'] === 'message_stop') ended = true;
      text += deltaOf(event);
      yield { text, meta };
    }
    // Each event tells the sum so far, so only the last is counted.
    meta = { ...meta, ...this.#usage(last, 'output_tokens') };
    yield { text, meta };
    if (!ended) throw this.#service.broken();
  }

  scoreChoices(): Promise<ChoiceEvidence> {
    return Promise.reject(
      new UnsupportedByBackendError('Anthropic gives no log probabilities of choices.'),
    );
  }

  readonly pickChoice = async (
    prompt: Prompt,
    choices: readonly string[],
    method: string,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) => {
    requirePlainChoice(method);
    const body: JsonObject = {
      model: this.modelPath,
      ...dialogue(prompt),
      max_tokens: 1024,
      ...forcedTool(choiceSchema(choices)),
    };
    const { text, meta } = this.#completion(await this.#likeliest(body, onRequest, signal));
    const chosen = chosenIndex(text, choices);
    if (chosen >= 0) return { chosen, meta };
    throw new InvalidAnswerError(
      `${this.modelPath} did not keep to the choices but answered ${JSON.stringify(text.slice(0, 100))}.`,
    );
  };

  async cachePrefix(): Promise<void> {}

  async flushCache(): Promise<void> {}

  async serverInfo(): Promise<JsonValue> {
    return this.#service.info(this.modelPath);
  }

  #body(prompt: Prompt, params: GenerateParams): JsonObject {
    const body = anthropicBody(this.modelPath, prompt, params);
    this.#service.leaveOut(this.modelPath, leftOut(params, REFUSED));
    return body;
  }

  /** At temperature 0, or as it is for a model that takes none. */
  async #likeliest(body: JsonObject, onRequest: OnRequest, signal: AbortSignal) {
    if (!this.#refusesTemperature) {
      try {
        return await this.#post({ ...body, temperature: 0 }, onRequest, signal);
      } catch (error) {
        const about = error instanceof ServerStatusError && error.status === 400 ? error.body : '';
        if (!about.includes('temperature')) throw error;
        this.#refusesTemperature = true;
      }
    }
    return this.#post(body, onRequest, signal);
  }

  #post(body: JsonObject, onRequest: OnRequest, signal: AbortSignal): Promise<JsonObject> {
    return this.#service.post('/v1/messages', body, onRequest, signal);
  }

  #completion(answer: JsonObject): Completion {
    const blocks = answer['content'];
    if (!Array.isArray(blocks)) throw this.#service.invalid(answer);
    const meta = {
      ...this.#usage(answer, 'input_tokens'),
      ...this.#usage(answer, 'output_tokens'),
      ...stopReason(answer),
    };
    return { text: blocks.map(blockText).join(''), meta };
  }

  #usage(holder: JsonValue | undefined, name: 'input_tokens' | 'output_tokens'): JsonObject {
    const usage = isObject(holder) ? holder['usage'] : undefined;
    if (!isObject(usage)) return {};
    return name === 'input_tokens'
      ? this.#service.count(usage[name], undefined)
      : this.#service.count(undefined, usage[name]);
  }
}

/** @throws UnsupportedByBackendError */
export function anthropicBody(model: string, prompt: Prompt, params: GenerateParams): JsonObject {
  refuseGrammars(params, 'Anthropic');
  refuseTools(params, 'Anthropic');
  if (params.n !== null) {
    throw new UnsupportedByBackendError('Anthropic answers once: n must be 1. Use fork instead.');
  }
  if (params.maxNewTokens === null) {
    throw new UnsupportedByBackendError(
      'Anthropic needs a limit: max_new_tokens must be a number.',
    );
  }
  if (params.stop.some((stop) => stop.trim() === '')) {
    throw new UnsupportedByBackendError(
      'Anthropic takes no stop string that is only blanks or line ends. Cut the value in the program, as in s["answer"].split("\\n")[0].',
    );
  }
  const schema = schemaOf(params.jsonSchema);
  if (schema !== null && schema['type'] !== 'object') {
    throw new UnsupportedByBackendError(
      'Anthropic follows a json_schema by a tool, whose answer is an object: the schema must be one of {"type": "object"}.',
    );
  }
  return {
    model,
    ...dialogue(prompt),
    max_tokens: params.maxNewTokens,
    ...(params.stop.length === 0 ? {} : { stop_sequences: params.stop }),
    // 1 is the default of both; newer models refuse both at once, the newest each of them.
    ...(params.temperature === 1 ? {} : { temperature: params.temperature }),
    ...(params.topP === 1 ? {} : { top_p: params.topP }),
    ...(params.topK === -1 ? {} : { top_k: params.topK }),
    ...(schema === null ? {} : forcedTool(schema)),
  };
}

function forcedTool(schema: JsonObject): JsonObject {
  const tool = { name: TOOL, description: 'Gives the answer.', input_schema: schema };
  return { tools: [tool], tool_choice: { type: 'tool', name: TOOL } };
}

/** The system message is a field of its own. */
function dialogue(prompt: Prompt): JsonObject {
  const messages = chatMessages(prompt, true);
  const system = messages
    .filter(({ role }) => role === 'system')
    .map(({ content }) => (typeof content === 'string' ? content : JSON.stringify(content)));
  const others = messages.filter(({ role }) => role !== 'system');
  return {
    ...(system.length === 0 ? {} : { system: system.join('\n') }),
    messages: others.map(({ role, content }) => ({
      role: role ?? 'user',
      content: Array.isArray(content) ? content.map(contentBlock) : (content ?? ''),
    })),
  };
}

/** A part of OpenAI's vision API as a block of Anthropic's. */
function contentBlock(part: JsonValue): JsonValue {
  const image = isObject(part) ? part['image_url'] : undefined;
  const url = isObject(image) ? image['url'] : undefined;
  const [, type, data] =
    typeof url === 'string' ? (/^data:([^;]+);base64,(.*)$/s.exec(url) ?? []) : [];
  if (type === undefined || data === undefined) return part;
  return { type: 'image', source: { type: 'base64', media_type: type, data } };
}

function blockText(block: JsonValue): string {
  if (!isObject(block)) return '';
  if (block['type'] === 'tool_use') return JSON.stringify(block['input'] ?? null);
  return block['type'] === 'text' && typeof block['text'] === 'string' ? block['text'] : '';
}

function deltaOf(event: JsonObject): string {
  const delta = event['delta'];
  if (event['type'] !== 'content_block_delta' || !isObject(delta)) return '';
  const piece = delta['type'] === 'input_json_delta' ? delta['partial_json'] : delta['text'];
  return typeof piece === 'string' ? piece : '';
}

function stopReason(holder: JsonValue | undefined): JsonObject {
  const reason = isObject(holder) ? holder['stop_reason'] : undefined;
  return typeof reason === 'string' ? { finish_reason: { type: reason } } : {};
}
