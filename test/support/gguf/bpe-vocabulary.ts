import { BYTE_CHARACTERS } from '../../../runtime/src/engine/token-bytes.ts';
import type { MetadataValue } from './gguf-writer.ts';

const WORDS =
  'the of and to in is that was for on are as with his they be at this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know capital city Paris Berlin France Germany héllo naïve 世界 größe';

const NORMAL = 1;
const CONTROL = 3;
const UNUSED = 5;
export const SPECIAL_TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;

/**
 * Metadata of a byte-level BPE vocabulary of `size` tokens: all bytes, merges for some words (each with
 * and without a space before), unused padding, and at the end `marks` (control tokens if in angle brackets) and ChatML's control tokens.
 */
export function bpeVocabulary(
  size: number,
  marks: readonly string[] = [],
): Record<string, MetadataValue> {
  const special = [...marks, ...SPECIAL_TOKENS];
  const { tokens, merges } = learn(size - special.length);
  const types = tokens.map(() => NORMAL);
  while (tokens.length < size - special.length) {
    tokens.push(`<unused${tokens.length}>`);
    types.push(UNUSED);
  }
  tokens.push(...special);
  types.push(...special.map((token) => (token.startsWith('<') ? CONTROL : NORMAL)));
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'strings', value: tokens },
    'tokenizer.ggml.token_type': { type: 'i32s', value: types },
    'tokenizer.ggml.merges': { type: 'strings', value: merges },
    'tokenizer.ggml.bos_token_id': { type: 'u32', value: size - 3 },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: size - 1 },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
  };
}

/** Left-to-right merges that build every prefix of every word. */
function learn(limit: number): { tokens: string[]; merges: string[] } {
  const tokens = [...BYTE_CHARACTERS];
  const known = new Set(tokens);
  const merges: string[] = [];
  for (const word of WORDS.split(' ').flatMap((word) => [word, ` ${word}`])) {
    const characters = [...Buffer.from(word)].map((byte) => BYTE_CHARACTERS[byte]!);
    let prefix = characters[0]!;
    for (const character of characters.slice(1)) {
      const merged = prefix + character;
      if (!known.has(merged)) {
        if (tokens.length >= limit) return { tokens, merges };
        merges.push(`${prefix} ${character}`);
        tokens.push(merged);
        known.add(merged);
      }
      prefix = merged;
    }
  }
  return { tokens, merges };
}
