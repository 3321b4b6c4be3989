/** Google's `generateContent`, of the Gemini API (with a key) and of Vertex AI (with an access token). */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  InvalidAnswerError,
  UnsupportedByBackendError,
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
  firstObject,
  isObject,
  refuseGrammars,
  refuseTools,
  requirePlainChoice,
  schemaOf,
} from './chat-prompt.ts';
import { leftOut, type ParameterName } from './left-out.ts';
import { isCount, type OnRequest, type RemoteService } from './remote-service.ts';

const REFUSED: readonly ParameterName[] = [
  'minP',
  'minNewTokens',
  'ignoreEos',
  'stopTokenIds',
  'stopRegex',
  'returnLogprob',
  'repetitionPenalty',
];

export class GeminiEndpoint implements Backend {
  readonly url: string;
  readonly modelInfo: JsonObject;
  readonly modelPath: string;
  readonly #service: RemoteService;
  readonly #model: string;
  readonly #safety: JsonValue;

  /** `safety`: `safetySettings` of every request, or null. The service's URL ends before `/models`. */
  constructor(service: RemoteService, model: string, safety: JsonValue = null) {
    this.url = service.url;
    this.modelPath = model;
    this.modelInfo = { model_path: model };
    this.#model = `/models/${model.replace(/^models\//, '')}`;
    this.#service = service;
    this.#safety = safety;
  }

  async generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    const answer = await this.#post(this.#body(prompt, params), onRequest, signal);
    const candidates = answer['candidates'];
    if (!Array.isArray(candidates) || candidates.length === 0) throw this.#refused(answer);
    const usage = this.#usage(answer, true);
    return candidates.map((one) => ({
      text: this.#answered(textOf(one), one),
      meta: { ...usage, ...finish(one) },
    }));
  }

  async *generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Completion, void> {
    const path = `${this.#model}:streamGenerateContent?alt=sse`;
    const body = this.#body(prompt, params);
    let [text, meta, last]: [string, JsonObject, JsonObject] = ['', {}, {}];
    for await (const event of this.#service.events(path, body, onRequest, signal, false)) {
      const candidate = firstObject(event['candidates']);
      if (candidate === null && isObject(event['promptFeedback'])) throw this.#refused(event);
      text += textOf(candidate);
      this.#answered(text, candidate);
      last = event;
      meta = { ...meta, ...this.#usage(event, false), ...finish(candidate) };
      yield { text, meta };
    }
    if (meta['finish_reason'] === undefined) throw this.#service.broken();
    this.#usage(last, true);
  }

  scoreChoices(): Promise<ChoiceEvidence> {
    return Promise.reject(
      new UnsupportedByBackendError('Gemini gives no log probabilities of choices.'),
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
    const config = {
      temperature: 0,
      responseMimeType: 'application/json',
      responseJsonSchema: choiceSchema(choices),
    };
    const body = { ...dialogue(prompt), generationConfig: config, ...this.#safetySettings() };
    const answer = await this.#post(body, onRequest, signal);
    const text = textOf(firstObject(answer['candidates']));
    const chosen = chosenIndex(text, choices);
    if (chosen >= 0) return { chosen, meta: this.#usage(answer, true) };
    throw new InvalidAnswerError(
      `${this.modelPath} did not keep to the choices but answered ${JSON.stringify(text.slice(0, 100))}.`,
    );
  };

  async cachePrefix(): Promise<void> {}

  async flushCache(): Promise<void> {}

  async serverInfo(): Promise<JsonValue> {
    return this.#service.info(this.modelPath);
  }

  #post(body: JsonObject, onRequest: OnRequest, signal: AbortSignal): Promise<JsonObject> {
    return this.#service.post(`${this.#model}:generateContent`, body, onRequest, signal);
  }

  #body(prompt: Prompt, params: GenerateParams): JsonObject {
    const body = { ...geminiBody(prompt, params), ...this.#safetySettings() };
    this.#service.leaveOut(this.modelPath, leftOut(params, REFUSED));
    return body;
  }

  #safetySettings(): JsonObject {
    return this.#safety === null ? {} : { safetySettings: this.#safety };
  }

  /** Nothing was generated: the prompt was blocked, or this is another kind of service. */
  #refused(answer: JsonObject): Error {
    const feedback = answer['promptFeedback'];
    const reason = isObject(feedback) ? feedback['blockReason'] : undefined;
    if (typeof reason !== 'string') return this.#service.invalid(answer);
    return new InvalidAnswerError(`${this.modelPath} refused the prompt: ${reason}.`);
  }

  /** The text, unless the service kept all of it back. @throws InvalidAnswerError */
  #answered(text: string, candidate: JsonValue): string {
    const reason = isObject(candidate) ? candidate['finishReason'] : undefined;
    if (text !== '' || typeof reason !== 'string' || ORDINARY.has(reason)) return text;
    throw new InvalidAnswerError(`${this.modelPath} gave no answer: ${reason}.`);
  }

  /** Every event of a stream has the whole usage so far, so only the last is `counted`. */
  #usage(answer: JsonObject, counted: boolean): JsonObject {
    const usage = answer['usageMetadata'];
    if (!isObject(usage)) return {};
    const asked = usage['promptTokenCount'] ?? null;
    // Thoughts are billed as what is answered, and counted apart.
    const parts = [usage['candidatesTokenCount'], usage['thoughtsTokenCount']].filter(isCount);
    const answered = parts.length === 0 ? null : parts.reduce((sum, part) => sum + part, 0);
    if (counted) return this.#service.count(asked, answered);
    return { prompt_tokens: asked, completion_tokens: answered };
  }
}

