/**
 * Text of cells on its way to the terminal, as it comes: control sequences filtered, log lines of
 * the runtime dimmed and its notices marked. Such a line is known by how it begins, so the start of
 * a line is held back while it may still become one.
 */
import { paint, type StyleName, type Terminal } from './terminal.ts';
import { TerminalFilter } from './terminal-filter.ts';

interface LineKind {
  readonly style: StyleName;
  /** How such a line begins; `d` stands for a digit. */
  readonly start: string;
}

/** Lines of SGLang's server, of uvicorn in it, and of the bundled runtime. */
const LINE_KINDS: readonly LineKind[] = [
  { style: 'dim', start: '[dddd-dd-dd dd:dd:dd' },
  { style: 'dim', start: 'INFO:     ' },
  { style: 'notice', start: 'NOTICE: ' },
];

/** Does `text` begin like `start`, as far as both go? */
function agrees(text: string, start: string): boolean {
  const length = Math.min(text.length, start.length);
  for (let at = 0; at < length; at += 1) {
    const isDigit = text.charAt(at) >= '0' && text.charAt(at) <= '9';
    if (start[at] === 'd' ? !isDigit : text[at] !== start[at]) return false;
  }
  return true;
}

function kindOf(text: string): LineKind | null {
  return LINE_KINDS.find(({ start }) => text.length >= start.length && agrees(text, start)) ?? null;
}

function mayBecomeKind(text: string): boolean {
  return LINE_KINDS.some(({ start }) => text.length < start.length && agrees(text, start));
}

export class StreamView {
  readonly #terminal: Terminal;
  readonly #filter: TerminalFilter;
  readonly #write: (text: string) => void;
  #held = '';
  /** Style of the unfinished line; `null` at the start of a line. */
  #style: StyleName | null = null;

  constructor(terminal: Terminal, write: (text: string) => void) {
    this.#terminal = terminal;
    this.#filter = new TerminalFilter(terminal.colour);
    this.#write = write;
  }

  push(text: string): void {
    const clean = this.#held + this.#filter.push(text);
    this.#held = '';
    if (clean === '') return;
    const lines = clean.split('\n');
    const last = lines.pop() ?? '';
    const done: string[] = [];
    // The server logs while a cell prints word by word: its lines stay lines.
    if (this.#style === 'plain' && kindOf(clean) !== null) done.push(this.#endLine());
    for (const line of lines) done.push(this.#paint(line), this.#endLine());
    if (this.#style === null && last !== '' && mayBecomeKind(last)) this.#held = last;
    else if (last !== '') done.push(this.#paint(last));
    if (done.length > 0) this.#write(done.join(''));
  }

  /** Shows what was held back: something else is about to be written. */
  flush(): void {
    const held = this.#held;
    this.#held = '';
    if (held !== '') this.#write(held);
    this.#style = null;
  }

  #endLine(): string {
    this.#style = null;
    return '\n';
  }

  #paint(text: string): string {
    if (text === '') return '';
    this.#style ??= kindOf(text)?.style ?? 'plain';
    return paint(this.#terminal, this.#style, text);
  }
}
