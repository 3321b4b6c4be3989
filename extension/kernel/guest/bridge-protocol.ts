/**
 * What the Python package `sglang` says to the interpreter, and what it is told. The Python half of
 * this contract is the docstring of `python/sglang/_transport.py`; both guests carry these messages
 * unchanged, so only the transport differs between WebAssembly and CPython.
 *
 * A `post` is fire-and-forget and keeps its order; a `call` is answered once. States, backends and
 * processes are named by numbers: states by the Python side (`sid`), the others by this side.
 */
import type { DebugCommand } from '../../protocol/debug-protocol.ts';
import type { JsonObject, JsonValue, KernelOutput } from '../../protocol/kernel-protocol.ts';
import type { StatePayload } from '../../protocol/output-payloads.ts';
import type { LocalServerState, StateMoment } from '../backends/local-servers.ts';

/** File name and 1-based line of the Python frame that built an expression; the file may be a cell. */
export type SourcePosition = readonly [file: string, line: number];

/** Fields of `gen` that are not `None`, under the names of SGLang's sampling parameters. */
export type SamplingFields = JsonObject;

/** One expression as Python sends it; `submit` carries a flat list of them. `ir.ts` parses it. */
export type WireExpression =
  | { readonly t: 'text'; readonly v: string }
  | { readonly t: 'begin' | 'end'; readonly role: string }
  | {
      readonly t: 'gen';
      readonly name: string | null;
      readonly sampling: SamplingFields;
      /** Family of a reasoning model: the reasoning goes to `<name>_reasoning_content`. */
      readonly reasoning?: string;
      readonly at: SourcePosition | null;
    }
  | {
      readonly t: 'select';
      readonly name: string | null;
      readonly choices: readonly string[];
      readonly temperature: number;
      /** One of SGLang's; `own`: Python decides, by `evidence` and `decide`. */
      readonly method: string;
      /** Of an own method: its number, and whether it needs the log probabilities without the prompt. */
      readonly ticket?: number;
      readonly unconditional?: boolean;
      readonly at: SourcePosition | null;
    }
  /** `path` is a real path of the host; the file is read when the expression is executed. */
  | { readonly t: 'image'; readonly path: string | null; readonly base64: string | null }
  | { readonly t: 'video'; readonly path: string; readonly frames: number }
  | { readonly t: 'scope_begin' | 'scope_end'; readonly name: string }
  /** Has the server compute the text so far. */
  | { readonly t: 'commit' }
  /** Something that cannot be executed: the state fails with this error when it gets there. */
  | { readonly t: 'bad'; readonly error: WireError };

/** A failure as data: Python's exception class and its text. */
export interface WireError {
  readonly type: string;
  readonly message: string;
  /** Of a failed gen: what was sent, and where the program appended it. */
  readonly request?: { readonly url: string; readonly body: JsonValue } | null;
  readonly at?: SourcePosition | null;
}

/** A chat template as plain data, the same on both sides. */
export interface WireChatTemplate {
  readonly name: string;
  readonly defaultSystemPrompt: string | null;
  /** Role → [prefix, suffix]. */
  readonly roles: Readonly<Record<string, readonly [string, string]>>;
  readonly stop: readonly string[];
  readonly imageToken: string;
  readonly audioToken: string;
  readonly style: 'plain' | 'llama2';
}

/* ------------------------------------------------------------------ fire and forget */

export type BridgePost =
  /** A new program state. `sampling` are the complete defaults of the run. */
  | {
      readonly op: 'new';
      readonly sid: number;
      readonly backend: number;
      readonly program: string | null;
      readonly stream: boolean;
      readonly sampling: SamplingFields;
      /** `num_api_spec_tokens`; absent without speculation. */
      readonly speculate?: number;
      /** Instead of the backend's. */
      readonly template?: WireChatTemplate;
    }
  | { readonly op: 'submit'; readonly sid: number; readonly exprs: readonly WireExpression[] }
  /** `s[name] = value` (values that are not JSON stay on the Python side and are not sent). */
  | {
      readonly op: 'set';
      readonly sid: number;
      readonly name: string | null;
      readonly value: JsonValue;
    }
  /** The program's body ended; `error` is what it raised. Iterators over the state now end. */
  | { readonly op: 'end'; readonly sid: number; readonly error: WireError | null }
  /** Nobody waits for this run any more: what it and its forks have under way is cancelled. */
  | { readonly op: 'cancel'; readonly sid: number }
  /** What the program's own method decided about a select, or the exception that it raised. */
  | {
      readonly op: 'decide';
      readonly sid: number;
      readonly ticket: number;
      readonly decision: string;
      readonly meta: JsonObject;
      readonly error: WireError | null;
    }
  /** Python no longer refers to these states; they go when their queues are empty. */
  | { readonly op: 'drop'; readonly sids: readonly number[] }
  | { readonly op: 'set_template'; readonly backend: number; readonly template: WireChatTemplate }
  | { readonly op: 'register_template'; readonly template: WireChatTemplate }
  /** Everything a cell shows, `print` included, in one ordered stream. */
  | { readonly op: 'output'; readonly output: KernelOutput };

