import { expect, test, vi } from 'vitest';
import { encodeFrame, FrameReader } from '../../../extension/kernel/guest/cpython-frames.ts';
import { OutputBatcher } from '../../../extension/kernel/guest/guest-output.ts';
import type { KernelOutput } from '../../../extension/protocol/kernel-protocol.ts';

const out = (text: string): KernelOutput => ({ kind: 'stream', name: 'stdout', text });
const err = (text: string): KernelOutput => ({ kind: 'stream', name: 'stderr', text });

function check(given: readonly KernelOutput[], expected: readonly KernelOutput[]): void {
  const seen: KernelOutput[] = [];
  const batcher = new OutputBatcher((output) => seen.push(output));
  for (const output of given) batcher.add(output);
  batcher.flush();
  expect(seen).toEqual(expected);
}

test('pieces of one stream are merged, the order of streams stays', () => {
  check([out('a'), out('b'), err('c'), out('d')], [out('ab'), err('c'), out('d')]);
});

test('a display comes after what was printed before it', () => {
  const shown: KernelOutput = { kind: 'display', data: { 'text/plain': 'x' }, displayId: null };
  check([out('a'), shown, out('b')], [out('a'), shown, out('b')]);
});

test('much text does not wait', () => {
  const seen: KernelOutput[] = [];
  const batcher = new OutputBatcher((output) => seen.push(output));
  batcher.add(out('x'.repeat(100_000)));
  expect(seen).toHaveLength(1);
  batcher.flush();
  expect(seen).toHaveLength(1);
});

test('the first piece leaves at once, what follows it together after a moment', () => {
  vi.useFakeTimers();
  try {
    const seen: KernelOutput[] = [];
    const batcher = new OutputBatcher((output) => seen.push(output));
    batcher.add(out('a'));
    batcher.add(out('b'));
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen).toEqual([out('ab')]);
    batcher.add(out('c'));
    vi.advanceTimersByTime(10);
    batcher.add(out('d'));
    expect(seen).toEqual([out('ab')]);
    vi.advanceTimersByTime(15);
    expect(seen).toEqual([out('ab'), out('cd')]);
    vi.advanceTimersByTime(30);
    batcher.add(out('e'));
    vi.advanceTimersByTime(1);
    expect(seen).toEqual([out('ab'), out('cd'), out('e')]);
  } finally {
    vi.useRealTimers();
  }
});

test('frames are whole however the bytes arrive', () => {
  const messages = [
    '{}',
    JSON.stringify('ü'.repeat(300)),
    '[1]',
    JSON.stringify('x'.repeat(70_000)),
  ];
  const bytes = Buffer.concat(messages.map(encodeFrame));
  for (const size of [1, 2, 3, 7, 100, 65_536, bytes.length]) {
    const seen: string[] = [];
    const reader = new FrameReader((json) => seen.push(json));
    for (let start = 0; start < bytes.length; start += size)
      reader.push(bytes.subarray(start, start + size));
    expect(seen).toEqual(messages);
  }
});
