import { describe, expect, it } from 'vitest';
import { StaleCells } from '../../extension/src/insight/stale-cells.ts';

const PROGRAM = '@function\ndef ask(s, q):\n    s += q + gen("a")';
const RUN = 'state = ask.run(q=topic)';

/** Runs all cells, then makes the changes: `run N`, or `N: new text`. Says what each cell is then. */
function check(texts: readonly string[], changes: readonly string[], expected: string): void {
  const cells = texts.map((text, index) => ({ uri: `c${index + 1}`, text }));
  const stale = new StaleCells();
  cells.forEach((cell) => stale.ran(cell));
  for (const change of changes) {
    const [, run, edited, text = ''] = /^run (\d)$|^(\d): ([^]*)$/.exec(change) ?? [];
    const at = Number(run ?? edited) - 1;
    const cell = cells[at];
    if (!cell) throw new Error(change);
    if (run === undefined) cells[at] = { ...cell, text };
    else stale.ran(cell);
  }
  const shown = cells.map((_, index) => {
    const found = stale.staleness(index, cells);
    if (found === null) return '-';
    return found.kind === 'edited' ? 'edited' : `${found.number} ${found.change}`;
  });
  expect(shown.join(', ')).toBe(expected);
}

describe('a cell', () => {
  it('is fresh after it ran', () => check([PROGRAM, RUN], [], '-, -'));
  it('is stale once its text does something else', () => {
    check([RUN], ['1: state = ask.run(q="x")'], 'edited');
    check([RUN], ['1: state = ask.run(q="x")', `1: ${RUN}`], '-');
    check([RUN], [`1: # a remark\n${RUN}  `], '-');
    check([RUN], ['1: other', 'run 1'], '-');
  });
  it('is stale once a cell above that it uses ran again or was edited', () => {
    check([PROGRAM, RUN], ['run 1'], '-, 1 ran');
    check([PROGRAM, RUN], ['run 1', 'run 2'], '-, -');
    check([PROGRAM, RUN], [`1: ${PROGRAM} + "x"`], 'edited, 1 edited');
    check(['topic = 1', 'x = 2', RUN], ['run 2'], '-, -, -');
    check(['topic, y = 1, 2', 'x = 2', RUN], ['run 1'], '-, -, 1 ran');
    check(['topic: str = "a"', RUN], ['1: topic: str = "b"'], 'edited, 1 edited');
    check(['topic = 1', RUN], ['1: renamed = 1'], 'edited, 1 edited');
  });
  it('does not depend on comparisons, attributes and cells below', () => {
    check(['topic == 1', RUN], ['run 1'], '-, -');
    check(['x.topic = 1', RUN], ['run 1'], '-, -');
    check([RUN, 'topic = 1'], ['run 2'], '-, -');
  });
});

it('knows nothing of cells that never ran, nor after a restart', () => {
  const stale = new StaleCells();
  const cells = [{ uri: 'a', text: 'x = 1' }];
  expect(stale.staleness(0, cells)).toBeNull();
  stale.ran({ uri: 'a', text: 'x = 2' });
  expect(stale.staleness(0, cells)).toEqual({ kind: 'edited' });
  stale.clear();
  expect(stale.staleness(0, cells)).toBeNull();
});
