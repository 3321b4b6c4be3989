/** Side questions that are on their way to a guest, and what ends them when no answer comes. */
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import type { CellResult } from './guest.ts';

/** Python answers between two waits of a cell; one that computes may not answer at all. Milliseconds. */
const PATIENCE = 5_000;

interface Waiting {
  readonly resolve: (value: JsonValue) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class QueryError extends Error {
  readonly code = 'QUERY';

  constructor(message: string) {
    super(message);
    this.name = 'QueryError';
  }
}

export class QueryTable {
  readonly #send: (id: number, query: JsonValue) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #closed: string | null = null;

  constructor(send: (id: number, query: JsonValue) => void) {
    this.#send = send;
  }

  /** Fails with `QueryError` when Python refuses, computes for too long or has ended. */
  ask(query: JsonValue): Promise<JsonValue> {
    if (this.#closed !== null)
      return Promise.reject(new QueryError(`Python ended: ${this.#closed}`));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.reject(id, 'Python is busy; ask again when the cell has ended'),
        PATIENCE,
      );
      this.#waiting.set(id, { resolve, reject, timer });
      this.#send(id, query);
    });
  }

  resolve(id: number, value: JsonValue): void {
    this.#take(id)?.resolve(value);
  }

  reject(id: number, message: string): void {
    this.#take(id)?.reject(new QueryError(message));
  }

  /** Ends all questions, now and later. */
  close(reason: string): void {
    this.#closed = reason;
    for (const id of this.#waiting.keys()) this.reject(id, `Python ended: ${reason}`);
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting !== undefined) clearTimeout(waiting.timer);
    return waiting;
  }
}

/** How a cell ends when its guest does. */
export function deadGuestResult(reason: string): CellResult {
  const message = `Python ended while the cell was running: ${reason}`;
  return {
    status: 'error',
    error: {
      name: 'KernelDied',
      message,
      traceback: `KernelDied: ${message}`,
      line: null,
      cellId: null,
    },
  };
}
