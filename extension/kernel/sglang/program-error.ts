/** Failures of a program, and how any failure becomes a Python exception. */
import type { SentRequest } from '../backends/backend.ts';
import type { SourcePosition, WireError } from '../guest/bridge-protocol.ts';

/** A failure with the Python exception class that the user sees. */
export class ProgramError extends Error {
  readonly code = 'PROGRAM_ERROR';
  readonly pythonType: string;

  constructor(pythonType: string, message: string) {
    super(message);
    this.pythonType = pythonType;
  }
}

/** The cell was interrupted, or the kernel is closing, while this was under way. */
export class InterruptedProgramError extends ProgramError {
  constructor() {
    super('KeyboardInterrupt', 'interrupted');
  }
}

/** A gen or select failed: the failure itself, with the request and the line that led to it. */
export class FailedGenError extends ProgramError {
  readonly request: SentRequest | null;
  readonly at: SourcePosition | null;

  constructor(cause: unknown, request: SentRequest | null, at: SourcePosition | null) {
    const { type, message } = wireError(cause);
    super(type, message);
    this.cause = cause;
    this.request = request;
    this.at = at;
  }
}

/** Any thrown value as data. Errors choose their Python class with a `pythonType` property. */
export function wireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { type: 'RuntimeError', message: String(error) };
  const type =
    'pythonType' in error && typeof error.pythonType === 'string'
      ? error.pythonType
      : 'RuntimeError';
  const { message } = error;
  if (!(error instanceof FailedGenError)) return { type, message };
  return { type, message, request: error.request, at: error.at };
}
