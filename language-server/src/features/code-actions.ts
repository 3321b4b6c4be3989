/** Quick fixes of diagnostics, suppression comments, and refactorings of gens. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { GenFact, TextEdit } from '../semantics/facts.ts';
import type { SourceUnit } from '../semantics/source-unit.ts';
import type { Argument, Call } from '../syntax/ast.ts';
import type { Diagnostic } from './diagnostics.ts';
import { covers, unitAt } from './lookup.ts';

export interface CodeAction {
  readonly title: string;
  readonly kind: 'quickfix' | 'refactor.extract' | 'refactor.rewrite';
  readonly edits: readonly TextEdit[];
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
  return [...here.flatMap((entry) => fixesOf(unit, entry)), ...refactorings(analysis, unit, start)];
}

function fixesOf(unit: SourceUnit, diagnostic: Diagnostic): CodeAction[] {
  const fixes = diagnostic.fixes.map((fix, i) => ({
    title: fix.title,
    kind: 'quickfix' as const,
    edits: fix.edits,
    diagnostic,
    preferred: i === 0,
  }));
  return diagnostic.code === 'syntax-error' ? fixes : [...fixes, ignoreAction(unit, diagnostic)];
}

function ignoreAction(unit: SourceUnit, diagnostic: Diagnostic): CodeAction {
  const lineEnd = unit.text.indexOf('\n', diagnostic.start);
  const at = lineEnd === -1 ? unit.text.length : lineEnd;
  return {
    title: `Ignore ${diagnostic.code} on this line`,
    kind: 'quickfix',
    edits: [{ start: at, end: at, text: `  # sglang: ignore[${diagnostic.code}]` }],
    diagnostic,
    preferred: false,
  };
}

/* ------------------------------------------------------------------ refactorings */

function refactorings(analysis: ModuleAnalysis, unit: SourceUnit, offset: number): CodeAction[] {
  const gen = analysis.facts.gens
    .filter(
      ({ site }) =>
        site.unit.uri === unit.uri && site.call.kind === 'Call' && covers(site.call, offset),
    )
    .sort((a, b) => b.site.call.start - a.site.call.start)[0];
  if (
    !gen ||
    gen.site.call.kind !== 'Call' ||
    (gen.site.kind !== 'gen' && gen.site.kind !== 'select')
  )
    return [];
  const { call } = gen.site;
  return [extractChoices(unit, call), addMaxTokens(gen, call)].filter((action) => action !== null);
}

const named = (call: Call, name: string): Argument | undefined =>
  call.args.find((argument) => argument.name?.id === name);

/** `choices=[...]` becomes a constant above the program. */
function extractChoices(unit: SourceUnit, call: Call): CodeAction | null {
  const choices = named(call, 'choices');
  if (choices?.value.kind !== 'List') return null;
  const top = unit.tree.body.find((statement) => covers(statement, call.start));
  if (!top) return null;
  const name = 'CHOICES';
  const list = unit.text.slice(choices.value.start, choices.value.end);
  return {
    title: 'Extract choices into a constant',
    kind: 'refactor.extract',
    edits: [
      { start: top.start, end: top.start, text: `${name} = ${list}\n\n\n` },
      { start: choices.value.start, end: choices.value.end, text: name },
    ],
    diagnostic: null,
    preferred: false,
  };
}

function addMaxTokens(gen: GenFact, call: Call): CodeAction | null {
  if (
    gen.site.kind !== 'gen' ||
    named(call, 'max_tokens') ||
    call.close === -1 ||
    (call.args.length > 1 && !call.args.slice(1).every((argument) => argument.name))
  ) {
    return null;
  }
  const text = call.args.length === 0 ? 'max_tokens=128' : ', max_tokens=128';
  const last = call.args.at(-1);
  const at = last ? last.end : call.close;
  return {
    title: 'Add max_tokens',
    kind: 'refactor.rewrite',
    edits: [{ start: at, end: at, text }],
    diagnostic: null,
    preferred: false,
  };
}
