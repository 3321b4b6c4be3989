import { expect, it } from 'vitest';
import type { KernelOutput } from '../../extension/protocol/kernel-protocol.ts';
import { LongOutput } from '../../extension/src/notebook/long-output.ts';

const print = (text: string): KernelOutput => ({ kind: 'stream', name: 'stdout', text });
const clear: KernelOutput = { kind: 'clear', wait: false };

/** What a cell with room for ten characters shows, and what goes to the file. */
function check(outputs: readonly KernelOutput[], shown: string, filed: string): void {
  let file = '';
  let closed = 0;
  const open = () => ({
    path: 'rest.txt',
    write: (text: string) => void (file += text),
    close: () => void (closed += 1),
  });
  const long = new LongOutput(open, (path) => `[rest in ${path}]`, 10);
  const taken = outputs.flatMap((output) => long.take(output));
  long.close();
  const texts = taken.map((output) => (output.kind === 'stream' ? output.text : output.kind));
  expect([texts.join('|'), file, closed]).toEqual([shown, filed, filed === '' ? 0 : 1]);
}

it('shows text up to the limit as it is', () => {
  check([print('12345'), print('67890')], '12345|67890', '');
});

it('puts the rest into a file, and says so once', () => {
  check([print('12345678'), print('90ab'), print('cd')], '12345678|90|[rest in rest.txt]', 'abcd');
});

it('shows everything but text after that, and text again once the cell is cleared', () => {
  const error = { name: 'E', message: '', traceback: '', line: null, cellId: null };
  check(
    [print('1234567890x'), { kind: 'error', error }, clear, print('y')],
    '1234567890|[rest in rest.txt]|error|clear|y',
    'x',
  );
});
