import { describe, expect, it } from 'vitest';
import { StopPattern } from '../../../runtime/src/constraints/stop-pattern.ts';
import { messageOf } from './support.ts';

/** After how many of the pieces the pattern is found; −1: never. */
function foundAfter(pattern: string, ...pieces: string[]): number {
  const stop = new StopPattern(pattern);
  return pieces.findIndex((piece) => stop.append(piece)) + 1 || -1;
}

describe('StopPattern', () => {
  it.each([
    ['\\d{4}', ['in 19', '69 they'], 2],
    ['\\d{4}', ['in 196', ' 9'], -1],
    ['a|bc', ['xb', 'cx'], 2],
    ['[^a-z]{2}', ['ab', 'é', '世'], 3],
    ['(?i)stop', ['go', ' St', 'Op it'], 3],
    ['x*', ['anything'], 1],
    ['\n\n', ['a\n', 'b\n', '\nc'], 3],
    ['^ab', ['xab', 'ab'], -1],
    ['^ab', ['a', 'b'], 2],
    ['ab$', ['abc', 'xab', 'c'], 2],
    ['^\\w+$', ['abc', 'd'], 1],
    ['.', ['\n', '\n', 'x'], 3],
  ])('%j in %j: after piece %d', (pattern, pieces, expected) => {
    expect(foundAfter(pattern, ...pieces)).toBe(expected);
  });

  it('reads each byte once where a backtracking search would not come to an end', () => {
    expect(foundAfter('(a+)+b$', 'a'.repeat(50_000), 'c', 'aab')).toBe(3);
  });

  it('forgets states that it has no room for', () => {
    const stop = new StopPattern('(a|b)*a(a|b){16}c');
    let text = '';
    for (let i = 0; i < 4000; i += 1) text += (i * i) % 7 < 3 ? 'a' : 'b';
    expect(stop.append(text)).toBe(false);
    expect(stop.append(`a${'b'.repeat(16)}c`)).toBe(true);
  });

  it.each([
    ['(', 'missing ), unterminated subpattern'],
    ['a(?=b)', 'look-ahead is not supported'],
    ['a|^b', '^ inside the pattern is not supported (position 2)'],
    ['(a$)b', '$ inside the pattern is not supported (position 2)'],
  ])('refuses %j', (pattern, message) => {
    expect(messageOf(() => new StopPattern(pattern))).toContain(message);
  });
});
