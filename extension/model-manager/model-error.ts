export type ModelErrorCode =
  | 'NOT_FOUND'
  | 'UNAUTHORIZED'
  | 'NETWORK'
  | 'STALLED'
  | 'BAD_ANSWER'
  | 'WRONG_CONTENT'
  | 'NO_SPACE'
  | 'BUSY'
  | 'CANCELLED'
  | 'AMBIGUOUS'
  | 'NOT_A_MODEL'
  | 'BAD_NAME'
  | 'FILE_SYSTEM';

/** Something about a model that the user can act on; the message says how. */
export class ModelManagerError extends Error {
  override readonly name = 'ModelManagerError';
  readonly code: ModelErrorCode;

  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** @throws ModelManagerError CANCELLED once the signal is aborted */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ModelManagerError('CANCELLED', 'Cancelled.');
}
