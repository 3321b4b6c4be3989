/** Log probabilities of OpenAI's two APIs, in SGLang's layout: `[log probability, token id, text]`. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { TokenLogprob } from './backend.ts';
import { isObject } from './chat-prompt.ts';

/** The tokens of an echoed prompt that begin at or reach beyond `start`, an offset in its text. */
export function echoedTokens(choice: JsonValue | undefined, start: number): TokenLogprob[] {
  const logprobs = isObject(choice) ? choice['logprobs'] : undefined;
  if (!isObject(logprobs)) return [];
  const lists = ['tokens', 'token_logprobs', 'text_offset'].map((name) => logprobs[name]);
  const [tokens, values, offsets] = lists.map((list) => (Array.isArray(list) ? list : []));
  return (tokens ?? []).flatMap((token, index): TokenLogprob[] => {
    const [value, offset] = [values?.[index], offsets?.[index]];
    if (typeof token !== 'string' || typeof offset !== 'number') return [];
    if (offset + token.length <= start) return [];
    if (typeof value === 'number') return [[value, -1, token]];
    return start === 0 && index === 0 ? [[null, -1, token]] : [];
  });
}

/** Chat's log probabilities in SGLang's layout, without token ids. */
export function chatLogprobs(logprobs: JsonValue | undefined): JsonObject {
  const content = isObject(logprobs) ? logprobs['content'] : undefined;
  if (!Array.isArray(content)) return {};
  const tokens = content.filter(isObject);
  const entry = (item: JsonObject): JsonValue => [
    item['logprob'] ?? null,
    -1,
    item['token'] ?? null,
  ];
  const top = (item: JsonObject): JsonValue =>
    Array.isArray(item['top_logprobs']) ? item['top_logprobs'].filter(isObject).map(entry) : [];
  return { output_token_logprobs: tokens.map(entry), output_top_logprobs: tokens.map(top) };
}

/** The completions API's, which has a list for each part and tells no order of the likeliest. */
export function completionLogprobs(logprobs: JsonValue | undefined): JsonObject {
  if (!isObject(logprobs) || !Array.isArray(logprobs['tokens'])) return {};
  const [values, likeliest] = [logprobs['token_logprobs'], logprobs['top_logprobs']];
  const at = (list: JsonValue | undefined, index: number): JsonValue =>
    Array.isArray(list) ? (list[index] ?? null) : null;
  const top = (index: number): JsonValue[][] => {
    const found = at(likeliest, index);
    if (!isObject(found)) return [];
    const entries = Object.entries(found).map(([text, value]) => [value, -1, text] as const);
    return entries
      .toSorted(([one], [other]) => Number(other) - Number(one))
      .map((entry) => [...entry]);
  };
  const { tokens } = logprobs;
  return {
    output_token_logprobs: tokens.map((token, index) => [at(values, index), -1, token]),
    output_top_logprobs: tokens.map((_, index) => top(index)),
  };
}
