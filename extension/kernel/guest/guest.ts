/**
 * The seam between Python and the SGLang interpreter. Two guests implement `PythonGuest`
 * (WebAssembly and the user's CPython); both run the same thin Python package `sglang`, which
 * reaches the interpreter through `HostBridge`. Only the transport differs.
 */
import type { DebugControl } from '../../protocol/debug-protocol.ts';
import type {
  CellRef,
  JsonValue,
  KernelError,
  KernelOutput,
} from '../../protocol/kernel-protocol.ts';

/** A message from the Python side: `{op, …}`; the closed union is in `bridge-protocol.ts`. */
export type BridgeMessage = { readonly op: string } & { readonly [key: string]: JsonValue };

/** An error that crosses to Python as the exception class named by `pythonType`. */
export interface BridgeError {
  readonly pythonType: string;
  readonly message: string;
}

export type BridgeReply = { readonly ok: JsonValue } | { readonly error: BridgeError };

/** Implemented by the interpreter; called by the guests' transports. */
export interface HostBridge {
  /** Fire and forget, in order. Never throws: a failure is remembered by the object it concerns. */
  post(message: BridgeMessage): void;
  /** Answered exactly once. Never rejects. Aborting the signal answers with `KeyboardInterrupt`. */
  call(message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply>;
  /** Cancels every request in flight: a cell was interrupted. */
  interrupt(): void;
  /** Drops all program states and closes connections. */
  dispose(): Promise<void>;
}

/** What a guest tells the kernel server while a cell runs. */
export interface GuestListener {
  output(output: KernelOutput): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** Settles once the driver has read most of the output so far; a guest that prints fast waits for it. */
  keepsUp(): Promise<void>;
  /** The guest died (crash, out of memory, killed); all Python state is lost. */
  died(reason: string): void;
}

export type CellResult =
  | { readonly status: 'ok' }
  | { readonly status: 'error'; readonly error: KernelError }
  | { readonly status: 'interrupted'; readonly error: KernelError };

export interface PythonGuest {
  /** Python's version, e.g. `3.14.2`. */
  readonly version: string;
  /**
   * Runs one cell to its end, with the debugger if told so. Cells never overlap: the kernel server queues.
   * Never rejects.
   */
  execute(cell: CellRef, code: string, debug?: boolean): Promise<CellResult>;
  /** Takes effect at once, also while a cell computes. */
  control(command: DebugControl): void;
  /** Raises KeyboardInterrupt in the running cell, whether it computes or waits. */
  interrupt(): void;
  /** Side questions (completion, variables) that must not disturb a running cell. */
  query(
    query: { readonly kind: string } & { readonly [key: string]: JsonValue },
  ): Promise<JsonValue>;
  /** Ends the guest at once. */
  dispose(): Promise<void>;
}
