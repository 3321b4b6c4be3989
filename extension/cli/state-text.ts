/** A program state as styled text: roles as headings, generated values apart from constants. */
import type { StatePayload, StateSegment, TokenProbability } from '../protocol/output-payloads.ts';
import type { StyleName } from './terminal.ts';

export interface Span {
  readonly style: StyleName;
  readonly text: string;
}

/** Probability above which a token counts as likely, and below which as unlikely. */
const LIKELY = 0.8;
const UNLIKELY = 0.3;

function tokenSpan({ text, logprob }: TokenProbability): Span {
  if (text === null || logprob === null) return { style: 'generated', text: text ?? '' };
  const probability = Math.exp(logprob);
  if (probability >= LIKELY) return { style: 'likely', text };
  return { style: probability < UNLIKELY ? 'unlikely' : 'generated', text };
}

function segmentSpans(segment: StateSegment): Span[] {
  switch (segment.kind) {
    case 'text':
      return [{ style: 'plain', text: segment.text }];
    case 'image':
      return [{ style: 'dim', text: `[${segment.mime}]` }];
    case 'gen': {
      const tokens = segment.tokens ?? [];
      const whole = tokens.map(({ text }) => text).join('') === segment.text;
      if (whole && tokens.length > 0) return tokens.map(tokenSpan);
      return [{ style: 'generated', text: segment.text }];
    }
    default:
      return segment satisfies never;
  }
}

function forkSpans(fork: StatePayload, index: number): Span[] {
  return [{ style: 'dim', text: `\n── fork ${index + 1}\n` }, ...stateSpans(fork)];
}

export function stateSpans(state: StatePayload): Span[] {
  const spans: Span[] = [];
  let role: string | null = null;
  for (const segment of state.segments) {
    if (segment.role !== role && segment.role !== null) {
      spans.push({ style: 'role', text: `${spans.length > 0 ? '\n' : ''}${segment.role}: ` });
    }
    role = segment.role;
    spans.push(...segmentSpans(segment));
  }
  spans.push(...state.forks.flatMap(forkSpans));
  if (state.error !== null) spans.push({ style: 'error', text: `\n${state.error}` });
  return spans;
}
