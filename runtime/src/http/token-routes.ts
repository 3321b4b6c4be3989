import type { OpenVocabulary } from '../engine/llama-vocabulary.ts';
import { detokenize } from '../tokenizer/detokenizer.ts';
import { json } from './answer.ts';
import type { Route, Routes } from './answer.ts';
import { Fields, kindOf, parseJsonObject } from './json-fields.ts';
import { badOpenAiRequest } from './openai-request.ts';

export interface TokenParts {
  readonly vocabulary: Pick<OpenVocabulary, 'tokenize' | 'bytes' | 'size'>;
  readonly contextLength: number;
}

/** `/tokenize` and `/detokenize`, also under `/v1`, in SGLang's shapes. */
export function tokenRoutes(parts: TokenParts): Routes {
  const tokenize: Route = ({ body }) => json(tokenizeAnswer(parts, parseJsonObject(body)));
  const detokenized: Route = ({ body }) => json(detokenizeAnswer(parts, parseJsonObject(body)));
  return {
    '/tokenize': { POST: tokenize },
    '/v1/tokenize': { POST: tokenize },
    '/detokenize': { POST: detokenized },
    '/v1/detokenize': { POST: detokenized },
  };
}

function tokenizeAnswer(parts: TokenParts, body: Readonly<Record<string, unknown>>): unknown {
  const fields = new Fields(body, '', badOpenAiRequest);
  const addSpecial = fields.boolean('add_special_tokens', true);
  const tokens = (text: string): number[] =>
    parts.vocabulary.tokenize(text, { addSpecial, parseSpecial: true });
  const prompt = fields.get('prompt');
  if (typeof prompt === 'string') {
    const ids = tokens(prompt);
    return { tokens: ids, count: ids.length, max_model_len: parts.contextLength };
  }
  if (!Array.isArray(prompt) || !prompt.every((text) => typeof text === 'string')) {
    throw badOpenAiRequest(`prompt must be a string or a list of strings, not ${kindOf(prompt)}`);
  }
  const lists = prompt.map((text: string) => tokens(text));
  return {
    tokens: lists,
    count: lists.map((ids) => ids.length),
    max_model_len: parts.contextLength,
  };
}

function detokenizeAnswer(parts: TokenParts, body: Readonly<Record<string, unknown>>): unknown {
  const fields = new Fields(body, '', badOpenAiRequest);
  const skipSpecialTokens = fields.boolean('skip_special_tokens', true);
  const tokens = fields.get('tokens');
  const text = (ids: unknown): string =>
    detokenize(parts.vocabulary, checkedIds(parts, ids), { skipSpecialTokens });
  const isBatch = Array.isArray(tokens) && tokens.some((one) => Array.isArray(one));
  return { text: isBatch ? tokens.map(text) : text(tokens) };
}

function checkedIds({ vocabulary }: TokenParts, ids: unknown): number[] {
  const isId = (id: unknown): id is number =>
    typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabulary.size;
  if (Array.isArray(ids) && ids.every(isId)) return ids;
  throw badOpenAiRequest(
    `tokens must be a list of token ids from 0 to ${vocabulary.size - 1}, or a list of such lists, not ${describe(ids, isId)}`,
  );
}

function describe(ids: unknown, isId: (id: unknown) => boolean): string {
  if (!Array.isArray(ids)) return kindOf(ids);
  return `one with ${kindOf(ids.find((id) => !isId(id)))} in it`;
}
