import { parseCalls } from './tool-call-format.ts';
import type { ToolCall, ToolCallFormat } from './tool-call-format.ts';

export type AnswerPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'call'; readonly call: ToolCall };

/**
 * Tells calls from text in an answer that arrives in pieces. Text that may become the beginning of a
 * call is held back; what looks like a call and is none comes out as the text that it is.
 */
export class ToolCallReader {
  readonly #format: ToolCallFormat;
  #pending = '';
  /** The text that began the call which is being read, and the space before it. */
  #start: string | null = null;
  #sawText = false;

  constructor(format: ToolCallFormat) {
    this.#format = format;
  }

  /** What is certain now. */
  append(text: string): AnswerPart[] {
    this.#pending += text;
    const parts: AnswerPart[] = [];
    while (this.#start === null ? this.#readText(parts) : this.#readCall(parts));
    return parts;
  }

  /** The answer ends: everything that is left. */
  finish(): AnswerPart[] {
    const parts: AnswerPart[] = [];
    if (this.#start !== null) this.#emitCall(parts, this.#pending);
    else this.#emitText(parts, this.#pending);
    this.#pending = '';
    this.#start = null;
    return parts;
  }

  /** True if a call begins, so that there is more to read. Space before a call is no answer. */
  #readText(parts: AnswerPart[]): boolean {
    const { starts, onlyFirst } = this.#format;
    const mayStart = !onlyFirst || !this.#sawText;
    const found = mayStart ? firstOf(this.#pending, starts) : null;
    const before = this.#pending.slice(0, found?.at ?? 0);
    if (found !== null && (!onlyFirst || before.trim() === '')) {
      const text = before.trimEnd();
      this.#emitText(parts, text);
      this.#start = before.slice(text.length) + found.start;
      this.#pending = this.#pending.slice(found.at + found.start.length);
      return true;
    }
    const held = mayStart ? heldBack(this.#pending, starts) : 0;
    const text = this.#pending.slice(0, this.#pending.length - held).trimEnd();
    this.#emitText(parts, text);
    this.#pending = this.#pending.slice(text.length);
    return false;
  }

  #readCall(parts: AnswerPart[]): boolean {
    const { end } = this.#format;
    const at = end === null ? -1 : this.#pending.indexOf(end);
    if (end === null || at < 0) return false;
    const rest = this.#pending.slice(at + end.length);
    this.#emitCall(parts, this.#pending.slice(0, at), end);
    this.#pending = rest;
    this.#start = null;
    return true;
  }

  #emitCall(parts: AnswerPart[], body: string, end = ''): void {
    const start = this.#start ?? '';
    // A bracket or brace that begins a call is part of its JSON.
    const calls = parseCalls(/^\s*[[{]$/.test(start) ? start + body : body);
    if (calls === null) this.#emitText(parts, start + body + end);
    else parts.push(...calls.map((call) => ({ kind: 'call', call }) as const));
  }

  #emitText(parts: AnswerPart[], text: string): void {
    if (text === '') return;
    this.#sawText = true;
    parts.push({ kind: 'text', text });
  }
}

function firstOf(
  text: string,
  starts: readonly string[],
): { readonly at: number; readonly start: string } | null {
  const found = starts
    .map((start) => ({ at: text.indexOf(start), start }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at);
  return found[0] ?? null;
}

/** Length of the longest end of `text` that a start may continue. */
function heldBack(text: string, starts: readonly string[]): number {
  const longest = Math.max(...starts.map((start) => start.length)) - 1;
  for (let length = Math.min(longest, text.length); length > 0; length -= 1) {
    const end = text.slice(text.length - length);
    if (starts.some((start) => start.startsWith(end))) return length;
  }
  return 0;
}
