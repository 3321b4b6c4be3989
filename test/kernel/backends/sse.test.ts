import { expect, test } from 'vitest';
import { SseParser } from '../../../extension/kernel/backends/sse.ts';

function check(pieces: readonly string[], expected: readonly string[]): void {
  const parser = new SseParser();
  const payloads = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
  expect(payloads).toEqual(expected);
}

test('whole events', () => check(['data: 1\n\ndata: 2\n\n'], ['1', '2']));
test('events cut at every character', () =>
  check('data: {"a":1}\n\ndata: [DONE]\n\n'.split(''), ['{"a":1}', '[DONE]']));
test('CRLF', () => check(['data: 1\r\n\r\ndata: 2\r\n\r\n'], ['1', '2']));
test('no blank after the colon', () => check(['data:1\n\n'], ['1']));
test('comments, other fields and garbage are skipped', () =>
  check([': ping\n\nevent: x\nid: 3\n<html>\ndata: 1\n\n'], ['1']));
test('a last event without a newline', () => check(['data: 1\n\ndata: 2'], ['1', '2']));
test('nothing', () => check([''], []));
