/**
 * Programs and models must not drive the user's terminal: of all control sequences only colours
 * pass (where colours are wanted), and of control characters tab, line feed, carriage return and
 * backspace. Works on a stream: a sequence may be cut anywhere.
 */
type State = 'text' | 'escape' | 'csi' | 'string' | 'string-escape';

const ALLOWED_CONTROLS = '\t\n\r\b';
/** An unfinished sequence longer than this is no sequence. */
const LONGEST_SEQUENCE = 64;

export class TerminalFilter {
  readonly #colour: boolean;
  #state: State = 'text';
  #sequence = '';

  constructor(colour: boolean) {
    this.#colour = colour;
  }

  push(text: string): string {
    if (this.#state === 'text' && !hasControls(text)) return text;
    let out = '';
    for (const character of text) out += this.#step(character);
    return out;
  }

  #step(character: string): string {
    switch (this.#state) {
      case 'text':
        return this.#text(character);
      case 'escape':
        this.#state = afterEscape(character);
        return '';
      case 'csi':
        return this.#csi(character);
      case 'string':
        if (character === '\x07' || character === '\x9c') this.#state = 'text';
        else if (character === '\x1b') this.#state = 'string-escape';
        // A string without end must not swallow the rest of the output.
        else if (character === '\n') {
          this.#state = 'text';
          return '\n';
        }
        return '';
      case 'string-escape':
        this.#state = character === '\\' ? 'text' : 'string';
        return '';
      default:
        return this.#state satisfies never;
    }
  }

  #text(character: string): string {
    if (character === '\x1b') this.#state = 'escape';
    else if (character === '\x9b') this.#startCsi();
    else if (character === '\x9d' || character === '\x90') this.#state = 'string';
    else if (!isControl(character)) return character;
    if (character === '\x1b') this.#sequence = '';
    return ALLOWED_CONTROLS.includes(character) ? character : '';
  }

  #startCsi(): void {
    this.#state = 'csi';
    this.#sequence = '';
  }

  #csi(character: string): string {
    if (character >= '@' && character <= '~') {
      this.#state = 'text';
      const isColour = character === 'm' && /^[0-9;:]*$/.test(this.#sequence);
      const sequence = this.#sequence;
      this.#sequence = '';
      return isColour && this.#colour ? `\x1b[${sequence}m` : '';
    }
    if (character < ' ' || this.#sequence.length >= LONGEST_SEQUENCE) {
      this.#state = 'text';
      this.#sequence = '';
      return this.#text(character);
    }
    this.#sequence += character;
    return '';
  }
}

function afterEscape(character: string): State {
  if (character === '[') return 'csi';
  return ']PX^_'.includes(character) ? 'string' : 'text';
}

function isControl(character: string): boolean {
  return character < ' ' || (character >= '\x7f' && character <= '\x9f');
}

function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if ((code < 32 && !ALLOWED_CONTROLS.includes(text.charAt(at))) || (code >= 127 && code < 160)) {
      return true;
    }
  }
  return false;
}

/** A complete text without any control sequence. */
export function plainText(text: string): string {
  return new TerminalFilter(false).push(text);
}
