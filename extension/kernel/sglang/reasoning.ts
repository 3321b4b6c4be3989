/**
 * Splits what reasoning models write into reasoning and answer, by the marks of each family: those of
 * SGLang's reasoning parser (`sglang.srt.parser.reasoning_parser`, v0.5.6).
 */
import { ProgramError } from './program-error.ts';

export interface Reasoned {
  readonly reasoning: string;
  readonly answer: string;
}

interface Marks {
  readonly start: string;
  readonly end: string;
  /** The model begins with reasoning although it writes no start mark. */
  readonly always: boolean;
}

const THINK: Marks = { start: '<think>', end: '</think>', always: false };
const ALWAYS_THINK: Marks = { ...THINK, always: true };

const MARKS: Readonly<Record<string, Marks>> = {
  'deepseek-r1': ALWAYS_THINK,
  'deepseek-v3': THINK,
  glm45: THINK,
  'gpt-oss': {
    start: '<|channel|>analysis<|message|>',
    end: '<|channel|>final<|message|>',
    always: false,
  },
  kimi: { start: '◁think▷', end: '◁/think▷', always: false },
  kimi_k2: ALWAYS_THINK,
  qwen3: THINK,
  'qwen3-thinking': THINK,
  minimax: THINK,
  'minimax-append-think': THINK,
  step3: ALWAYS_THINK,
};

/** Harmony's marks between messages, which are part of neither. */
const HARMONY = /<\|(?:end|start|return)\|>(?:assistant)?/g;
const HARMONY_MARKS = ['<|end|>', '<|start|>assistant', '<|return|>'];

/** What the variable of the reasoning is called. */
export function reasoningName(name: string): string {
  return `${name}_reasoning_content`;
}

/**
 * `partial`: more text may follow, so the beginning of a mark at the end belongs to nothing yet.
 * @throws ProgramError for a model type that is not known.
 */
export function splitReasoning(type: string, text: string, partial = false): Reasoned {
  const marks = MARKS[type.toLowerCase()];
  if (marks === undefined) throw new ProgramError('ValueError', `Unsupported model type: ${type}`);
  const harmony = type.toLowerCase() === 'gpt-oss';
  const begun = [marks.start, marks.end, ...(harmony ? HARMONY_MARKS : [])];
  const shown = partial ? withoutMarkBegun(text, begun) : text;
  const plain = harmony ? shown.replaceAll(HARMONY, '') : shown;
  const starts = plain.includes(marks.start);
  const ends = plain.includes(marks.end);
  if (!starts && !marks.always && !(ends && marks.end !== THINK.end))
    return { reasoning: '', answer: plain };
  const processed = plain.replace(marks.start, '');
  const at = processed.indexOf(marks.end);
  if (at === -1) return { reasoning: trimmed(processed, partial), answer: '' };
  return {
    reasoning: processed.slice(0, at).trim(),
    answer: trimmed(processed.slice(at + marks.end.length), partial),
  };
}

function trimmed(text: string, partial: boolean): string {
  return partial ? text.trimStart() : text.trim();
}

function withoutMarkBegun(text: string, marks: readonly string[]): string {
  const longest = Math.max(...marks.map((mark) => mark.length));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const tail = text.slice(-length);
    const begins = marks.some((mark) => mark.length > length && mark.startsWith(tail));
    if (begins) return text.slice(0, -length);
  }
  return text;
}
