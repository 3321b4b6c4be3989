import { EngineError } from '../engine/engine.ts';
import type { FinishReason } from './messages.ts';

/** Ends that are not the model's. */

export const ABORTED: FinishReason = {
  type: 'abort',
  message: 'Aborted by the client.',
  status_code: 499,
  err_type: 'ClientDisconnect',
};

export function badRequest(message: string): FinishReason {
  return { type: 'abort', message, status_code: 400, err_type: 'BadRequestError' };
}

export function neverFits(promptTokens: number, cells: number): FinishReason {
  return badRequest(
    `The prompt has ${promptTokens} tokens; this server has room for ${cells} (--max-total-tokens).`,
  );
}

export function outOfMemory(): FinishReason {
  return serverError('The context is full although nothing else is running.');
}

export function engineFailure(error: unknown): FinishReason {
  if (error instanceof EngineError) return serverError(`The engine failed: ${error.message}`);
  return serverError(`Internal error: ${error instanceof Error ? error.message : String(error)}`);
}

function serverError(message: string): FinishReason {
  return { type: 'abort', message, status_code: 500, err_type: 'InternalServerError' };
}
