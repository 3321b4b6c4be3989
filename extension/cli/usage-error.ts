/** The command line or a file named by it cannot be used; the message says what to do. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

/** Exit codes of `sglnb`. Interrupts follow the shell's 128 + signal number. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130, terminated: 143 } as const;
