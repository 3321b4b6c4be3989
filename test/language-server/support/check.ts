import { expect } from 'vitest';
import { diagnose, type Diagnostic } from '../../../language-server/src/features/diagnostics.ts';
import {
  analyzeModule,
  noModules,
  type ModuleAnalysis,
} from '../../../language-server/src/semantics/analysis.ts';
import { parse } from '../../../language-server/src/syntax/parser.ts';

export const imports = `import sglang as sgl
from sglang import *
import json
`;

export function analyze(...cells: readonly string[]): ModuleAnalysis {
  const units = cells.map((text, i) => ({ uri: `cell:${i}`, text, tree: parse(text) }));
  return analyzeModule({ units, importModule: noModules });
}

/** `«code:text»` marks a place where a diagnostic is expected; the text stays. */
export function unmark(marked: string): {
  readonly text: string;
  readonly expected: readonly string[];
} {
  const expected: string[] = [];
  const text = marked.replaceAll(/«([\w-]+):([^»]*)»/g, (_, code: string, inner: string) => {
    expected.push(`${code}: ${inner}`);
    return inner;
  });
  return { text, expected };
}

/** The whole of a program's diagnostics, `unused-gen` hints aside unless they are marked. */
export function checkDiagnostics(...marked: readonly string[]): readonly Diagnostic[] {
  const cells = marked.map(unmark);
  const analysis = analyze(imports, ...cells.map((cell) => cell.text));
  const wantsHints = marked.some((text) => text.includes('«unused-gen:'));
  const found = diagnose(analysis).filter((entry) => wantsHints || entry.code !== 'unused-gen');
  const lines = found.map((entry) => {
    const unit = analysis.units.find((candidate) => candidate.uri === entry.uri);
    return `${entry.code}: ${unit?.text.slice(entry.start, entry.end) ?? ''}`;
  });
  expect(lines.toSorted()).toEqual(cells.flatMap((cell) => cell.expected).toSorted());
  return found;
}

/** Removes `|` and returns its offset. */
export function cursor(marked: string): { readonly text: string; readonly offset: number } {
  const offset = marked.indexOf('|');
  if (offset === -1) throw new Error('the text has no | mark');
  return { text: marked.slice(0, offset) + marked.slice(offset + 1), offset };
}
