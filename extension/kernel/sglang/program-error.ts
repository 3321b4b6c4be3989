/** Failures of a program, and how any failure becomes a Python exception. */
import type { WireError } from '../guest/bridge-protocol.ts';

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

/** Any thrown value as data. Errors choose their Python class with a `pythonType` property. */
export function wireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { type: 'RuntimeError', message: String(error) };
  const type =
    'pythonType' in error && typeof error.pythonType === 'string'
      ? error.pythonType
      : 'RuntimeError';
  return { type, message: error.message };
}
