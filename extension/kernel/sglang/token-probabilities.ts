/** Token probabilities of a completion, for renderers, from SGLang's `meta_info`. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { TokenLogprob } from '../backends/backend.ts';
import type { TokenProbability } from '../../protocol/output-payloads.ts';

/** Names of tokens: by text, or by number where the gen did not ask for their text. */
type TokenName = Pick<TokenProbability, 'text' | 'id'>;

/** `null` unless the gen asked for log probabilities. */
export function tokenProbabilities(meta: JsonObject): TokenProbability[] | null {
  const entries = meta['output_token_logprobs'];
  if (!Array.isArray(entries) || entries.length === 0) return null;
  const tops = meta['output_top_logprobs'];
  const rows = entries.map((entry, index) =>
    tokenOf(entry, Array.isArray(tops) ? tops[index] : null),
  );
  return rows.every((row) => row !== null) ? rows : null;
}

function tokenOf(entry: JsonValue, tops: JsonValue | undefined): TokenProbability | null {
  const read = readTriple(entry);
  if (read === null) return null;
  const top = (Array.isArray(tops) ? tops : []).flatMap((item) => {
    const candidate = readTriple(item);
    return candidate === null || candidate.logprob === null
      ? []
      : [{ ...candidate, logprob: candidate.logprob }];
  });
  return { ...read, top };
}

/** Reads `[logprob | null, id, text | null]`. */
function readTriple(entry: JsonValue): (TokenName & { logprob: number | null }) | null {
  if (!Array.isArray(entry)) return null;
  const [logprob, id, text] = entry;
  const value = typeof logprob === 'number' ? logprob : null;
  if (typeof text === 'string') return { text, logprob: value };
  return typeof id === 'number' && id >= 0 ? { text: null, id, logprob: value } : null;
}

/**
 * Probability of a completion's whole text, 0 to 1: the product of its tokens' probabilities. `null`
 * unless the gen asked for log probabilities.
 */
export function textProbability(meta: JsonObject): number | null {
  const entries = meta['output_token_logprobs'];
  if (!Array.isArray(entries) || entries.length === 0) return null;
  const logprobs = entries.map((entry) => (Array.isArray(entry) ? entry[0] : null));
  const numbers = logprobs.filter((logprob) => typeof logprob === 'number');
  return numbers.length === logprobs.length ? Math.exp(sum(numbers)) : null;
}

/**
 * Probability of the chosen option among the options, 0 to 1, from the log probabilities of the
 * options' tokens. (Not what decides: SGLang's default compares means per token.)
 */
export function choiceProbability(
  options: readonly (readonly TokenLogprob[])[],
  chosen: number,
): number | null {
  const totals = options.map((tokens) => sum(tokens.map(([logprob]) => logprob ?? 0)));
  const highest = Math.max(...totals);
  const shares = totals.map((total) => Math.exp(total - highest));
  const own = shares[chosen];
  return own === undefined ? null : own / sum(shares);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
