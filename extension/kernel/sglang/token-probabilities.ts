/** Token probabilities of a completion, for renderers, from SGLang's `meta_info`. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { TokenProbability } from '../../protocol/output-payloads.ts';

/** `null` unless the gen asked for log probabilities with their text. */
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
  const read = textAndLogprob(entry);
  if (read === null) return null;
  const top = (Array.isArray(tops) ? tops : []).flatMap((item) => {
    const candidate = textAndLogprob(item);
    return candidate === null || candidate.logprob === null
      ? []
      : [{ text: candidate.text, logprob: candidate.logprob }];
  });
  return { ...read, top };
}

function textAndLogprob(entry: JsonValue): { text: string; logprob: number | null } | null {
  if (!Array.isArray(entry)) return null;
  const [logprob, , text] = entry;
  if (typeof text !== 'string') return null;
  return { text, logprob: typeof logprob === 'number' ? logprob : null };
}
