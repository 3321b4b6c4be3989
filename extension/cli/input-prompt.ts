/** Lines for `input()`: typed on the terminal, or read from whatever stdin is. */
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export class InputPrompt {
  readonly #stdin: Readable;
  readonly #stdout: Writable | null;
  #reader: Interface | null = null;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | null) => void)[] = [];
  #ended = false;

  /** @param stdout where typed characters are echoed; `null` when stdin is no terminal */
  constructor(stdin: Readable, stdout: Writable | null) {
    this.#stdin = stdin;
    this.#stdout = stdout;
  }

  /** Somebody types. */
  get isTty(): boolean {
    return this.#stdout !== null;
  }

  /** The next line, or `null` at the end of input. stdin is untouched until the first call. */
  readLine(password: boolean): Promise<string | null> {
    const reader = this.#open();
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#ended) return Promise.resolve(null);
    if (this.#stdout !== null) muteEcho(reader, password);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#reader?.close();
    this.#stdin.destroy();
  }

  #open(): Interface {
    if (this.#reader) return this.#reader;
    const output = this.#stdout ?? undefined;
    const reader = createInterface({
      input: this.#stdin,
      ...(output ? { output } : {}),
      terminal: output !== undefined,
      prompt: '',
    });
    reader.on('line', (line) => {
      muteEcho(reader, false);
      const waiting = this.#waiting.shift();
      if (waiting) waiting(line);
      else this.#lines.push(line);
    });
    reader.on('close', () => {
      this.#ended = true;
      for (const waiting of this.#waiting.splice(0)) waiting(null);
    });
    // In a terminal readline takes Ctrl-C for itself; hand it on.
    reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    this.#reader = reader;
    return reader;
  }
}

/** Shows nothing of a password being typed. */
function muteEcho(reader: Interface, muted: boolean): void {
  if (!('_writeToOutput' in reader)) return;
  if (muted) Object.assign(reader, { _writeToOutput: () => {} });
  else if (Object.hasOwn(reader, '_writeToOutput'))
    Reflect.deleteProperty(reader, '_writeToOutput');
}
