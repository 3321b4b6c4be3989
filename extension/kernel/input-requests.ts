/** Questions to the user that a cell waits for. */
import type { KernelEvent } from '../protocol/kernel-protocol.ts';

export class InputRequests {
  readonly #send: (event: KernelEvent) => void;
  readonly #waiting = new Map<number, (value: string | null) => void>();
  #lastRequest = 0;

  constructor(send: (event: KernelEvent) => void) {
    this.#send = send;
  }

  /** The user's line; `null` at the end of input, when the cell ends or the signal is aborted. */
  ask(run: string, prompt: string, password: boolean, signal: AbortSignal): Promise<string | null> {
    if (signal.aborted) return Promise.resolve(null);
    this.#lastRequest += 1;
    const request = this.#lastRequest;
    return new Promise((resolve) => {
      const abort = (): void => this.reply(request, null);
      this.#waiting.set(request, (value) => {
        signal.removeEventListener('abort', abort);
        resolve(value);
      });
      signal.addEventListener('abort', abort, { once: true });
      this.#send({ type: 'input_request', request, run, prompt, password });
    });
  }

  /** An answer that comes too late is dropped. */
  reply(request: number, value: string | null): void {
    this.#waiting.get(request)?.(value);
    this.#waiting.delete(request);
  }

  closeAll(): void {
    for (const request of this.#waiting.keys()) this.reply(request, null);
  }
}
