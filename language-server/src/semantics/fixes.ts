/** Repairs that several rules offer. */
import type { Expression, Span } from '../syntax/ast.ts';
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

/** `sgl.` of `sgl.gen`: what else is called here is called in the same way. */
export function qualifierOf(callee: Expression, text: string): string {
  return callee.kind === 'Attribute' ? text.slice(callee.start, callee.attribute.start) : '';
}
