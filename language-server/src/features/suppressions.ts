/** `# sglang: ignore` and `# sglang: ignore[code, code]` at the end of a line. */
import type { SourceUnit } from '../semantics/source-unit.ts';

const pattern = /#\s*sglang:\s*ignore(?:\[([\w\s,-]*)\])?/;

/** Does a comment on the line of `offset` turn this rule off? */
export function isSuppressed(unit: SourceUnit, offset: number, code: string): boolean {
  const { text, tree } = unit;
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const nextLine = text.indexOf('\n', offset);
  const lineEnd = nextLine === -1 ? text.length : nextLine;
  return tree.comments.some((comment) => {
    if (comment.start < lineStart || comment.start > lineEnd) return false;
    const found = pattern.exec(comment.text);
    if (!found) return false;
    return found[1] === undefined || found[1].split(',').some((listed) => listed.trim() === code);
  });
}
