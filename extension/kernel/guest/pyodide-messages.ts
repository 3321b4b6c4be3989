/** What the kernel's main thread and the worker with the WebAssembly guest say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type {
  CellRef,
  EndpointOptions,
  GenRecord,
  JsonValue,
  KernelOutput,
} from '../../protocol/kernel-protocol.ts';
import type { BridgeMessage, BridgeReply, CellResult } from './guest.ts';
import type { ControlMemory } from './pyodide-control.ts';

/** The worker's `workerData`. */
export interface WorkerSetup {
  readonly pyodideFolder: string;
  readonly pythonFolder: string;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoint: string | null;
  readonly endpointOptions: EndpointOptions;
  /** Folder for memory snapshots; `null`: start without one. */
  readonly cacheFolder: string | null;
  readonly control: ControlMemory;
  /** Carries `DebugControl`s, which the worker also takes while Python computes. */
  readonly debugPort: MessagePort;
}

export type ToWorker =
  | {
      readonly type: 'execute';
      readonly cell: CellRef;
      readonly code: string;
      readonly debug: boolean;
    }
  | { readonly type: 'interrupt' }
  | { readonly type: 'query'; readonly id: number; readonly query: JsonValue }
  | { readonly type: 'process_reply'; readonly id: number; readonly reply: BridgeReply };

export type FromWorker =
  | { readonly type: 'ready'; readonly python: string; readonly fromSnapshot: boolean }
  | { readonly type: 'output'; readonly output: KernelOutput; readonly characters: number }
  | { readonly type: 'gen'; readonly record: GenRecord }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
    }
  | { readonly type: 'finished'; readonly result: CellResult }
  | { readonly type: 'query_reply'; readonly id: number; readonly ok: JsonValue }
  | { readonly type: 'query_error'; readonly id: number; readonly message: string }
  | { readonly type: 'process_call'; readonly id: number; readonly message: BridgeMessage }
  | { readonly type: 'process_abort'; readonly id: number }
  /** The guest is beyond repair; the worker ends. */
  | { readonly type: 'failed'; readonly reason: string };
