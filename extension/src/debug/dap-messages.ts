/** What is used of the Debug Adapter Protocol's messages. */

export interface DapRequest {
  readonly type: 'request';
  readonly seq: number;
  readonly command: string;
  /** As the workbench sends it; `cell-debug-adapter.ts` checks what it reads. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export interface DapResponse {
  readonly type: 'response';
  readonly seq: number;
  readonly request_seq: number;
  readonly command: string;
  readonly success: boolean;
  readonly message?: string;
  readonly body?: unknown;
}

export interface DapEvent {
  readonly type: 'event';
  readonly seq: number;
  readonly event: string;
  readonly body?: unknown;
}

export interface DapSource {
  readonly name: string;
  /** A path, or the URI of a cell's document. */
  readonly path?: string;
}

export interface DapSourceBreakpoint {
  readonly line: number;
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}
