/** Questions to the driver: which model shall a server run that a cell launches under this name? */
import type { KernelEvent } from '../protocol/kernel-protocol.ts';

export class ModelRequests {
  readonly #send: (event: KernelEvent) => void;
  readonly #waiting = new Map<number, (model: string | null) => void>();
  #lastRequest = 0;

  constructor(send: (event: KernelEvent) => void) {
    this.#send = send;
  }

  /** A file's path, or `null` for what the program says; also when the signal is aborted. */
  ask(run: string | null, name: string, signal: AbortSignal): Promise<string | null> {
    if (signal.aborted) return Promise.resolve(null);
    this.#lastRequest += 1;
    const request = this.#lastRequest;
    return new Promise((resolve) => {
      const abort = (): void => this.reply(request, null);
      this.#waiting.set(request, (model) => {
        signal.removeEventListener('abort', abort);
        resolve(model);
      });
      signal.addEventListener('abort', abort, { once: true });
      this.#send({ type: 'model_request', request, run, name });
    });
  }

  /** An answer that comes too late is dropped. */
  reply(request: number, model: string | null): void {
    this.#waiting.get(request)?.(model);
    this.#waiting.delete(request);
  }

  closeAll(): void {
    for (const request of this.#waiting.keys()) this.reply(request, null);
  }
}
