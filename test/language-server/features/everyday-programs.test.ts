import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatType } from '../../../language-server/src/semantics/gen-type.ts';
import { analyze, checkDiagnostics, imports } from '../support/check.ts';

/** Title and cells of each program of the text beside this file. */
const [, ...parts] = readFileSync(new URL('everyday-programs.txt', import.meta.url), 'utf8').split(
  /^### (.*)\n/m,
);
const programs = parts.flatMap((title, i) =>
  i % 2 === 0 ? [{ title, cells: (parts[i + 1] ?? '').split(/^# %%.*\n/m) }] : [],
);

/** `x = state["a"]  # is str` says the type of a read on its line. */
function claimedTypes(cells: readonly string[]): readonly string[] {
  return cells.flatMap((text, cell) =>
    text.split('\n').flatMap((line, i) => {
      const claim = /# is (.+)$/.exec(line)?.[1];
      return claim === undefined ? [] : [`${cell + 1}:${i + 1} ${claim}`];
    }),
  );
}

function foundTypes(cells: readonly string[]): ReadonlySet<string> {
  const { facts } = analyze(imports, ...cells);
  return new Set(
    facts.reads.map(({ unit, node, type }) => {
      const line = unit.text.slice(0, node.start).split('\n').length;
      return `${unit.uri.slice('cell:'.length)}:${line} ${formatType(type)}`;
    }),
  );
}

describe('everyday programs', () => {
  it('are many', () => expect(programs.length).toBeGreaterThan(50));
  for (const { title, cells } of programs) {
    it(title, () => {
      checkDiagnostics(...cells);
      const found = foundTypes(cells);
      for (const claim of claimedTypes(cells)) expect(found).toContain(claim);
    });
  }
});
