import type { JsonSchema } from './json-schema.ts';

const key = (type: string, description: string): JsonSchema => ({ type, description });

/**
 * What `get_meta_info(name)` returns: what an SGLang server answers next to the text, and what `select`
 * adds. Servers of other versions have more, and API models have less.
 */
export const metaInfo: JsonSchema = {
  title: 'meta info of a gen',
  type: 'object',
  additionalProperties: true,
  properties: {
    id: key('string', 'Id of the request on the server.'),
    finish_reason: key(
      'object',
      '`{"type": "stop", "matched": …}`, `{"type": "length", "length": …}` or `{"type": "abort", "message": …}`.',
    ),
    prompt_tokens: key('integer', 'Tokens of the prompt, images counted in full.'),
    completion_tokens: key('integer', 'Generated tokens.'),
    cached_tokens: key('integer', 'Tokens of the prompt that were in the prefix cache.'),
    input_token_logprobs: key(
      'array',
      '`[logprob, token id, text]` of each token of the prompt from `logprob_start_len` on; of a `select`, one such list per choice. Needs `return_logprob=True`.',
    ),
    output_token_logprobs: key(
      'array',
      '`[logprob, token id, text]` of each generated token. Needs `return_logprob=True`.',
    ),
    input_top_logprobs: key(
      'array',
      'The most probable tokens at each place of the prompt. Needs `top_logprobs_num`.',
    ),
    output_top_logprobs: key(
      'array',
      'The most probable tokens at each generated place. Needs `top_logprobs_num`.',
    ),
    normalized_prompt_logprobs: key(
      'array',
      'Of a `select`: mean log probability of each choice, in their order.',
    ),
    e2e_latency: key('number', 'Seconds from request to answer. Newer servers, finished gens.'),
  },
};
