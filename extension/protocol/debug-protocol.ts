/**
 * What a debugger says to the kernel and is told, inside the `debug` messages of `kernel-protocol.ts`. The
 * guest's Python reads and writes the same JSON (`kernel/guest/python/_sgl_debug.py`); it is not the Debug
 * Adapter Protocol, which the extension speaks.
 *
 * One stack at a time stands still for the debugger; others that come to a stop wait for their turn.
 */

/** A cell by its id in the file, or a Python file by its absolute path. */
export type DebugSource =
  | { readonly cell: string; readonly label?: string }
  | { readonly path: string };

export interface DebugBreakpoint {
  /** From 1. */
  readonly line: number;
  /** A Python expression: stop when it is true. */
  readonly condition?: string;
  /** `N`, or a comparison such as `>=N`; `%N` is every Nth time. */
  readonly hits?: string;
  /** Instead of a stop: a text with `{expressions}`. */
  readonly log?: string;
}

/** `raised`: every exception in the user's code; `uncaught`: one that ends the cell. */
export type ExceptionFilter = 'raised' | 'uncaught';

/** Taken at any time; those of a kernel last until `detach`. */
export type DebugControl =
  /** Replaces the breakpoints of a source. */
  | {
      readonly kind: 'breakpoints';
      readonly source: DebugSource;
      readonly breakpoints: readonly DebugBreakpoint[];
    }
  | { readonly kind: 'exceptions'; readonly filters: readonly ExceptionFilter[] }
  /** Stop at the next line of the user's code; also asked before the cell begins. */
  | { readonly kind: 'pause' }
  /** The run that was to pause is over; the next one does not. */
  | { readonly kind: 'forget_pause' }
  /** No more breakpoints and stops; what stands still goes on. */
  | { readonly kind: 'detach' };

export type DebugStep = 'continue' | 'over' | 'into' | 'out';

/** For the stack that stands still. Questions are answered by `answer` or `refusal` with the same `id`. */
export type StackCommand =
  | { readonly kind: 'resume'; readonly step: DebugStep }
  | { readonly kind: 'ask'; readonly id: number; readonly question: DebugQuestion };

export type DebugCommand = DebugControl | StackCommand;

/** Frames and references are numbers of earlier answers; they hold until the stack goes on. */
export type DebugQuestion =
  /** Answer: `DebugFrame[]`, the innermost first. */
  | { readonly kind: 'stack' }
  /** Answer: `DebugScope[]`. */
  | { readonly kind: 'scopes'; readonly frame: number }
  /** Answer: `DebugValue[]`. `start` and `count` select among the elements of a list. */
  | {
      readonly kind: 'variables';
      readonly reference: number;
      readonly start?: number;
      readonly count?: number;
    }
  /** Answer: `DebugValue`. Without a frame, in the innermost one. */
  | {
      readonly kind: 'evaluate';
      readonly text: string;
      readonly context: string;
      readonly frame?: number;
    }
  /** Sets a variable, attribute or element to a Python expression; answer: `DebugValue`. */
  | {
      readonly kind: 'set';
      readonly reference: number;
      readonly name: string;
      readonly text: string;
    };

export interface DebugFrame {
  readonly id: number;
  readonly name: string;
  readonly line: number;
  readonly source: DebugSource;
}

export interface DebugScope {
  readonly kind: 'locals' | 'globals';
  readonly reference: number;
}

export interface DebugValue {
  readonly name: string;
  readonly type: string;
  readonly value: string;
  /** 0: it has no parts. */
  readonly reference: number;
  /** Number of elements of a list. */
  readonly indexed?: number;
  /** Python that gives this value in the same frame. */
  readonly expression?: string;
}

export type DebugEvent =
  | {
      readonly kind: 'stopped';
      readonly thread: { readonly id: number; readonly name: string };
      readonly reason: 'breakpoint' | 'step' | 'pause' | 'exception';
      readonly text: string | null;
    }
  /** The stack was made to go on by something else than the debugger, such as an interrupt. */
  | { readonly kind: 'continued'; readonly thread: number }
  /** `thread`: which stack answers; `null` when none stands still. */
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly thread: number | null;
      readonly result: unknown;
    }
  | {
      readonly kind: 'refusal';
      readonly id: number;
      readonly thread: number | null;
      readonly message: string;
    }
  /** Of a breakpoint with a log text. */
  | { readonly kind: 'log'; readonly text: string };
