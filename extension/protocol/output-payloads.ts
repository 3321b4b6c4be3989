/**
 * The boundary between kernel and renderer: MIME types and what they carry. Everything a renderer
 * shows comes from here and is plain data: text is text, never markup. Every bundle also carries
 * `text/plain`, so that any notebook front end shows something sensible.
 */

/** MIME type → payload. Binary types (`image/png`) carry base64 text. */
export type MimeBundle = Readonly<Record<string, unknown>> & { readonly 'text/plain': string };

/** `print_highlight`: emphasised text. */
export const HIGHLIGHT_MIME = 'application/vnd.sglang.highlight+json';
export interface HighlightPayload {
  readonly text: string;
}

/** A `ProgramState` shown as the last expression of a cell, by the run lens, or while streaming. */
export const STATE_MIME = 'application/vnd.sglang.state+json';
export interface StatePayload {
  readonly program: string | null;
  /** Still generating: the renderer shows activity and expects updates. */
  readonly running: boolean;
  readonly error: string | null;
  readonly segments: readonly StateSegment[];
  /** Forks of this state, in order, each with what it appended after the fork point. */
  readonly forks: readonly StatePayload[];
  /** Of a fork: how many segments of the state it came from lie before it. Absent: all. */
  readonly after?: number;
}

/** The state's text in order: constants, generated values, images, each with the role it lies in. */
export type StateSegment =
  | { readonly kind: 'text'; readonly role: string | null; readonly text: string }
  | {
      readonly kind: 'image';
      readonly role: string | null;
      readonly mime: string;
      /** Empty when the image is too large to be shown and saved with a notebook. */
      readonly base64: string;
      /** Size of an image that was left out. */
      readonly omittedBytes?: number;
    }
  | {
      readonly kind: 'gen';
      readonly role: string | null;
      readonly name: string | null;
      readonly text: string;
      readonly source: 'gen' | 'select';
      /** Human-readable constraint: `regex …`, `choices …`, `json schema`; `null` when free. */
      readonly constraint: string | null;
      readonly timing: GenTiming | null;
      readonly tokens: readonly TokenProbability[] | null;
      readonly choices: readonly ChoiceScore[] | null;
      /** How the choice was made; absent where a service, or the program itself, decided. */
      readonly decidedBy?: ChoicesMethod;
      readonly request: { readonly url: string; readonly body: unknown } | null;
    };

export interface GenTiming {
  readonly milliseconds: number;
  readonly firstTokenMilliseconds: number | null;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly completionTokens: number | null;
  /** Waiting for a place in the server's batch; absent when the server does not tell. */
  readonly queueMilliseconds?: number;
  /** Computing the prompt; absent when the server does not tell. */
  readonly prefillMilliseconds?: number;
}

export interface TokenProbability {
  /** `null` where the server told the token's number only. */
  readonly text: string | null;
  /** The token's number in the model's vocabulary; absent where `text` is there. */
  readonly id?: number;
  /** Natural logarithm; `null` where the server gave none. */
  readonly logprob: number | null;
  readonly top: readonly {
    readonly text: string | null;
    readonly id?: number;
    readonly logprob: number;
  }[];
}

/** SGLang's ways to decide between choices, under its names. */
export type ChoicesMethod =
  | 'token_length_normalized'
  | 'greedy_token_selection'
  | 'unconditional_likelihood_normalized';

/** One of a select's choices. What is absent was not known to whoever wrote it. */
export interface ChoiceScore {
  readonly text: string;
  /** Mean token log probability, natural logarithm: what `token_length_normalized` compares. */
  readonly score: number;
  readonly chosen: boolean;
  /** Of the whole text among the choices, 0 to 1. */
  readonly probability?: number;
  /** Number of the token, from 1, at which greedy token selection gives it up; `null` for its winner. */
  readonly greedyLoss?: number | null;
  /** Mean gain of its tokens' log probabilities over those without the prompt. */
  readonly gain?: number;
  /** Left out of very long lists. */
  readonly tokens?: readonly ChoiceToken[];
}

export interface ChoiceToken {
  /** `null` where the server told none. */
  readonly text: string | null;
  /** Natural logarithm. */
  readonly logprob: number;
  /** Without the prompt; `null` for a first token, which then has none. */
  readonly without?: number | null;
}

/** Progress and rows of `run_batch(..., progress_bar=True)`. */
export const BATCH_MIME = 'application/vnd.sglang.batch+json';
export interface BatchPayload {
  readonly program: string | null;
  readonly total: number;
  readonly finished: number;
  readonly failed: number;
  /** Finished rows by their place in the batch; a long batch is cut to its first ones. */
  readonly rows?: readonly BatchRow[];
}

/** One program of a batch. Texts are cut to what a table can show. */
export interface BatchRow {
  /** Place in the batch, from 0. */
  readonly index: number;
  readonly arguments: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, string>>;
  /** Why it failed; `null` when it did not. */
  readonly error: string | null;
  readonly milliseconds: number;
}

/** A question of `input()` that waits for its answer. No file keeps it: what is saved is the text. */
export const INPUT_MIME = 'application/vnd.sglang.input+json';
export interface InputPayload {
  /** Names the question in the messages between renderer and extension. */
  readonly id: string;
  readonly prompt: string;
  readonly password: boolean;
}

/** A notice of the kernel itself (model replaced, host rebound …), never model output. */
export const NOTICE_MIME = 'application/vnd.sglang.notice+json';
export interface NoticePayload {
  readonly severity: 'info' | 'warning';
  readonly text: string;
}

/** What a renderer says to the extension. */
export type RendererRequest =
  /** Run the cell again that shows this output. */
  | { readonly type: 'retry'; readonly mime: string; readonly text: string }
  | { readonly type: 'copy'; readonly text: string }
  /** The question is drawn: it can be answered here. */
  | { readonly type: 'question'; readonly id: string }
  /** `text: null` is the end of input. */
  | { readonly type: 'answer'; readonly id: string; readonly text: string | null };

/** What the extension says to a renderer: somebody waits for this question's answer. */
export interface AskMessage {
  readonly type: 'ask';
  readonly id: string;
  /** The reader is not typing elsewhere. */
  readonly focus: boolean;
}
