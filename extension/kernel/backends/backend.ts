/**
 * What the interpreter needs of a language model service. Implementations: `sglang-endpoint.ts` here;
 * OpenAI-compatible and other services implement the same interface beside it.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';

/** A prompt in both forms: SGLang servers take the text, chat services the messages. */
export interface Prompt {
  readonly text: string;
  readonly messages: readonly JsonObject[];
  /** Base64 of every image so far, in order. */
  readonly images: readonly string[];
  /** The message that has begun and not ended, which is not among `messages`; absent outside of roles. */
  readonly open?: { readonly role: string; readonly text: string };
  /** What the open message goes on with after this gen, as far as known; for backends that look ahead. */
  readonly ahead?: readonly FormPart[];
}

/** A piece of a message: the program's own text, or a gen and what ends it. */
export type FormPart = { readonly text: string } | { readonly stop: readonly string[] };

/** The parameters of one gen after resolution; the interpreter's `SamplingParams` fits it. */
export interface GenerateParams {
  readonly maxNewTokens: JsonValue;
  readonly minNewTokens: JsonValue;
  readonly n: number | null;
  readonly stop: readonly string[];
  readonly stopTokenIds: JsonValue;
  readonly stopRegex: JsonValue;
  readonly temperature: JsonValue;
  readonly topP: JsonValue;
  readonly topK: JsonValue;
  readonly minP: JsonValue;
  readonly frequencyPenalty: JsonValue;
  readonly presencePenalty: JsonValue;
  readonly ignoreEos: JsonValue;
  readonly returnLogprob: JsonValue;
  readonly logprobStartLen: JsonValue;
  readonly topLogprobsNum: JsonValue;
  readonly returnTextInLogprobs: JsonValue;
  /** Of a `dtype` too. */
  readonly regex: string | null;
  /** `regex` is this type's: int, float, bool or str. */
  readonly dtype: string | null;
  readonly jsonSchema: JsonValue;
  readonly extra: JsonObject;
}

/** The HTTP request behind a result, for the prompt view. Never holds a key. */
export interface SentRequest {
  readonly url: string;
  readonly body: JsonValue;
}

/** One completion. `meta` is the server's `meta_info`. */
export interface Completion {
  readonly text: string;
  readonly meta: JsonObject;
}

/** `[log probability | null, token id, text | null]` for one token, as SGLang sends it. */
export type TokenLogprob = readonly [logprob: number | null, id: number, text: string | null];

/** What a server says about the candidates of a `select`, one entry per choice in each list. */
export interface ChoiceEvidence {
  /** Tokens of the choice with their log probabilities (natural logarithm); never empty, never null. */
  readonly tokens: readonly (readonly TokenLogprob[])[];
  /** Tokens sampled after each choice, as the server gave them: kept for `get_meta_info`. */
  readonly outputTokens: readonly JsonValue[];
  /** Log probabilities of the same tokens without the prompt; `null` unless they were asked for. */
  readonly unconditional: readonly (readonly TokenLogprob[])[] | null;
}

export interface Backend {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** What the service said about its model when it was connected. */
  readonly modelInfo: JsonObject;
  /** Model path or name, from which SGLang chooses a chat template. */
  readonly modelPath: string;
  /** Whether prompts should tell what comes `ahead`. */
  readonly looksAhead?: boolean;
  /** `onRequest` hears of the request just before it is sent. More than one answer only when `n > 1`. */
  generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ): Promise<readonly Completion[]>;
  /** Yields the growing completion: each `text` is everything so far. */
  generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ): AsyncIterable<Completion>;
  scoreChoices(
    prompt: Prompt,
    choices: readonly string[],
    unconditional: boolean,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ): Promise<ChoiceEvidence>;
  /**
   * Has the service itself decide between choices, for services that score no given text. Present
   * only there, and then used instead of `scoreChoices`. Answers the index of the decision.
   */
  readonly pickChoice?: (
    prompt: Prompt,
    choices: readonly string[],
    method: string,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ) => Promise<{ readonly chosen: number; readonly meta: JsonObject }>;
  /** Computes the prompt now, so that requests which begin with it are faster. */
  cachePrefix(prompt: Prompt, signal: AbortSignal): Promise<void>;
  flushCache(signal: AbortSignal): Promise<void>;
  serverInfo(signal: AbortSignal): Promise<JsonValue>;
}

/** A failure at a backend; `pythonType` is the exception class that the user sees. */
export class BackendError extends Error {
  readonly code: string = 'BACKEND_ERROR';
  readonly pythonType: string = 'RuntimeError';
}

/** Nothing answers at the URL. */
export class ServerUnreachableError extends BackendError {
  override readonly code = 'SERVER_UNREACHABLE';
  override readonly pythonType = 'ConnectionError';
}

/** The connection broke before the answer was complete: the server died or was stopped. */
export class ConnectionLostError extends BackendError {
  override readonly code = 'CONNECTION_LOST';
  override readonly pythonType = 'ConnectionError';
}

/** The server answered with another status than 200. */
export class ServerStatusError extends BackendError {
  override readonly code = 'SERVER_STATUS';
  readonly status: number;
  readonly body: string;
  /** Seconds after which the server wants to be asked again; `null` when it named none. */
  readonly retryAfter: number | null;

  constructor(message: string, status: number, body: string, retryAfter: number | null = null) {
    super(message);
    this.status = status;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

/** The server answered 200 with something that is not its protocol, or an error inside a stream. */
export class InvalidAnswerError extends BackendError {
  override readonly code = 'INVALID_ANSWER';
}

/** A configured deadline passed. */
export class BackendTimeoutError extends BackendError {
  override readonly code = 'BACKEND_TIMEOUT';
  override readonly pythonType = 'TimeoutError';
}

/** The request was cancelled by its signal. */
export class RequestAbortedError extends BackendError {
  override readonly code = 'REQUEST_ABORTED';
  override readonly pythonType = 'KeyboardInterrupt';
}

/** The backend cannot do what the program asks. */
export class UnsupportedByBackendError extends BackendError {
  override readonly code = 'UNSUPPORTED_BY_BACKEND';
  override readonly pythonType = 'NotImplementedError';
}
