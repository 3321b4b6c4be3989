/** Calls that the kernel's main thread answers: the worker's side. */
import type { BridgeMessage, BridgeReply } from './guest.ts';
import type { FromWorker } from './pyodide-messages.ts';

const INTERRUPTED: BridgeReply = { error: { pythonType: 'KeyboardInterrupt', message: '' } };

export class ProcessCalls {
  readonly #send: (message: FromWorker) => void;
  readonly #waiting = new Map<number, (reply: BridgeReply) => void>();
  #lastId = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  /** Answered at once with `KeyboardInterrupt` when the signal is aborted. */
  call(message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> {
    if (signal.aborted) return Promise.resolve(INTERRUPTED);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#send({ type: 'process_abort', id });
        this.settle(id, INTERRUPTED);
      };
      this.#waiting.set(id, (reply) => {
        signal.removeEventListener('abort', abort);
        resolve(reply);
      });
      signal.addEventListener('abort', abort, { once: true });
      this.#send({ type: 'process_call', id, message });
    });
  }

  settle(id: number, reply: BridgeReply): void {
    this.#waiting.get(id)?.(reply);
    this.#waiting.delete(id);
  }
}
