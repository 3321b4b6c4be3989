import { expect, test } from 'vitest';
import { StopStrings } from '../../../runtime/src/tokenizer/stop-strings.ts';

/** Feeds `pieces` (cut at |); `expected` has what each may show, and after » the rest or the match. */
function check(
  stops: readonly string[],
  pieces: string,
  expected: string,
  noStopTrim = false,
): void {
  const finder = new StopStrings(stops, { noStopTrim });
  const shown = pieces.split('|').map((piece) => finder.append(piece).text);
  const end = finder.matched === null ? finder.finish() : `[${finder.matched}]`;
  expect(`${shown.join('|')}»${end}`).toBe(expected);
}

test('a stop string in one piece ends the text before it', () => {
  check(['\n'], 'one\ntwo|three', 'one|»[\n]');
});

test('a stop string across pieces is never shown in part', () => {
  check(['</answer>'], 'yes </|ans|wer> no', 'yes ||»[</answer>]');
});

test('what only looked like a stop string is shown later', () => {
  check(['</answer>'], 'a </an|d> c', 'a |</and> c»');
  check(['abc'], 'xab|xabab', 'x|abxab»ab');
});

test('held text comes out at the end', () => {
  check(['STOP'], 'a S|TO', 'a |»STO');
});

test('overlapping beginnings', () => {
  check(['aab'], 'aaa|b', 'a|»[aab]');
  check(['ab', 'abab'], 'aba|b', '|»[ab]');
});

test('the stop string that is complete first wins, whatever the cut', () => {
  for (const pieces of ['a.b\nc', 'a|.b|\nc', 'a.|b\n|c']) {
    const finder = new StopStrings(['b\n', '\n', '.']);
    const text = pieces
      .split('|')
      .map((piece) => finder.append(piece).text)
      .join('');
    expect([text, finder.matched]).toEqual(['a', '.']);
  }
});

test('of those complete at the same character the first of the list wins', () => {
  check(['\n', 'b\n'], 'ab\n', 'ab»[\n]');
  check(['b\n', '\n'], 'ab\n', 'a»[b\n]');
});

test('no_stop_trim keeps the stop string', () => {
  check(['END'], 'a E|ND b', 'a |END»[END]', true);
});

test('no stop strings, or empty ones, hold nothing back', () => {
  check([], 'a|b', 'a|b»');
  check([''], 'a|b', 'a|b»');
});

test('a long text piece by piece equals searching at once', () => {
  const text = 'aabbaabab'.repeat(40) + 'abbba tail';
  for (let length = 1; length < 7; length += 1) {
    const finder = new StopStrings(['abbba', 'bbbb']);
    let shown = '';
    for (let at = 0; at < text.length; at += length) {
      shown += finder.append(text.slice(at, at + length)).text;
      expect(text.slice(0, text.indexOf('abbba')).startsWith(shown)).toBe(true);
    }
    expect(shown).toBe(text.slice(0, text.indexOf('abbba')));
  }
});
