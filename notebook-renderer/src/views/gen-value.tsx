import type {
  StateSegment,
  TokenProbability,
} from '../../../extension/protocol/output-payloads.ts';
import { visibleText } from '../visible-text.ts';
import { LongText } from './long-text.tsx';
import { percent } from './numbers.ts';

export type GenSegment = Extract<StateSegment, { readonly kind: 'gen' }>;

interface DrawnToken {
  readonly text: string;
  readonly logprob: TokenProbability['logprob'];
}

/** Token spans are only drawn for outputs short enough to lay out at once. */
const MOST_TOKEN_SPANS = 2_000;

/** A generated value in the text: marked by a border and its variable's name, not by colour alone. */
export function GenValue({ gen }: { readonly gen: GenSegment }) {
  const label = gen.name ?? (gen.source === 'select' ? 'unnamed select' : 'unnamed gen');
  const tokens = tokensOfText(gen);
  return (
    <span class="gen">
      <span class="gen-name">{visibleText(label)}</span>
      {gen.constraint !== null && (
        <span class="gen-constraint" title={visibleText(gen.constraint)}>
          {visibleText(constraintKind(gen.constraint))}
        </span>
      )}
      {tokens === null ? (
        <LongText text={gen.text} />
      ) : (
        tokens.map((token, index) => <Token key={index} token={token} />)
      )}
    </span>
  );
}

/** `regex \d+` is a `regex`: the whole of it stands in the details. */
function constraintKind(constraint: string): string {
  return /^(regex|choices|json schema|ebnf)\b/.exec(constraint)?.[1] ?? constraint.slice(0, 24);
}

/**
 * The tokens that make up the value: a server also tells the one that ended it, and those of a stop
 * string, which are no part of it. `null` when they do not make up the text.
 */
function tokensOfText({ tokens, text }: GenSegment): readonly DrawnToken[] | null {
  if (tokens === null || tokens.length > MOST_TOKEN_SPANS) return null;
  const drawn: DrawnToken[] = [];
  let rest = text;
  for (const token of tokens) {
    if (rest === '') break;
    if (token.text === null) return null;
    const part = token.text.slice(0, rest.length);
    if (!rest.startsWith(part)) return null;
    drawn.push({ text: part, logprob: token.logprob });
    rest = rest.slice(part.length);
  }
  return rest === '' ? drawn : null;
}

function Token({ token }: { readonly token: DrawnToken }) {
  const text = visibleText(token.text);
  if (token.logprob === null) return <span class="token">{text}</span>;
  return (
    <span
      class={`token ${bandOf(token.logprob).style}`}
      title={`probability ${percent(Math.exp(token.logprob))}`}
    >
      {text}
    </span>
  );
}

/** Underline by least probability, so that doubt shows without colour. */
export const BANDS = [
  { style: 'sure', least: 0.9, words: '90 % and more' },
  { style: 'likely', least: 0.5, words: '50 to 90 %' },
  { style: 'unsure', least: 0.1, words: '10 to 50 %' },
  { style: 'unlikely', least: 0, words: 'below 10 %' },
] as const;

export function bandOf(logprob: number): (typeof BANDS)[number] {
  const probability = Math.exp(logprob);
  return BANDS.find(({ least }) => probability >= least) ?? BANDS[3];
}
