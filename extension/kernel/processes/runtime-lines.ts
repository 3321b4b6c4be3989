/**
 * Tells the bundled runtime's notices from its log. It prints `NOTICE: …` lines when it does something
 * else than the command says (another model, another address); the notebook highlights them.
 */
const MARK = 'NOTICE: ';

export class RuntimeLines {
  readonly #onText: (text: string) => void;
  readonly #onNotice: (text: string) => void;
  #rest = '';

  constructor(onText: (text: string) => void, onNotice: (text: string) => void) {
    this.#onText = onText;
    this.#onNotice = onNotice;
  }

  /** Takes output as it comes; a line is passed on when it is whole. */
  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    let log = '';
    for (const line of lines) {
      if (!line.startsWith(MARK)) log += `${line}\n`;
      else {
        if (log !== '') this.#onText(log);
        log = '';
        this.#onNotice(line.slice(MARK.length).trimEnd());
      }
    }
    if (log !== '') this.#onText(log);
  }

  /** The process has ended: its last words may lack a newline. */
  end(): void {
    if (this.#rest !== '') this.#onText(`${this.#rest}\n`);
    this.#rest = '';
  }
}