/* ------------------------------------------------------------------ calls and their answers */

export type VariableReply =
  | { readonly status: 'value'; readonly value: JsonValue }
  /** `known`: names that the program has set or is about to. */
  | { readonly status: 'missing'; readonly known: readonly string[] }
  | { readonly status: 'failed'; readonly error: WireError };

export interface BridgeCalls {
  /**
   * Waits until the variable has its value, or never will. `outer`: the reader is not the program's
   * own body, so while that body still runs (streaming) it may yet define the variable.
   */
  readonly get: { sid: number; name: string | null; outer: boolean; answer: VariableReply };
  /** Current variables, without waiting. */
  readonly variables: { sid: number; answer: JsonObject };
  /** Meta information of a gen; `null` when unknown. Waits at most `timeout` seconds (`null`: for ever). */
  readonly meta: { sid: number; name: string | null; timeout: number | null; answer: JsonValue };
  /** All meta information so far, without waiting. */
  readonly metas: { sid: number; answer: JsonObject };
  /**
   * What a program's own method decides on, when its select is executed: log probabilities by choice.
   * `null` when the state ended before.
   */
  readonly evidence: {
    sid: number;
    ticket: number;
    answer: {
      readonly normalized: readonly number[];
      readonly tokens: JsonValue;
      readonly outputTokens: JsonValue;
      readonly unconditional: JsonValue;
    } | null;
  };
  /** The four waits for an empty queue. They do not raise when a gen failed; `error` tells. */
  readonly sync: { sid: number; answer: null };
  readonly text: { sid: number; answer: string };
  readonly messages: { sid: number; answer: JsonValue };
  readonly error: { sid: number; answer: WireError | null };
  /** Without waiting: for `repr`, hovers and live views. */
  readonly snapshot: {
    sid: number;
    answer: { readonly state: StatePayload; readonly text: string; readonly finished: boolean };
  };
  /** Waits for the parent's queue, then makes the children `ids`. */
  readonly fork: { sid: number; ids: readonly number[]; answer: null };
  /**
   * Waits for the children. `gather_variable`: answers each child's variables and failure (Python
   * builds the lists, because some values live there). `concate_and_append`: appends each child's
   * own text to the parent.
   */
  readonly join: {
    sid: number;
    ids: readonly number[];
    mode: string;
    answer: readonly {
      readonly variables: JsonObject;
      readonly unnamed: JsonValue;
      readonly error: WireError | null;
    }[];
  };
  /**
   * The next piece of a growing text (`name: null` and `whole: true`: the state's whole text).
   * Positions are opaque; the first is 0. `done` with `error`: the iterator raises after this piece.
   */
  readonly next: {
    sid: number;
    name: string | null;
    whole: boolean;
    position: number;
    answer: {
      readonly piece: string;
      readonly position: number;
      readonly done: boolean;
      readonly error: WireError | null;
      readonly meta: JsonValue;
    };
  };
  /** Connects a backend. Fails with ConnectionError when nothing answers at the URL. */
  readonly backend: {
    kind: string;
    url: string;
    options: JsonObject;
    answer: {
      readonly id: number;
      readonly modelInfo: JsonObject;
      /** `null`: with the option `own_matches`, and a model that SGLang's rules do not know. */
      readonly template: WireChatTemplate | null;
    };
  };
  /** The template that a backend gets when neither SGLang's rules nor the program's know its model. */
  readonly choose_template: { backend: number; answer: WireChatTemplate };
  /** The backend to use when the program sets none; `null` when the kernel has none either. */
  readonly default_backend: {
    own_matches?: boolean;
    answer: {
      readonly id: number;
      readonly url: string;
      readonly modelInfo: JsonObject;
      readonly template: WireChatTemplate | null;
    } | null;
  };
  readonly flush_cache: { backend: number; answer: null };
  readonly server_info: { backend: number; answer: JsonValue };
  /**
   * Renders constant expressions with the backend's template and caches them when longer than 64
   * characters, or `always`.
   */
  readonly cache_prefix: {
    backend: number;
    exprs: readonly WireExpression[];
    always?: boolean;
    answer: null;
  };
  /** A video's frames as servers take them. */
  readonly video: { path: string; frames: number; answer: string };
  readonly templates: { answer: readonly WireChatTemplate[] };
  /** The template of a model path; `sglang`: by SGLang's rules alone, `null` where none matches. */
  readonly match_template: { model: string; sglang: boolean; answer: WireChatTemplate | null };
  /** Any HTTP request through the kernel's client: `sglang.utils.http_request`. */
  readonly http: {
    method: string;
    url: string;
    headers: Readonly<Record<string, string>>;
    body: string | null;
    timeout: number | null;
    answer: { readonly status: number; readonly body: string };
  };
  /**
   * Begins an HTTP exchange of the guest's `requests` module; bodies are base64. `timeout`: seconds for
   * the head of the answer, then for each piece of its body. Redirects are not followed.
   */
  readonly http_open: {
    method: string;
    url: string;
    headers: Readonly<Record<string, string>>;
    body: string | null;
    timeout: number | null;
    verify: boolean;
    answer: {
      readonly id: number;
      readonly status: number;
      readonly reason: string;
      readonly headers: readonly (readonly [string, string])[];
    };
  };
  /** The next piece of the body, base64; `null` at its end. */
  readonly http_read: { id: number; answer: string | null };
  /** Ends the exchange; the server is told by a closed connection. */
  readonly http_close: { id: number; answer: null };
}

