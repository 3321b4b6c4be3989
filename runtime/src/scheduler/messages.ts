/**
 * Everything that the HTTP thread and the engine thread say to each other. Values are structured-
 * cloned: plain data only.
 */
import type { ConstraintSource } from '../constraints/constraint.ts';
import type { EngineLimits, ModelInfo } from '../engine/engine.ts';
import type { NativeLibraryOptions } from '../engine/native-library.ts';
import type { ImagePart } from '../vision/image-parts.ts';
import type { Picture } from '../vision/picture.ts';
import type { PromptImage } from '../vision/prompt-images.ts';
import type { SchedulerDump } from './state-dump.ts';
import type { SchedulePolicy } from './waiting-order.ts';

/** SGLang's sampling parameters, validated and with defaults filled in. */
export interface SamplingParams {
  /** 0: compute the prompt only. */
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
  readonly stop: readonly string[];
  readonly stopTokenIds: readonly number[];
  readonly stopRegex: readonly string[];
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** −1: the whole vocabulary. */
  readonly topK: number;
  readonly minP: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly repetitionPenalty: number;
  readonly logitBias: readonly (readonly [token: number, bias: number])[];
  /** Null: different at every request. */
  readonly seed: number | null;
  readonly ignoreEos: boolean;
  readonly noStopTrim: boolean;
  readonly skipSpecialTokens: boolean;
  readonly constraint: ConstraintSource | null;
}

export interface LogprobOptions {
  /** First prompt token to report; −1: none, only generated tokens. */
  readonly start: number;
  /** Alternatives per position. */
  readonly top: number;
  /** Tokens to score at every position, whatever was chosen there. */
  readonly tokenIds?: readonly number[];
}

/** One sequence to generate. A list request, or `n` > 1, is several of these in one message. */
export interface GenerationRequest {
  /** Unique in this process. */
  readonly id: number;
  readonly inputIds: readonly number[];
  /** Images whose tokens in `inputIds` are no tokens of the vocabulary; in the order of the prompt. */
  readonly images?: readonly PromptImage[];
  readonly sampling: SamplingParams;
  readonly logprobs: LogprobOptions | null;
  /** False: one `Progress` at the end. */
  readonly stream: boolean;
}

export type FinishReason =
  | { readonly type: 'stop'; readonly matched: number | string }
  | { readonly type: 'length'; readonly length: number; readonly message?: string }
  | {
      readonly type: 'abort';
      readonly message: string;
      readonly status_code: number;
      readonly err_type: string;
    };

/** `[log probability, token id]`; null where nothing precedes the token. */
export type TokenLogprob = readonly [logprob: number | null, token: number];

export interface LogprobChunk {
  /** For each token its log probability, and `top` alternatives (null for the first of a prompt). */
  readonly tokens: readonly TokenLogprob[];
  readonly top: readonly (readonly TokenLogprob[] | null)[];
  /** `tokenIds` at each position, if asked for; null for the first of a prompt. */
  readonly ids?: readonly (readonly TokenLogprob[] | null)[];
}

/** What is new for one request since its last progress. */
export interface Progress {
  readonly id: number;
  /** Text that will not be taken back by a stop string. */
  readonly text: string;
  /** Tokens reported earlier that `tokens` replace; their text is part of the new ones'. */
  readonly takenBack: number;
  readonly tokens: readonly number[];
  /** Prompt tokens found in the cache; known from the first progress on. */
  readonly cachedTokens: number;
  /** Times the request gave its cells back because the cache was full. */
  readonly retractions: number;
  /** When it first got a place in a batch, and when its prompt was computed; absent until then. */
  readonly times?: { readonly admitted: number; readonly prefilled: number };
  readonly inputLogprobs: LogprobChunk | null;
  readonly outputLogprobs: LogprobChunk | null;
  readonly finish: FinishReason | null;
  /** With the end: what of its constraint the output cannot keep, or was not held to. */
  readonly warnings?: readonly string[];
}

/** Numbers for `/server_info`, and for the conservation law on demand. */
export interface SchedulerState {
  readonly running: number;
  readonly queued: number;
  readonly cells: { readonly all: number; readonly cached: number; readonly inUse: number };
  /** Evicted prefixes in host memory. */
  readonly host: { readonly tokens: number; readonly bytes: number };
  readonly freeSequences: number;
  readonly steps: number;
  readonly generatedTokens: number;
  /** Those of them that constraints forced and jump-forward wrote. */
  readonly forcedTokens: number;
  /** Times that running requests made way because the cache was full. */
  readonly retractions: number;
  readonly lastThroughput: number;
}

/** What the engine thread is started with. */
export interface EngineThreadData {
  readonly engine: {
    readonly modelPath: string;
    readonly cells: number;
    readonly sequences: number;
    readonly batchTokens: number;
    readonly threads: number | undefined;
    /** −1: all. */
    readonly gpuLayers?: number;
    readonly library?: NativeLibraryOptions;
  };
  /** Milliseconds without a request after which the model leaves memory; infinite: never. */
  readonly idleUnload?: number;
  /** Repeating layers of the model. */
  readonly layers?: number;
  /** The mmproj file of a vision model, and the library that computes it; null: our own graph. */
  readonly projector: { readonly file: string; readonly mtmd: string | null } | null;
  readonly prefillTokens: number;
  /** Null: as many as the engine has sequences. */
  readonly maxRunning: number | null;
  readonly disableRadixCache: boolean;
  readonly disableJumpForward: boolean;
  /** Host memory for evicted prefixes, bytes. */
  readonly hostCacheBytes: number;
  readonly schedulePolicy: SchedulePolicy;
  /** Shared; its first element changes whenever a message was posted to the thread. */
  readonly signal: Int32Array;
}

export type ToEngine =
  | { readonly type: 'generate'; readonly requests: readonly GenerationRequest[] }
  | { readonly type: 'abort'; readonly ids: readonly number[] }
  /** Answered by `image`: what stands for the picture in a prompt. */
  | { readonly type: 'image'; readonly call: number; readonly picture: Picture }
  /** Answered by `flushed`; false when requests are running. */
  | { readonly type: 'flush'; readonly call: number }
  | { readonly type: 'state'; readonly call: number }
  | { readonly type: 'dump'; readonly call: number }
  /** Ends the thread at once; what runs is dropped. */
  | { readonly type: 'stop' };

export type FromEngine =
  | { readonly type: 'ready'; readonly model: ModelInfo; readonly limits: EngineLimits }
  | { readonly type: 'progress'; readonly progress: readonly Progress[] }
  /** `parts`: null when the picture cannot be used, for the `reason`. */
  | {
      readonly type: 'image';
      readonly call: number;
      readonly parts: readonly ImagePart[] | null;
      readonly reason: string;
    }
  | { readonly type: 'flushed'; readonly call: number; readonly done: boolean }
  | { readonly type: 'state'; readonly call: number; readonly state: SchedulerState }
  | { readonly type: 'dump'; readonly call: number; readonly dump: SchedulerDump }
  | { readonly type: 'log'; readonly line: string }
  /** The engine cannot go on; the thread ends after this. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string };
