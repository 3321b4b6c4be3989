/**
 * The boundary between a kernel process and whoever drives it (the extension, the command line,
 * tests). Messages are JSON, one per line, in both directions over a byte stream (the child's
 * stdin/stdout, or a local socket when a kernel outlives its window). JSON escapes newlines, so a
 * line is a frame. Types only, plus the two functions that guard the boundary.
 */
import type { AttachEvent, AttachRequest } from './attach-protocol.ts';
import type { DebugCommand, DebugEvent } from './debug-protocol.ts';
import type { MimeBundle } from './output-payloads.ts';

/** Bumped when a message changes meaning; both sides refuse another major number. */
export const KERNEL_PROTOCOL_VERSION = 1;

/** Which guest runs the Python: WebAssembly (bundled) or the user's own interpreter. */
export type GuestChoice =
  | { readonly kind: 'wasm' }
  | { readonly kind: 'cpython'; readonly executable: string };

/* ---------------------------------------------------------------- driver → kernel */

export type KernelRequest =
  /** First message. `cwd` is the notebook's folder; `env` is added to the environment of shell lines. */
  | {
      readonly type: 'initialize';
      readonly protocolVersion: number;
      readonly cwd: string;
      readonly guest: GuestChoice;
      readonly env: Readonly<Record<string, string>>;
      /** Default backend if the program sets none: base URL of an SGLang server. */
      readonly endpoint: string | null;
      /** Model path that replaces the one named by `launch_server`, if any. */
      readonly model: string | null;
      /** How to reach `endpoint`: its key and certificates. Never shown, never in an environment. */
      readonly endpointOptions?: EndpointOptions;
      /** The driver answers `model_request`; without it no such question is sent. */
      readonly answersModelRequests?: boolean;
    }
  /**
   * Run one cell. Requests queue in order; after a cell fails with `stopOnError`, the queued ones end
   * as `aborted`. `run` is unique per execution; `cell` names the cell in tracebacks (`cell_3`).
   */
  | {
      readonly type: 'execute';
      readonly run: string;
      readonly cell: CellRef;
      readonly code: string;
      readonly stopOnError: boolean;
      /** Run it with the debugger: breakpoints hold. */
      readonly debug?: boolean;
    }
  /** Soft interrupt of the running cell, and `aborted` for the queued ones. */
  | { readonly type: 'interrupt' }
  /** Throw the Python state away and start a fresh guest (answers `status: restarted`). */
  | { readonly type: 'restart' }
  /** Stop every child process and exit 0. */
  | { readonly type: 'shutdown' }
  /** Answer to `input_request`. `null` means end of file. */
  | { readonly type: 'input_reply'; readonly request: number; readonly value: string | null }
  /** Answer to `model_request`: a file to run, or `null` for what the program says. */
  | { readonly type: 'model_reply'; readonly request: number; readonly model: string | null }
  /** Starts a background program again (runtimes only), or ends it by force. */
  | { readonly type: 'program'; readonly id: number; readonly action: 'restart' | 'kill' }
  /** Of a debugger; breakpoints may be set before the cell runs. */
  | { readonly type: 'debug'; readonly command: DebugCommand }
  /** Requests answered by one `reply` with the same `id`, never queued behind a running cell's output. */
  | { readonly type: 'query'; readonly id: number; readonly query: KernelQuery };

export interface EndpointOptions {
  readonly apiKey?: string;
  /** `false` accepts any certificate; text is the PEM of the authorities to trust instead. */
  readonly verify?: boolean | string;
}

export type KernelQuery =
  | { readonly kind: 'complete'; readonly code: string; readonly offset: number }
  /** The cells' variables, or what is inside the value that `path` leads to by the names in earlier answers. */
  | { readonly kind: 'variables'; readonly limit: number; readonly path?: readonly string[] }
  | { readonly kind: 'programs' }
  /** Prompt text of a program for these arguments without generating (run lens "Preview prompt"). */
  | {
      readonly kind: 'preview';
      readonly program: string;
      readonly args: JsonObject;
      /** More arguments, as Python literals. */
      readonly literals?: Readonly<Record<string, string>>;
      /**
       * The text that defines the program as it is written now, after those of the cells above; without
       * them, what its cell defined when it ran.
       */
      readonly sources?: readonly string[];
    };

/** Answer to `preview`. */
export interface PreviewAnswer {
  readonly prompt: PreviewText;
  readonly template: string;
  /** Model or server whose template it is; `null`: none is connected, the bundled model's is shown. */
  readonly model: string | null;
  /** Tokens of the text without placeholders. */
  readonly tokens: { readonly count: number; readonly exact: boolean };
  /** Values taken for what a model would choose, by variable. */
  readonly assumed: readonly (readonly [name: string, value: string])[];
  /** Why the preview does not reach the program's end; `null` when it does. */
  readonly ended: string | null;
}

/** Text with placeholders, and the forks after it, each with what it adds. */
export interface PreviewText {
  readonly text: string;
  readonly forks: readonly PreviewText[];
}

/** `id` is the stable cell id of the file; `label` is what tracebacks show, e.g. `cell 3`. */
export interface CellRef {
  readonly id: string;
  readonly label: string;
}

/* ---------------------------------------------------------------- kernel → driver */