/**
 * Calls that concern processes and the terminal. The kernel's main thread answers them
 * (`HostBridgeOptions.processCall`); the interpreter only passes them on.
 */
export interface ProcessCalls {
  // The transports add to `shell` and `spawn_process` what the cell has changed: `cwd`, the folder as
  // this machine knows it, and `env`, variables by name (`null`: removed).
  /**
   * A shell line (`!cmd`) in the notebook's folder; streams its output unless it is captured.
   * `interpreter`: the program of a cell magic (`bash`, `sh`); `null`: the shell of shell lines.
   */
  readonly shell: {
    command: string;
    capture: boolean;
    interpreter?: string | null;
    answer: { readonly code: number; readonly stdout: string };
  };
  /** `execute_shell_command`: starts a background process, `sglang.launch_server` being our runtime. */
  readonly spawn_process: { command: string; answer: { readonly pid: number } };
  /** Ends a process and all its children; waits until they are gone. */
  readonly kill_process: { pid: number; answer: null };
  /** Exit code, or `null` while it runs. */
  readonly poll_process: { pid: number; answer: number | null };
  /** Exit code; waits at most `timeout` seconds, then fails with TimeoutError. */
  readonly wait_process: { pid: number; timeout: number | null; answer: number };
  /** Until `GET {url}/v1/models` answers 200. TimeoutError after `timeout` seconds; a process that died is a RuntimeError. */
  readonly wait_for_server: { url: string; timeout: number | null; answer: null };
  /** Asked by the interpreter's HTTP clients about a server of this machine, not by Python. */
  readonly server_state: { url: string; moment: StateMoment; answer: LocalServerState | null };
  /** A port of 127.0.0.1 that is free now. */
  readonly free_port: { answer: number };
  readonly input: { prompt: string; password: boolean; answer: string | null };
  /**
   * A `DebugEvent` of a traced cell. A stack that stands still (`stopped`, then `answer` or `refusal`)
   * waits for the debugger's next command; any other event is answered at once.
   */
  readonly debug: { event: JsonObject; answer: DebugCommand | null };
}

export type BridgeCallName = keyof BridgeCalls;
export type ProcessCallName = keyof ProcessCalls;

const PROCESS_CALLS: Readonly<Record<ProcessCallName, true>> = {
  shell: true,
  spawn_process: true,
  kill_process: true,
  poll_process: true,
  wait_process: true,
  wait_for_server: true,
  server_state: true,
  free_port: true,
  input: true,
  debug: true,
};

/** Whether the main thread answers this call, not the interpreter. */
export function isProcessCall(op: string): op is ProcessCallName {
  return Object.hasOwn(PROCESS_CALLS, op);
}
