/**
 * Text of cells on its way to the terminal, as it comes: control sequences filtered, log lines of
 * the runtime dimmed. A log line is known by its time stamp, so the start of a line is held back
 * while it may still become one.
 */
import { paint, type Terminal } from './terminal.ts';
import { TerminalFilter } from './terminal-filter.ts';

/** SGLang's log lines: `[2025-02-13 21:03:19 TP0] Prefill batch. …` */
const LOG_LINE = /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^\]\n]{0,40}\]/;
const LOG_TEMPLATE = '[dddd-dd-dd dd:dd:dd';
/** Longest start of a log line: template, rank, bracket. */
const LONGEST_PREFIX = LOG_TEMPLATE.length + 41;

function mayBecomeLogLine(text: string): boolean {
  if (text.length > LONGEST_PREFIX) return false;
  return Array.from(text).every((character, index) => {
    const expected = LOG_TEMPLATE[index];
    if (expected === undefined) return character !== ']' && character !== '\n';
    return expected === 'd' ? character >= '0' && character <= '9' : character === expected;
  });
}

export class StreamView {
  readonly #terminal: Terminal;
  readonly #filter: TerminalFilter;
  readonly #write: (text: string) => void;
  #held = '';
  #line: 'start' | 'log' | 'plain' = 'start';

  constructor(terminal: Terminal, write: (text: string) => void) {
    this.#terminal = terminal;
    this.#filter = new TerminalFilter(terminal.colour);
    this.#write = write;
  }

  push(text: string): void {
    const clean = this.#held + this.#filter.push(text);
    this.#held = '';
    if (!this.#terminal.colour) {
      this.#write(clean);
      return;
    }
    const lines = clean.split('\n');
    const last = lines.pop() ?? '';
    const done = lines.map((line) => {
      const styled = this.#style(line);
      this.#line = 'start';
      return `${styled}\n`;
    });
    if (this.#line === 'start' && last !== '' && mayBecomeLogLine(last)) this.#held = last;
    else if (last !== '') done.push(this.#style(last));
    if (done.length > 0) this.#write(done.join(''));
  }

  /** Shows what was held back: something else is about to be written. */
  flush(): void {
    const held = this.#held;
    this.#held = '';
    if (held !== '') this.#write(held);
    this.#line = 'start';
  }

  #style(text: string): string {
    if (this.#line === 'start') this.#line = LOG_LINE.test(text) ? 'log' : 'plain';
    return this.#line === 'log' ? paint(this.#terminal, 'dim', text) : text;
  }
}
