/**
 * The Python stacks that are suspended, each waiting for one promise. When the cell is interrupted, all
 * of them are woken with a mark that the transport turns into KeyboardInterrupt.
 */

/** `_sgl_transport_pyodide.py` knows this value; it is no JSON and no user's value. */
const INTERRUPTED = '\0interrupted';

export class SuspendedWaits {
  readonly #wakers = new Set<(value: unknown) => void>();

  get size(): number {
    return this.#wakers.size;
  }

  /** A promise with the outcome of `promise`, or the mark when the waits are ended first. */
  track(promise: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#wakers.add(resolve);
      const settle = (act: () => void): void => {
        this.#wakers.delete(resolve);
        act();
      };
      void promise.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }

  /** Innermost first, so that a body ends before the stack that waits for it. */
  endAll(): void {
    const wakers = [...this.#wakers].reverse();
    this.#wakers.clear();
    for (const wake of wakers) wake(INTERRUPTED);
  }
}
