import { describe, expect, it } from 'vitest';
import { HttpError } from '../../../runtime/src/http/errors.ts';
import { parseGenerateRequest } from '../../../runtime/src/http/generate-request.ts';
import { parseJsonObject } from '../../../runtime/src/http/json-fields.ts';

const parse = (body: string) => parseGenerateRequest(parseJsonObject(Buffer.from(body)));

/** The status and message with which a body is refused. */
function refusal(body: unknown): string {
  try {
    parse(typeof body === 'string' ? body : JSON.stringify(body));
    return 'accepted';
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    return `${error.status} ${error.message}`;
  }
}

/** The refusal of sampling parameters. */
const sampling = (params: object) => refusal({ text: 'x', sampling_params: params });

describe('parseGenerateRequest', () => {
  it('fills in the defaults of SGLang', () => {
    const call = parse('{"text":"hi"}');
    expect(call).toMatchObject({ isList: false, stream: false });
    expect(call.items).toHaveLength(1);
    expect(call.items[0]).toMatchObject({
      prompt: { kind: 'text', text: 'hi' },
      logprobs: null,
      sampling: {
        maxNewTokens: 128,
        minNewTokens: 0,
        stop: [],
        temperature: 1,
        topP: 1,
        topK: -1,
        minP: 0,
        repetitionPenalty: 1,
        ignoreEos: false,
        skipSpecialTokens: true,
        constraint: null,
        seed: null,
      },
    });
  });

  it('reads what the frontend sends', () => {
    const params = {
      skip_special_tokens: true,
      spaces_between_special_tokens: true,
      max_new_tokens: 64,
      min_new_tokens: 0,
      n: 1,
      stop: ['<|im_end|>'],
      stop_token_ids: [],
      stop_regex: [],
      temperature: 0,
      top_p: 1,
      top_k: -1,
      min_p: 0,
      frequency_penalty: 0,
      presence_penalty: 0,
      ignore_eos: false,
      regex: '[ab]+',
      json_schema: null,
    };
    const [item] = parse(JSON.stringify({ text: 'q', sampling_params: params })).items;
    expect(item!.sampling).toMatchObject({
      stop: ['<|im_end|>'],
      temperature: 0,
      constraint: { kind: 'regex', pattern: '[ab]+' },
    });
  });

  it('expands lists and n in the order of the answer', () => {
    const call = parse(
      JSON.stringify({ text: ['a', 'b'], rid: 'r', sampling_params: { n: 2, sampling_seed: 5 } }),
    );
    expect(call.isList).toBe(true);
    expect(call.items.map(({ rid, prompt, sampling }) => [rid, prompt, sampling.seed])).toEqual([
      ['r_0_0', { kind: 'text', text: 'a' }, 5],
      ['r_0_1', { kind: 'text', text: 'a' }, 6],
      ['r_1_0', { kind: 'text', text: 'b' }, 5],
      ['r_1_1', { kind: 'text', text: 'b' }, 6],
    ]);
  });

  it('takes parameters for each prompt', () => {
    const call = parse(
      JSON.stringify({
        input_ids: [[1], [2, 3]],
        sampling_params: [{ temperature: 0 }, { max_new_tokens: 0 }],
        return_logprob: [true, false],
        logprob_start_len: [0, -1],
        rid: ['x', 'y'],
      }),
    );
    expect(call.items.map((item) => [item.rid, item.sampling.maxNewTokens, item.logprobs])).toEqual(
      [
        ['x', 128, { start: 0, top: 0, withText: false }],
        ['y', 0, null],
      ],
    );
  });

  it('treats tiny temperatures as greedy and null as not given', () => {
    const [item] = parse(
      '{"text":"x","sampling_params":{"temperature":1e-9,"stop":null,"n":null}}',
    ).items;
    expect(item!.sampling).toMatchObject({ temperature: 0, stop: [] });
  });

  it.each<[unknown, string]>([
    ['', '400 the body is empty; send a JSON object'],
    ['[1]', '400 the body must be a JSON object, not a list'],
    [{}, '400 Either text, input_ids or input_embeds should be provided.'],
    [
      { text: 'a', input_ids: [1] },
      '400 Either text, input_ids or input_embeds should be provided, not both.',
    ],
    [{ text: 5 }, '400 text must be a string or a list of strings, not 5'],
    [{ text: [] }, '400 text must be a string or a list of strings, not an empty list'],
    [{ text: ['a', 1] }, '400 text must be a string or a list of strings, not a list'],
    [
      { input_ids: [1.5] },
      '400 input_ids must be a list of token ids, or a list of such lists, none empty; got a list',
    ],
    [{ text: 'a', stream: 'yes' }, '400 stream must be true or false, not the string "yes"'],
    [{ text: 'a', sampling_params: 3 }, '400 sampling_params must be an object, not 3'],
    [
      { text: ['a'], sampling_params: [{}, {}] },
      '400 The length of sampling_params (2) must match the batch size (1).',
    ],
    [
      { text: 'a', return_logprob: true, logprob_start_len: -2 },
      '400 logprob_start_len must be at least -1, got -2.',
    ],
    [
      { text: 'a', return_logprob: true, top_logprobs_num: -1 },
      '400 top_logprobs_num must be at least 0, got -1.',
    ],
    [{ text: 'a', lora_path: 'x' }, '400 lora_path is not supported by this runtime'],
    [
      { text: ['a', 'b'], image_data: ['b64'] },
      '400 The length of image_data (1) must match the batch size (2).',
    ],
    [
      { text: 'a', image_data: 7 },
      '400 image_data must be base64, a URL or a path, or a list, not 7',
    ],
    [
      { text: 'a', image_data: Array.from({ length: 65 }, () => 'b64') },
      '400 image_data has 65 images for one prompt; at most 64 are possible.',
    ],
    [{ text: 'a', image_data: null, lora_path: null }, 'accepted'],
    [{ text: 'a', something_new: 1 }, 'accepted'],
  ])('%j → %s', (body, expected) => expect(refusal(body)).toBe(expected));
});

