import type {
  StateSegment,
  TokenProbability,
} from '../../../extension/protocol/output-payloads.ts';
import { visibleText } from '../visible-text.ts';
import { LongText } from './long-text.tsx';

export type GenSegment = Extract<StateSegment, { readonly kind: 'gen' }>;

/** Token spans are only drawn for outputs short enough to lay out at once. */
const MOST_TOKEN_SPANS = 2_000;

/** A generated value in the text: marked by a border and its variable's name, not by colour alone. */
export function GenValue({ gen }: { readonly gen: GenSegment }) {
  const label = gen.name ?? (gen.source === 'select' ? 'unnamed select' : 'unnamed gen');
  return (
    <span class="gen">
      <span class="gen-name">{visibleText(label)}</span>
      {gen.tokens !== null && gen.tokens.length <= MOST_TOKEN_SPANS ? (
        gen.tokens.map((token, index) => <Token key={index} token={token} />)
      ) : (
        <LongText text={gen.text} />
      )}
    </span>
  );
}

function Token({ token }: { readonly token: TokenProbability }) {
  const text = visibleText(token.text);
  if (token.logprob === null) return <span class="token">{text}</span>;
  const probability = Math.exp(token.logprob);
  return (
    <span class={`token ${band(probability)}`} title={`probability ${percent(probability)}`}>
      {text}
    </span>
  );
}

/** Underline style by probability, so that doubt shows without colour. */
function band(probability: number): string {
  if (probability >= 0.9) return 'sure';
  if (probability >= 0.5) return 'likely';
  if (probability >= 0.1) return 'unsure';
  return 'unlikely';
}

export function percent(probability: number): string {
  return `${(probability * 100).toFixed(probability < 0.1 ? 1 : 0)} %`;
}
