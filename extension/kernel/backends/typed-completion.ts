/**
 * A gen's `dtype` on OpenAI's completion models, which know no grammar: SGLang asks for text between
 * quotation marks, or leaves only digits to write.
 */
import type { JsonObject } from '../../protocol/kernel-protocol.ts';
import type { GenerateParams } from './backend.ts';

export interface TypedCompletion {
  /** Stands before and after the answer, and at the end of the prompt's text. */
  readonly quote: string;
  /** Take the place of the request's own. */
  readonly fields: JsonObject;
}

const TEXT: TypedCompletion = { quote: '"', fields: { stop: ['"'] } };

/** In `cl100k_base`, the vocabulary of OpenAI's completion models: the digits, a blank, the end. */
const DIGITS = Array.from({ length: 10 }, (_, digit) => 15 + digit);
const [BLANK, END] = [220, 100_257];
const PREFERRED = Object.fromEntries([...DIGITS, BLANK, END].map((id) => [String(id), 100]));
const INTEGER: TypedCompletion = { quote: '', fields: { stop: [' '], logit_bias: PREFERRED } };

/** `null` where the type cannot be asked for: token ids of other servers are not known. */
export function typedCompletion(
  model: { readonly chat: boolean; readonly official: boolean },
  { dtype }: GenerateParams,
): TypedCompletion | null {
  if (model.chat) return null;
  if (dtype === 'str') return TEXT;
  return dtype === 'int' && model.official ? INTEGER : null;
}