/** Ends of an answer that may be empty; the others say why it was kept back. */
const ORDINARY = new Set(['STOP', 'MAX_TOKENS', 'FINISH_REASON_UNSPECIFIED']);

/** @throws UnsupportedByBackendError */
export function geminiBody(prompt: Prompt, params: GenerateParams): JsonObject {
  refuseGrammars(params, 'Gemini');
  refuseTools(params, 'Gemini');
  const schema = schemaOf(params.jsonSchema);
  const config: JsonObject = {
    ...(params.maxNewTokens === null ? {} : { maxOutputTokens: params.maxNewTokens }),
    temperature: params.temperature,
    topP: params.topP,
    ...(params.topK === -1 ? {} : { topK: params.topK }),
    ...(params.stop.length === 0 ? {} : { stopSequences: params.stop }),
    ...(params.frequencyPenalty === 0 ? {} : { frequencyPenalty: params.frequencyPenalty }),
    ...(params.presencePenalty === 0 ? {} : { presencePenalty: params.presencePenalty }),
    ...(params.n === null ? {} : { candidateCount: params.n }),
    ...(params.extra['seed'] === undefined ? {} : { seed: params.extra['seed'] }),
    ...(schema === null
      ? {}
      : { responseMimeType: 'application/json', responseJsonSchema: schema }),
  };
  return { ...dialogue(prompt), generationConfig: config };
}

function dialogue(prompt: Prompt): JsonObject {
  const messages = chatMessages(prompt, true);
  const system = messages.filter(({ role }) => role === 'system').flatMap(partsOf);
  const contents = messages
    .filter(({ role }) => role !== 'system')
    .map((message) => ({
      role: message['role'] === 'assistant' ? 'model' : 'user',
      parts: partsOf(message),
    }));
  return { ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }), contents };
}

function partsOf({ content }: JsonObject): JsonObject[] {
  if (!Array.isArray(content)) return [{ text: content ?? '' }];
  return content.filter(isObject).map((part) => {
    const image = part['image_url'];
    const url = isObject(image) ? image['url'] : undefined;
    const [, mimeType, data] =
      typeof url === 'string' ? (/^data:([^;]+);base64,(.*)$/s.exec(url) ?? []) : [];
    if (mimeType === undefined || data === undefined) return { text: part['text'] ?? '' };
    return { inlineData: { mimeType, data } };
  });
}

function textOf(candidate: JsonValue | undefined): string {
  const content = isObject(candidate) ? candidate['content'] : undefined;
  const parts = isObject(content) ? content['parts'] : undefined;
  if (!Array.isArray(parts)) return '';
  const texts = parts.filter(isObject).filter((part) => part['thought'] !== true);
  return texts.map(({ text }) => (typeof text === 'string' ? text : '')).join('');
}

function finish(candidate: JsonValue | undefined): JsonObject {
  const reason = isObject(candidate) ? candidate['finishReason'] : undefined;
  return typeof reason === 'string' ? { finish_reason: { type: reason.toLowerCase() } } : {};
}
