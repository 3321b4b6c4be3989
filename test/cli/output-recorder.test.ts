import { describe, expect, it } from 'vitest';
import { OutputRecorder } from '../../extension/cli/output-recorder.ts';
import type { KernelOutput } from '../../extension/protocol/kernel-protocol.ts';

const stream = (text: string, name: 'stdout' | 'stderr' = 'stdout'): KernelOutput => ({
  kind: 'stream',
  name,
  text,
});
const display = (text: string, displayId: string | null = null): KernelOutput => ({
  kind: 'display',
  data: { 'text/plain': text },
  displayId,
});

/** Each output in short: what a reader of the file sees. */
function check(...outputs: readonly KernelOutput[]): string[] {
  const recorder = new OutputRecorder(new Map());
  for (const output of outputs) recorder.add(output);
  return recorder.outputs().map(({ json }) => JSON.stringify(json['text'] ?? json['data'] ?? json));
}

describe('recorded outputs', () => {
  it('join text of one stream until something else comes', () => {
    expect(check(stream('a'), stream('b'), stream('c', 'stderr'), stream('d'))).toEqual([
      '"ab"',
      '"c"',
      '"d"',
    ]);
  });

  it('follow updates, also of an earlier cell', () => {
    const displays = new Map();
    const first = new OutputRecorder(displays);
    first.add(display('old', 'x'));
    const second = new OutputRecorder(displays);
    second.add({ kind: 'update', data: { 'text/plain': 'new' }, displayId: 'x' });
    second.add({ kind: 'update', data: { 'text/plain': '?' }, displayId: 'unknown' });
    expect(first.outputs()[0]?.json['data']).toEqual({ 'text/plain': 'new' });
    expect(second.outputs()).toEqual([]);
  });

  it('are cleared at once, or when the next output comes', () => {
    expect(check(stream('a'), { kind: 'clear', wait: false })).toEqual([]);
    expect(check(stream('a'), { kind: 'clear', wait: true })).toEqual(['"a"']);
    expect(check(stream('a'), { kind: 'clear', wait: true }, stream('b'))).toEqual(['"b"']);
  });

  it('have the shape of nbformat', () => {
    const recorder = new OutputRecorder(new Map());
    recorder.add({ kind: 'result', data: { 'text/plain': '1' }, executionOrder: 4 });
    const error = { name: 'E', message: 'm', traceback: 'a\nb', line: null, cellId: null };
    recorder.add({ kind: 'error', error });
    expect(recorder.outputs().map(({ json }) => json)).toEqual([
      {
        output_type: 'execute_result',
        execution_count: 4,
        data: { 'text/plain': '1' },
        metadata: {},
      },
      { output_type: 'error', ename: 'E', evalue: 'm', traceback: ['a', 'b'] },
    ]);
  });
});
