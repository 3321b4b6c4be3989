/**
 * Merges what a cell prints: pieces of one stream that come within a few milliseconds leave as one
 * output. The order of all outputs, across both streams and displays, stays as it was.
 */
import type { KernelOutput } from '../../protocol/kernel-protocol.ts';

/** Milliseconds that a printed piece may wait for more. */
const DELAY = 25;
/** Characters above which it does not wait. */
const MAX_PIECE = 64 * 1024;

export class OutputBatcher {
  readonly #emit: (output: KernelOutput) => void;
  #name: 'stdout' | 'stderr' = 'stdout';
  #pieces: string[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | null = null;

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
    else this.#timer ??= setTimeout(() => this.flush(), DELAY);
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pieces.length === 0) return;
    const text = this.#pieces.join('');
    this.#pieces = [];
    this.#length = 0;
    this.#emit({ kind: 'stream', name: this.#name, text });
  }
}
