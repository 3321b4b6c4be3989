import type { StatePayload } from '../../../extension/protocol/output-payloads.ts';
import { visibleText } from '../visible-text.ts';

/** Characters of a value that the summary quotes. */
const MOST_QUOTED = 60;

/** What the forks agree on: their values of one variable, the commonest first. */
export interface Vote {
  readonly name: string;
  readonly values: readonly { readonly text: string; readonly count: number }[];
}

/** Of every variable that each of the finished forks has set; white space around values is no difference. */
export function votes(forks: readonly StatePayload[]): Vote[] {
  if (forks.length < 2 || forks.some(({ running, error }) => running || error !== null)) return [];
  const each = forks.map(valuesOf);
  const [first = new Map<string, string>()] = each;
  return [...first.keys()]
    .filter((name) => each.every((values) => values.has(name)))
    .map((name) => {
      const counts = new Map<string, number>();
      for (const values of each) {
        const text = values.get(name) ?? '';
        counts.set(text, (counts.get(text) ?? 0) + 1);
      }
      const values = [...counts].map(([text, count]) => ({ text, count }));
      return { name, values: values.toSorted((a, b) => b.count - a.count) };
    });
}

function valuesOf({ segments }: StatePayload): Map<string, string> {
  return new Map(
    segments.flatMap((segment) =>
      segment.kind === 'gen' && segment.name !== null
        ? [[segment.name, segment.text.trim()] as const]
        : [],
    ),
  );
}

export function Votes({ forks }: { readonly forks: readonly StatePayload[] }) {
  return (
    <>
      {votes(forks).map((vote) => (
        <p key={vote.name} class="note">
          <span class="gen-name">{visibleText(vote.name)}</span> {verdict(vote, forks.length)}
        </p>
      ))}
    </>
  );
}

function verdict({ values }: Vote, total: number): string {
  const [first, second] = values;
  if (first === undefined) return '';
  if (second === undefined) return `The same in all ${total} forks.`;
  if (first.count === second.count) return `${values.length} different values in ${total} forks.`;
  return `${first.count} of ${total} forks agree on “${quoted(first.text)}”.`;
}

function quoted(text: string): string {
  const line = visibleText(text.replaceAll(/\s+/g, ' '));
  return line.length > MOST_QUOTED ? `${line.slice(0, MOST_QUOTED)}…` : line;
}
