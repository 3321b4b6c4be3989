import type { LogLevel } from './options.ts';

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warning', 'error', 'critical'];

/** Lines on standard output in the form of SGLang's server; losing the reader is no error. */
export class Log {
  readonly #level: number;
  readonly #write: (text: string) => void;

  constructor(level: LogLevel, write: (text: string) => void) {
    this.#level = ORDER.indexOf(level);
    this.#write = write;
  }

  /** `[2025-02-20 09:41:18 TP0] line`, as the scheduler writes. */
  scheduler(line: string): void {
    if (this.#shows('info')) this.#write(`[${timestamp(new Date())} TP0] ${line}\n`);
  }

  /** `[2025-02-20 09:41:18] line`, as the main process writes. */
  info(line: string): void {
    if (this.#shows('info')) this.#write(`[${timestamp(new Date())}] ${line}\n`);
  }

  /** A line of the HTTP server, which has its own format. */
  access(line: string): void {
    if (this.#shows('info')) this.#write(`${line}\n`);
  }

  /** Something that the user should know; shown at every level below error. */
  notice(line: string): void {
    if (this.#shows('warning')) this.#write(`NOTICE: ${line}\n`);
  }

  error(line: string): void {
    this.#write(`[${timestamp(new Date())}] ERROR: ${line}\n`);
  }

  #shows(level: LogLevel): boolean {
    return ORDER.indexOf(level) >= this.#level;
  }
}

/** Local time, `YYYY-MM-DD hh:mm:ss`. */
export function timestamp(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
