/** Repairs that several rules offer. */
import type { Span } from '../syntax/ast.ts';
import type { Fix } from './facts.ts';

/** Puts text around an expression. */
export function surround({ start, end }: Span, before: string, after: string, title: string): Fix {
  return {
    title,
    edits: [
      { start, end: start, text: before },
      { start: end, end, text: after },
    ],
  };
}