describe('sampling parameters', () => {
  it.each<[object, string]>([
    [{ temperature: -1 }, '400 temperature must be non-negative, got -1.'],
    [
      { temperature: 'hot' },
      '400 sampling_params.temperature must be a number, not the string "hot"',
    ],
    [{ top_p: 0 }, '400 top_p must be in (0, 1], got 0.'],
    [{ min_p: 2 }, '400 min_p must be in [0, 1], got 2.'],
    [{ top_k: 0 }, '400 top_k must be -1 (disable), or at least 1, got 0.'],
    [{ frequency_penalty: 3 }, '400 frequency_penalty must be in [-2, 2], got 3.'],
    [{ presence_penalty: -3 }, '400 presence_penalty must be in [-2, 2], got -3.'],
    [{ repetition_penalty: -1 }, '400 repetition_penalty must be in [0, 2], got -1.'],
    [{ max_new_tokens: -1 }, '400 max_new_tokens must be at least 0, got -1.'],
    [{ max_new_tokens: 1.5 }, '400 sampling_params.max_new_tokens must be a whole number, not 1.5'],
    [
      { min_new_tokens: 9, max_new_tokens: 3 },
      '400 min_new_tokens must be in [0, max_new_tokens(3)], got 9.',
    ],
    [{ regex: 'a', json_schema: '{}' }, '400 Only one of regex, json_schema, or ebnf can be set.'],
    [
      { regex: '' },
      '400 regex, json_schema and ebnf must not be empty: only the empty text would match',
    ],
    [{ stop: [1] }, '400 sampling_params.stop must be a string or a list of strings, not a list'],
    [{ stop_regex: '(' }, '400 stop_regex: missing ), unterminated subpattern at position 0'],
    [{ n: 0 }, '400 n must be in [1, 128], got 0.'],
    [
      { logit_bias: { x: 1 } },
      '400 sampling_params.logit_bias must map token ids to numbers in [-100, 100]; "x" does not',
    ],
    [
      { structural_tag: '{}' },
      '400 structural_tag and custom_params are not supported by this runtime',
    ],
    [{ temprature: 1 }, '400 Unknown sampling parameter: temprature; did you mean temperature?'],
    [{ zzzzzzzzzzzz: 1 }, '400 Unknown sampling parameter: zzzzzzzzzzzz'],
    [{ json_schema: { type: 'object' } }, 'accepted'],
    [{ max_new_tokens: null, stop: 'x', stop_token_ids: 5 }, 'accepted'],
  ])('%j → %s', (params, expected) => expect(sampling(params)).toBe(expected));
});