export type KernelEvent =
  | {
      readonly type: 'ready';
      readonly protocolVersion: number;
      readonly pid: number;
      readonly python: string;
      readonly guest: GuestChoice['kind'];
      readonly startupMilliseconds: number;
    }
  | { readonly type: 'status'; readonly status: KernelStatus; readonly reason: string | null }
  | { readonly type: 'started'; readonly run: string; readonly executionOrder: number }
  /** Output of a run. `run: null`: output of background processes while nothing runs. */
  | { readonly type: 'output'; readonly run: string | null; readonly output: KernelOutput }
  | {
      readonly type: 'finished';
      readonly run: string;
      readonly outcome: RunOutcome;
      readonly milliseconds: number;
    }
  /** Ask the user for a line (`input()`, `getpass()`); answered by `input_reply`. */
  | {
      readonly type: 'input_request';
      readonly request: number;
      readonly run: string;
      readonly prompt: string;
      readonly password: boolean;
    }
  /**
   * A cell launches a server with a model's name, such as `Qwen/Qwen2.5-1.5B-Instruct`. The driver
   * may fetch that model, or name another, before it answers with `model_reply`.
   */
  | {
      readonly type: 'model_request';
      readonly request: number;
      readonly run: string | null;
      readonly name: string;
    }
  | { readonly type: 'gen'; readonly run: string | null; readonly record: GenRecord }
  | { readonly type: 'debug'; readonly event: DebugEvent }
  | { readonly type: 'process'; readonly process: ChildProcessInfo }
  | { readonly type: 'reply'; readonly id: number; readonly result: JsonValue }
  | { readonly type: 'reply_error'; readonly id: number; readonly message: string }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
    };

export type KernelStatus = 'starting' | 'idle' | 'busy' | 'interrupting' | 'restarted' | 'stopped';

export type RunOutcome =
  | { readonly status: 'ok' }
  | { readonly status: 'error'; readonly error: KernelError }
  | { readonly status: 'interrupted' }
  /** Never started: an earlier cell of the queue failed or was interrupted. */
  | { readonly status: 'aborted' };

export type KernelOutput =
  | { readonly kind: 'stream'; readonly name: 'stdout' | 'stderr'; readonly text: string }
  /** `displayId` lets a later `update` replace this output in place. */
  | { readonly kind: 'display'; readonly data: MimeBundle; readonly displayId: string | null }
  | { readonly kind: 'update'; readonly data: MimeBundle; readonly displayId: string }
  /** The value of the cell's last expression. */
  | { readonly kind: 'result'; readonly data: MimeBundle; readonly executionOrder: number }
  | { readonly kind: 'error'; readonly error: KernelError }
  | { readonly kind: 'clear'; readonly wait: boolean };

export interface KernelError {
  /** Python's exception class, e.g. `KeyError`. */
  readonly name: string;
  readonly message: string;
  /** Python-style traceback, cell frames only, no ANSI. */
  readonly traceback: string;
  /** 1-based line in the failing cell, if it is in a cell. */
  readonly line: number | null;
  /** Id of the cell that holds that line (not always the running one). */
  readonly cellId: string | null;
}

/** One finished (or failed) gen or select, for hovers, lenses and the trace view. */
export interface GenRecord {
  readonly program: string | null;
  /** Variable name; `null` for an unnamed gen. */
  readonly name: string | null;
  readonly kind: 'gen' | 'select';
  readonly value: string | readonly string[] | null;
  readonly error: string | null;
  /** Cell and 1-based line where the gen expression was appended, if known. */
  readonly cellId: string | null;
  readonly line: number | null;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly completionTokens: number | null;
  readonly milliseconds: number;
  /**
   * Probability of the whole text (where log probabilities were asked for), or of the choice among the
   * choices; 0 to 1.
   */
  readonly probability: number | null;
  /** The exact request of the last HTTP call, without secrets. */
  readonly request: { readonly url: string; readonly body: JsonValue } | null;
}

/** A program that a cell started with `execute_shell_command` or the kernel on its behalf. */
export interface ChildProcessInfo {
  /** Stays the same when a runtime is started again, unlike `pid`. */
  readonly id: number;
  readonly pid: number;
  readonly command: string;
  readonly kind: 'shell' | 'runtime';
  readonly url: string | null;
  /** What requests to the server carry as a bearer token; shown and stored nowhere. */
  readonly key?: string;
  /** `null` while it runs, and while it is being started again. */
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
  /** A runtime that ended unexpectedly and does not serve again yet: which attempt, of how many. */
  readonly restart?: { readonly attempt: number; readonly of: number } | null;
  /** Why a runtime that ended again and again was given up, with what to do. */
  readonly failure?: string | null;
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/* ---------------------------------------------------------------- framing */

/** One message as a line, newline included. */
export function encodeMessage(
  message: KernelRequest | KernelEvent | AttachRequest | AttachEvent,
): string {
  return `${JSON.stringify(message)}\n`;
}

/**
 * Splits a byte stream into messages. `push` takes decoded text; a line that is not a JSON object
 * with a string `type` is handed to `onGarbage` (a child's stray print must not kill the session).
 */
export class MessageReader<Message extends { readonly type: string }> {
  #rest: string[] = [];
  readonly #onMessage: (message: Message) => void;
  readonly #onGarbage: (line: string) => void;

  constructor(onMessage: (message: Message) => void, onGarbage: (line: string) => void) {
    this.#onMessage = onMessage;
    this.#onGarbage = onGarbage;
  }

  push(text: string): void {
    let start = 0;
    for (;;) {
      const newline = text.indexOf('\n', start);
      if (newline === -1) break;
      this.#rest.push(text.slice(start, newline));
      const line = this.#rest.join('');
      this.#rest = [];
      start = newline + 1;
      if (line !== '') this.#take(line);
    }
    if (start < text.length) this.#rest.push(text.slice(start));
  }

  #take(line: string): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch {
      this.#onGarbage(line);
      return;
    }
    if (
      typeof parsed === 'object' &&
      parsed !== null &&
      'type' in parsed &&
      typeof parsed.type === 'string'
    ) {
      // SAFETY: both ends are built from this file and checked by KERNEL_PROTOCOL_VERSION.
      this.#onMessage(parsed as Message);
    } else {
      this.#onGarbage(line);
    }
  }
}
