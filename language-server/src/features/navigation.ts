/** Go to definition, references, rename: variables in strings, programs by name, across cells. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { FunctionRef, Value } from '../semantics/value.ts';
import type { Expression, FunctionDef, Name } from '../syntax/ast.ts';
import { namesIn } from '../syntax/walk.ts';
import {
  calleeAt,
  covers,
  readAt,
  textSpan,
  unitAt,
  variablePlaces,
  type Location,
} from './lookup.ts';

function at(uri: string, span: { readonly start: number; readonly end: number }): Location {
  return { uri, start: span.start, end: span.end };
}

export function definitions(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): readonly Location[] {
  const read = readAt(analysis, uri, offset);
  if (read)
    return unique(
      read.sites.map((site) => at(site.unit.uri, textSpan(site.nameNode ?? site.call))),
    );
  const ref = functionOf(calleeAt(analysis, uri, offset)?.callee);
  if (ref?.node.kind === 'FunctionDef') return [at(ref.unit.uri, ref.node.name)];
  const target = programOfName(analysis, uri, offset);
  return target ? [at(target.uri, target.node.name)] : [];
}

function functionOf(callee: Value | undefined): FunctionRef | undefined {
  if (!callee) return undefined;
  if (callee.kind === 'method') return functionOf(callee.object);
  return callee.kind === 'program' || callee.kind === 'function' ? callee.ref : undefined;
}

function unique(locations: readonly Location[]): readonly Location[] {
  const seen = new Map(
    locations.map((location) => [`${location.uri}:${location.start}:${location.end}`, location]),
  );
  return [...seen.values()];
}

export function references(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  includeDeclaration = true,
): readonly Location[] {
  const places = variablePlaces(analysis, uri, offset);
  if (places) {
    const gens = places.gens.map(({ site }) =>
      at(site.unit.uri, textSpan(site.nameNode ?? site.call)),
    );
    const reads = places.reads.map((read) => at(read.unit.uri, textSpan(read.node)));
    return unique(includeDeclaration ? [...gens, ...reads] : reads);
  }
  const target = programOfName(analysis, uri, offset);
  if (!target) return [];
  const found = programNames(analysis, target.node.name.id);
  return includeDeclaration
    ? found
    : found.filter((place) => place.uri !== target.uri || place.start !== target.node.name.start);
}

/** The program that the name under the cursor stands for, at its definition or where it is used. */
function programOfName(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): { readonly uri: string; readonly node: FunctionDef } | null {
  const unit = unitAt(analysis, uri);
  if (!unit) return null;
  const name = namesIn(unit.tree.body).find((candidate) => covers(candidate, offset));
  if (!name) return null;
  const program = analysis.facts.programs.find((candidate) => candidate.name === name.id);
  return program ? { uri: program.unit.uri, node: program.node } : null;
}

/** Names are matched by text: programs are module-wide names, and shadowing one is rare. */
function programNames(analysis: ModuleAnalysis, id: string): readonly Location[] {
  return analysis.units.flatMap((unit) =>
    namesIn(unit.tree.body)
      .filter((name: Name) => name.id === id)
      .map((name) => at(unit.uri, name)),
  );
}

/** Where a cell last assigns the name under the cursor of another (or the same) cell. */
export function assignmentIn(
  analysis: ModuleAnalysis,
  cellUri: string,
  uri: string,
  offset: number,
): Location | null {
  const unit = unitAt(analysis, uri);
  const name = unit
    ? namesIn(unit.tree.body).find((candidate) => covers(candidate, offset))
    : undefined;
  const binding = analysis.facts.bindings.findLast(
    (candidate) => candidate.unit.uri === cellUri && candidate.node.id === name?.id,
  );
  return binding ? at(cellUri, binding.node) : null;
}

/* ------------------------------------------------------------------ rename */

export interface RenameTarget {
  readonly start: number;
  readonly end: number;
  readonly placeholder: string;
}

export interface RenameEdit extends Location {
  readonly text: string;
}

/** `null` when there is nothing to rename here, e.g. on a name built by an f-string. */
export function prepareRename(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): RenameTarget | null {
  const places = variablePlaces(analysis, uri, offset);
  if (places) {
    const nodes: readonly (Expression | null)[] = [
      ...places.gens.filter(({ site }) => site.unit.uri === uri).map(({ site }) => site.nameNode),
      ...places.reads.filter((read) => read.unit.uri === uri).map((read) => read.node),
    ];
    const node = nodes.find((candidate) => candidate !== null && covers(candidate, offset));
    if (node?.kind !== 'Str') return null;
    return { ...span(textSpan(node)), placeholder: places.name };
  }
  const target = programOfName(analysis, uri, offset);
  const unit = unitAt(analysis, uri);
  const name =
    target && unit
      ? namesIn(unit.tree.body).find((candidate) => covers(candidate, offset))
      : undefined;
  return name ? { ...span(name), placeholder: name.id } : null;
}

const span = ({ start, end }: { readonly start: number; readonly end: number }) => ({ start, end });

export class RenameError extends Error {
  readonly code = 'INVALID_NAME';
}

export function rename(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  newName: string,
): readonly RenameEdit[] {
  const places = variablePlaces(analysis, uri, offset);
  if (places) {
    if (/["'\\\n{}]/.test(newName) || newName === '') {
      throw new RenameError(
        'A variable name cannot be empty or hold quotes, braces, backslashes or line breaks.',
      );
    }
    return references(analysis, uri, offset).map((place) => ({ ...place, text: newName }));
  }
  if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(newName))
    throw new RenameError('This is not a Python name.');
  return references(analysis, uri, offset).map((place) => ({ ...place, text: newName }));
}
