/** Lines that a version control system leaves where it could not merge: no Python, but no typing mistake. */
import type { Span } from './ast.ts';

/** One side of the conflict begins and the other ends; a conflict may span cells, so either may be alone. */
const edge = /^(?:<{7}|>{7})(?: |$)/m;
const marker = /^(?:(?:<{7}|\|{7}|>{7})(?: .*)?|={7})$/;

export interface Unconflicted {
  /** As long as the original: of each conflict only the first side is code, the rest are comments. */
  readonly text: string;
  readonly markers: readonly Span[];
}

export function withoutConflicts(text: string): Unconflicted {
  if (!edge.test(text)) return { text, markers: [] };
  const markers: Span[] = [];
  const lines = text.split('\n');
  const last = lines.findLastIndex((line) => line.startsWith('>>>>>>>'));
  let at = 0;
  let isCode = true;
  const masked = lines.map((line, number) => {
    const isMarker =
      marker.test(line) && (line.startsWith('<') || line.startsWith('>') || number < last);
    if (isMarker) {
      markers.push({ start: at, end: at + line.length });
      isCode = line.startsWith('<') || line.startsWith('>');
    }
    at += line.length + 1;
    return line === '' || (isCode && !isMarker) ? line : `#${line.slice(1)}`;
  });
  return { text: masked.join('\n'), markers };
}
