/** What the light bulb offers: quick fixes, suppression comments, refactorings of gens. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import { walkBlock } from '../syntax/walk.ts';
import type { Diagnostic } from './diagnostics.ts';
import { unitAt } from './lookup.ts';
import { refactorings, type Refactoring } from './refactorings.ts';

function isInString({ tree }: SourceUnit, offset: number): boolean {
  let isInside = false;
  walkBlock(tree.body, {
    expression: (node) => {
      if (node.kind === 'Str')
        isInside ||= node.pieces.some(({ start, end }) => start < offset && offset < end);
    },
  });
  return isInside;
}

export interface CodeAction extends Omit<Refactoring, 'kind'> {
  readonly kind: 'quickfix' | Refactoring['kind'];
  readonly diagnostic: Diagnostic | null;
  /** The first fix of its diagnostic. */
  readonly preferred: boolean;
}

export function codeActions(
  analysis: ModuleAnalysis,
  diagnostics: readonly Diagnostic[],
  uri: string,
  start: number,
  end: number,
): readonly CodeAction[] {
  const unit = unitAt(analysis, uri);
  if (!unit) return [];
  const here = diagnostics.filter(
    (entry) => entry.uri === uri && entry.start <= end && entry.end >= start,
  );
  return [
    ...here.flatMap((entry) => fixesOf(unit, entry)),
    ...refactorings(analysis, unit, start).map((action) => ({
      ...action,
      diagnostic: null,
      preferred: false,
    })),
  ];
}

function fixesOf(unit: SourceUnit, diagnostic: Diagnostic): CodeAction[] {
  const fixes = diagnostic.fixes.map((fix, i) => ({
    title: fix.title,
    kind: 'quickfix' as const,
    edits: fix.edits,
    diagnostic,
    preferred: i === 0,
  }));
  const ignore = diagnostic.code === 'syntax-error' ? null : ignoreAction(unit, diagnostic);
  return ignore ? [...fixes, ignore] : fixes;
}

/** `null` where the line ends inside a string or in a backslash: no comment can stand there. */
function ignoreAction(unit: SourceUnit, diagnostic: Diagnostic): CodeAction | null {
  const lineEnd = unit.text.indexOf('\n', diagnostic.start);
  const at = lineEnd === -1 ? unit.text.length : lineEnd;
  if (unit.text[at - 1] === '\\' || isInString(unit, at)) return null;
  return {
    title: `Ignore ${diagnostic.code} on this line`,
    kind: 'quickfix',
    edits: [{ start: at, end: at, text: `  # sglang: ignore[${diagnostic.code}]` }],
    diagnostic,
    preferred: false,
  };
}
