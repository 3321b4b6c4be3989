/** Go to definition and rename: variables in strings, programs by name, across cells and files. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import { reasoningSuffix } from '../semantics/api-calls.ts';
import type { Expression, Str } from '../syntax/ast.ts';
import { keywords } from '../syntax/token.ts';
import { namesIn, walkBlock } from '../syntax/walk.ts';
import {
  calleeAt,
  covers,
  readAt,
  textSpan,
  unitAt,
  variablePlaces,
  type Location,
  type VariablePlaces,
} from './lookup.ts';
import { parameterPlaces } from './parameter-places.ts';
import { functionOf, programUnder, projectReferences, type Project } from './project-navigation.ts';

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
  const called = functionOf(calleeAt(analysis, uri, offset)?.callee);
  const program = programUnder(analysis, uri, offset)?.target;
  if (program) return [at(program.uri, program.name)];
  return called?.node.kind === 'FunctionDef' ? [at(called.unit.uri, called.node.name)] : [];
}

function unique(locations: readonly Location[]): readonly Location[] {
  const seen = new Map(
    locations.map((location) => [`${location.uri}:${location.start}:${location.end}`, location]),
  );
  return [...seen.values()];
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
  project: Project,
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
  const parameter = parameterPlaces(project, analysis, uri, offset);
  if (parameter) return { ...parameter.under, placeholder: parameter.id };
  const name = programUnder(analysis, uri, offset)?.name;
  return name ? { ...span(name), placeholder: name.id } : null;
}

const span = ({ start, end }: { readonly start: number; readonly end: number }) => ({ start, end });

export class RenameError extends Error {
  readonly code = 'INVALID_NAME';
}

export function rename(
  project: Project,
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  newName: string,
): readonly RenameEdit[] {
  const variable = variablePlaces(analysis, uri, offset);
  if (variable) {
    if (/["'\\\n{}]/.test(newName) || newName === '') {
      throw new RenameError(
        'A variable name cannot be empty or hold quotes, braces, backslashes or line breaks.',
      );
    }
  } else if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(newName) || keywords.has(newName)) {
    throw new RenameError('This is not a Python name.');
  }
  const parameter = variable ? null : parameterPlaces(project, analysis, uri, offset);
  if (parameter?.others.includes(newName))
    throw new RenameError(`The program has a parameter "${newName}" already.`);
  if (parameter?.used.has(newName) && newName !== parameter.id)
    throw new RenameError(`The program uses the name "${newName}" already.`);
  if (parameter) return parameter.places.map((place) => ({ ...place, text: newName }));
  const places = projectReferences(project, analysis, uri, offset, true);
  if (!variable) return places.map((place) => ({ ...place, text: newName }));
  const edited = (found: readonly Location[], suffix: string) =>
    found.map((place) => ({
      ...place,
      text: newText(project, analysis, place, `${variable.name}${suffix}`, `${newName}${suffix}`),
    }));
  return [...edited(places, ''), ...edited(reasoningReads(analysis, variable), reasoningSuffix)];
}

/** What to write at a place that names the variable. Throws where the name is put together. */
function newText(
  project: Project,
  analysis: ModuleAnalysis,
  place: Location,
  name: string,
  newName: string,
): string {
  const unit =
    unitAt(analysis, place.uri) ?? unitAt(project.moduleOf(place.uri) ?? analysis, place.uri);
  let literal: Str | undefined;
  walkBlock(unit?.tree.body ?? [], {
    expression: (node) => {
      if (node.kind !== 'Str') return;
      const { start, end } = textSpan(node);
      if (start === place.start && end === place.end) literal = node;
    },
  });
  if (literal?.value === name)
    return literal.pieces.length === 1 ? newName : JSON.stringify(newName);
  const line = (unit?.text ?? '').slice(0, place.start).split('\n').length;
  throw new RenameError(
    `"${name}" is not written out at line ${line}: change by hand what the code makes it of.`,
  );
}

/** Reads of the reasoning that belongs to the variable. */
function reasoningReads(
  analysis: ModuleAnalysis,
  { name, reads }: VariablePlaces,
): readonly Location[] {
  const calls = new Set(reads.flatMap(({ sites }) => sites.map(({ call }) => call)));
  return analysis.facts.reads
    .filter(
      (read) =>
        read.name === `${name}${reasoningSuffix}` &&
        read.sites.some(({ kind, call }) => kind === 'reasoning' && calls.has(call)),
    )
    .map((read) => at(read.unit.uri, textSpan(read.node)));
}
