import { expect, it } from 'vitest';
import { linkTraceback } from '../../extension/src/notebook/traceback-links.ts';

const orders = new Map([
  ['cell 1', 4],
  ['cell 2', 5],
]);
const check = (traceback: string, expected: string) =>
  expect(linkTraceback(traceback, orders)).toBe(expected);

it('writes cell frames as VS Code links them, by the latest execution order', () => {
  check(
    'Traceback (most recent call last):\n  File "<cell 2>", line 3, in <module>\n    f()\n  File "<cell 1>", line 1, in f\n    boom\nNameError: x',
    'Traceback (most recent call last):\n  Cell In[5], line 3\n    f()\n  Cell In[4], line 1\n  in f\n    boom\nNameError: x',
  );
});

it('keeps frames of files, of cells that it does not know, and messages that look alike', () => {
  for (const text of [
    '  File "helper.py", line 3, in g',
    '  File "<cell 9>", line 3, in g',
    'ValueError: File "<cell 1>", line 3',
  ]) {
    check(text, text);
  }
});

it('links syntax errors, which name no function', () => {
  check('  File "<cell 1>", line 2\n    x = (', '  Cell In[4], line 2\n    x = (');
});
