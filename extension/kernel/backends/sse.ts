/** Server-sent events as SGLang sends them: `data:` lines, ended by `data: [DONE]`. */

import { InvalidAnswerError } from './backend.ts';

/** Characters of one line: far above any event, far below what would exhaust the memory. */
const MAX_LINE = 64 * 1024 * 1024;

/**
 * Splits text that arrives in arbitrary pieces into the payloads of its `data:` lines. Other lines
 * (comments, `event:`, blank, garbage) are skipped, as the standard says. CRLF and LF both end a line.
 */
export class SseParser {
  #rest = '';

  /** The payloads completed by this piece, without surrounding blanks. */
  push(piece: string): string[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE) {
      throw new InvalidAnswerError(
        `An event of the stream is longer than ${MAX_LINE} characters; the server does not send server-sent events.`,
      );
    }
    return lines.flatMap(payloadOf);
  }

  /** The payload of a last line that no newline ended. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return payloadOf(rest);
  }
}

function payloadOf(line: string): string[] {
  return line.startsWith('data:') ? [line.slice(5).trim()] : [];
}
