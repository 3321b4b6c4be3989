import { expect, test } from 'vitest';
import { FakeVocabulary } from '../../../runtime/src/engine/fake-vocabulary.ts';
import { Detokenizer, detokenize } from '../../../runtime/src/tokenizer/detokenizer.ts';

/** Feeds bytes one token each; `|` in the expectation separates what each token adds. */
function check(bytes: readonly number[], expected: string): void {
  const detokenizer = new Detokenizer(new FakeVocabulary(), { skipSpecialTokens: true });
  const pieces = bytes.map((byte) => detokenizer.append(byte));
  expect([...pieces, detokenizer.flush()].join('|')).toBe(expected);
  expect(detokenizer.text).toBe(expected.replaceAll('|', ''));
}

test('characters are never split', () => {
  check([0x41, 0xc3, 0xa9, 0x42], 'A||é|B|');
  check([0xe4, 0xb8, 0x96], '||世|');
  check([0xf0, 0x9f, 0x98, 0x80], '|||😀|');
});

test('invalid bytes become what Python replaces them with', () => {
  check([0xff, 0x41], '\ufffd|A|');
  check([0xc3, 0x41], '|\ufffdA|');
  // b'\xe4\xb8A'.decode(errors='replace') has one replacement, b'\xed\xa0\x80' three.
  check([0xe4, 0xb8, 0x41], '||\ufffdA|');
  check([0xed, 0xa0, 0x80], '|\ufffd\ufffd|\ufffd|');
  check([0xf0, 0x80, 0x80], '|\ufffd\ufffd|\ufffd|');
});

test('the end of the text ends an incomplete character', () => {
  check([0x41, 0xf0, 0x9f], 'A|||\ufffd');
});

test('a byte order mark is text', () => {
  check([0xef, 0xbb, 0xbf], '||\ufeff|');
});

test('control tokens show only without skip_special_tokens', () => {
  const vocabulary = new FakeVocabulary();
  const tokens = vocabulary.tokenize('hi<|im_end|>', { addSpecial: false, parseSpecial: true });
  expect(detokenize(vocabulary, tokens, { skipSpecialTokens: true })).toBe('hi');
  expect(detokenize(vocabulary, tokens, { skipSpecialTokens: false })).toBe('hi<|im_end|>');
});

test('any cut of any text into tokens gives the text back', () => {
  const text = 'Größe 世界 😀👨‍👩‍👧 \u0000 the end';
  const bytes = new TextEncoder().encode(text);
  for (let length = 1; length < 9; length += 1) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
      bytes.slice(index * length, (index + 1) * length),
    );
    const vocabulary = new FakeVocabulary({ pieces });
    const tokens = pieces.map((_, index) => 256 + index);
    expect(detokenize(vocabulary, tokens, { skipSpecialTokens: true })).toBe(text);
  }
});
