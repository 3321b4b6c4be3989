import { describe, expect, it } from 'vitest';
import type { KernelOutput } from '../../extension/protocol/kernel-protocol.ts';
import {
  coalesce,
  emptyRun,
  MOST_OUTPUTS,
  reduceOutput,
  type CellCommand,
  type ShownOutput,
} from '../../extension/src/notebook/cell-run-reducer.ts';

const out = (text: string): KernelOutput => ({ kind: 'stream', name: 'stdout', text });
const err = (text: string): KernelOutput => ({ kind: 'stream', name: 'stderr', text });
const display = (text: string, displayId: string | null = null): KernelOutput => ({
  kind: 'display',
  data: { 'text/plain': text },
  displayId,
});

function commandsOf(outputs: readonly ShownOutput[]): CellCommand[] {
  let state = emptyRun;
  return outputs.flatMap((output) => {
    const reduced = reduceOutput(state, output);
    state = reduced.state;
    return [...reduced.commands];
  });
}

/** One word per command: what a reader of the cell would see happen. */
function check(outputs: readonly ShownOutput[], expected: readonly string[]): void {
  const words = coalesce(commandsOf(outputs)).map((command) => {
    switch (command.kind) {
      case 'append':
        if (command.content.kind === 'stream')
          return `+${command.content.name}:${command.content.text}`;
        if (command.content.kind === 'error') return `+error:${command.content.error.name}`;
        return `+${command.content.data['text/plain']}`;
      case 'extend':
        return `${command.index}>${command.text}`;
      case 'replace':
        if (command.content.kind === 'stream') return `${command.index}=${command.content.text}`;
        return `${command.index}=${command.content.kind === 'bundle' ? command.content.data['text/plain'] : ''}`;
      case 'clear':
        return 'clear';
    }
  });
  expect(words).toEqual(expected);
}

const question = (id: string): ShownOutput => ({
  kind: 'question',
  question: { id, prompt: `${id}? `, password: false },
});
const answered = (id: string): ShownOutput => ({ kind: 'answered', id, text: `${id}? yes\n` });

describe('reduceOutput', () => {
  it('puts the answer where the question stood, and prints on behind it', () => {
    check(
      [out('a'), question('q'), answered('q'), out('b')],
      ['+stdout:a', '+q? ', '1=q? yes\n', '1>b'],
    );
    check(
      [question('q'), err('e'), answered('q'), err('f')],
      ['+q? ', '+stderr:e', '0=q? yes\n', '1>f'],
    );
    check(
      [question('q'), { kind: 'clear', wait: false }, answered('q')],
      ['clear', '+stdout:q? yes\n'],
    );
  });

  it('grows one output per stream', () => {
    check([out('a'), out('b'), out('c')], ['+stdout:a', '0>bc']);
  });

  it('keeps the order of stdout, stderr and displays', () => {
    check(
      [out('a'), err('b'), display('c'), out('d')],
      ['+stdout:a', '+stderr:b', '+c', '+stdout:d'],
    );
  });

  it('replaces a display in place, keeping the last of many updates', () => {
    check(
      [
        display('0 %', 'bar'),
        out('log'),
        { kind: 'update', data: { 'text/plain': '50 %' }, displayId: 'bar' },
        { kind: 'update', data: { 'text/plain': '100 %' }, displayId: 'bar' },
      ],
      ['+0 %', '+stdout:log', '0=100 %'],
    );
  });

  it('shows an update of a display that this cell does not have', () => {
    check([{ kind: 'update', data: { 'text/plain': 'x' }, displayId: 'other' }], ['+x']);
  });

  it('clears at once, or with the next output', () => {
    check([out('a'), { kind: 'clear', wait: false }, out('b')], ['clear', '+stdout:b']);
    check([out('a'), { kind: 'clear', wait: true }], ['+stdout:a']);
    check([out('a'), { kind: 'clear', wait: true }, out('b')], ['clear', '+stdout:b']);
  });

  it('ends a flood of displays in one text output', () => {
    const many = Array.from({ length: MOST_OUTPUTS + 3 }, (_, index) => display(String(index)));
    const commands = coalesce(commandsOf(many));
    expect(commands.filter((command) => command.kind === 'append')).toHaveLength(MOST_OUTPUTS + 1);
    expect(commands.at(-1)).toEqual({
      kind: 'extend',
      index: MOST_OUTPUTS,
      text: `${MOST_OUTPUTS + 1}\n${MOST_OUTPUTS + 2}\n`,
    });
  });

  it('shows errors', () => {
    const error = { name: 'KeyError', message: 'x', traceback: '', line: 1, cellId: null };
    check([{ kind: 'error', error }], ['+error:KeyError']);
  });
});
