/**
 * Keeps what a cell prints within what the workbench can draw: text beyond a limit goes to a file, and
 * the cell says where.
 */
import type { KernelOutput } from '../../protocol/kernel-protocol.ts';

/** Characters of printed text that a cell shows; much more than anybody reads, and still fast. */
export const MOST_TEXT = 1_000_000;

/** Where the rest goes. */
export interface OutputFile {
  readonly path: string;
  write(text: string): void;
  close(): void;
}

export class LongOutput {
  readonly #open: () => OutputFile;
  readonly #note: (path: string) => string;
  readonly #limit: number;
  #shown = 0;
  #file: OutputFile | null = null;

  /** `note` is what the cell says of the file at `path`. */
  constructor(open: () => OutputFile, note: (path: string) => string, limit = MOST_TEXT) {
    this.#open = open;
    this.#note = note;
    this.#limit = limit;
  }

  /** What of this output the cell shows. */
  take(output: KernelOutput): KernelOutput[] {
    if (output.kind === 'clear') this.#shown = 0;
    if (output.kind !== 'stream') return [output];
    const room = Math.max(0, this.#limit - this.#shown);
    this.#shown += output.text.length;
    if (output.text.length <= room) return [output];
    const first = this.#file === null;
    this.#file ??= this.#open();
    this.#file.write(output.text.slice(room));
    const shown = room === 0 ? [] : [{ ...output, text: output.text.slice(0, room) }];
    if (!first) return shown;
    const note = { kind: 'stream', name: 'stderr', text: this.#note(this.#file.path) } as const;
    return [...shown, note];
  }

  close(): void {
    this.#file?.close();
  }
}
