/**
 * Memory that the kernel's main thread and the guest's worker share: interrupt requests, which must
 * reach a worker that computes, and how much output is on its way, so that a fast cell waits for a
 * slow reader.
 *
 * An interrupt is a number. The worker claims it exactly once, wherever it notices it first; the main
 * thread knocks again until then, because a knock may come where nothing can be raised.
 */
const REQUESTED = 0;
const CLAIMED = 1;
const OUTSTANDING = 2;
const FIELDS = 3;

/** Characters of output on their way above which the worker waits. */
const OUTPUT_WINDOW = 2 * 1024 * 1024;
/** Pyodide raises SIGINT in Python when it finds this value. */
const SIGINT = 2;

export interface ControlMemory {
  readonly fields: SharedArrayBuffer;
  readonly signal: SharedArrayBuffer;
}

export function createControlMemory(): ControlMemory {
  return {
    fields: new SharedArrayBuffer(FIELDS * Int32Array.BYTES_PER_ELEMENT),
    signal: new SharedArrayBuffer(1),
  };
}

/** The main thread's side. */
export class ControlSender {
  readonly #fields: Int32Array<SharedArrayBuffer>;
  readonly #signal: Uint8Array<SharedArrayBuffer>;

  constructor(memory: ControlMemory) {
    this.#fields = new Int32Array(memory.fields);
    this.#signal = new Uint8Array(memory.signal);
  }

  request(): number {
    return Atomics.add(this.#fields, REQUESTED, 1) + 1;
  }

  isClaimed(request: number): boolean {
    return Atomics.load(this.#fields, CLAIMED) >= request;
  }

  /** Makes Python look for an interrupt at its next bytecode. */
  knock(): void {
    Atomics.store(this.#signal, 0, SIGINT);
  }

  /** Forgets requests that nobody claimed: the cell they were meant for has ended. */
  settle(): void {
    Atomics.store(this.#fields, CLAIMED, Atomics.load(this.#fields, REQUESTED));
    Atomics.store(this.#signal, 0, 0);
  }

  outputTaken(characters: number): void {
    Atomics.sub(this.#fields, OUTSTANDING, characters);
    Atomics.notify(this.#fields, OUTSTANDING);
  }
}

/** The worker's side. */
export class ControlReceiver {
  readonly signal: Uint8Array<SharedArrayBuffer>;
  readonly #fields: Int32Array<SharedArrayBuffer>;

  constructor(memory: ControlMemory) {
    this.#fields = new Int32Array(memory.fields);
    this.signal = new Uint8Array(memory.signal);
  }

  /** True for the one caller that may act on the latest request. */
  claim(): boolean {
    const requested = Atomics.load(this.#fields, REQUESTED);
    if (!this.#isPending()) return false;
    Atomics.store(this.#fields, CLAIMED, requested);
    return true;
  }

  quiet(): void {
    Atomics.store(this.signal, 0, 0);
  }

  /** Counts output and blocks the worker while the reader is far behind, unless it is interrupted. */
  outputSent(characters: number): void {
    Atomics.add(this.#fields, OUTSTANDING, characters);
    for (;;) {
      const outstanding = Atomics.load(this.#fields, OUTSTANDING);
      if (outstanding <= OUTPUT_WINDOW || this.#isPending()) return;
      Atomics.wait(this.#fields, OUTSTANDING, outstanding, 50);
    }
  }

  #isPending(): boolean {
    return Atomics.load(this.#fields, CLAIMED) < Atomics.load(this.#fields, REQUESTED);
  }
}
