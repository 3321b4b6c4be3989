/** Server-sent events as SGLang sends them: `data:` lines, ended by `data: [DONE]`. */

import { InvalidAnswerError } from './backend.ts';

/** Characters of one line: far above any event, far below what would exhaust the memory. */
const MAX_LINE = 64 * 1024 * 1024;

/**
 * Splits text that arrives in arbitrary pieces into the payloads of its `data:` lines. Other lines
 * (comments, `event:`, blank, garbage) are skipped, as the standard says. CRLF and LF both end a line.
 */
export class SseParser {
  /** The pieces of a line whose end has not come; joined once, so that long lines stay cheap. */
  #rest: string[] = [];
  #length = 0;

  /** The payloads completed by this piece, without surrounding blanks. */
  push(piece: string): string[] {
    const [first = '', ...others] = piece.split('\n');
    this.#rest.push(first);
    this.#length += first.length;
    if (this.#length > MAX_LINE) {
      throw new InvalidAnswerError(
        `An event of the stream is longer than ${MAX_LINE} characters; the server does not send server-sent events.`,
      );
    }
    const last = others.pop();
    if (last === undefined) return [];
    const lines = [this.#rest.join(''), ...others];
    this.#rest = [last];
    this.#length = last.length;
    return lines.flatMap(payloadOf);
  }

  /** The payload of a last line that no newline ended. */
  end(): string[] {
    const rest = this.#rest.join('');
    this.#rest = [];
    this.#length = 0;
    return payloadOf(rest);
  }
}

function payloadOf(line: string): string[] {
  return line.startsWith('data:') ? [line.slice(5).trim()] : [];
}
