/**
 * Merges what a cell prints: pieces of one stream that come within a few milliseconds leave as one
 * output, and the first after a pause leaves at once. The order of all outputs, across both streams and displays, stays as it was.
 */
import type { KernelOutput } from '../../protocol/kernel-protocol.ts';

/** Milliseconds between two outputs of printed pieces. */
const DELAY = 25;
/** Characters above which it does not wait. */
const MAX_PIECE = 64 * 1024;

export class OutputBatcher {
  readonly #emit: (output: KernelOutput) => void;
  #name: 'stdout' | 'stderr' = 'stdout';
  #pieces: string[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | null = null;
  #flushed = -Infinity;

  constructor(emit: (output: KernelOutput) => void) {
    this.#emit = emit;
  }

  add(output: KernelOutput): void {
    if (output.kind !== 'stream') {
      this.flush();
      return this.#emit(output);
    }
    if (output.name !== this.#name) this.flush();
    this.#name = output.name;
    this.#pieces.push(output.text);
    this.#length += output.text.length;
    if (this.#length >= MAX_PIECE) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), this.#rest());
  }

  #rest(): number {
    return Math.max(0, DELAY - (performance.now() - this.#flushed));
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pieces.length === 0) return;
    const text = this.#pieces.join('');
    this.#pieces = [];
    this.#length = 0;
    this.#flushed = performance.now();
    this.#emit({ kind: 'stream', name: this.#name, text });
  }
}
