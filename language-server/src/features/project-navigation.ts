/**
 * Navigation beyond one notebook or file: programs and their variables wherever the workspace imports
 * them. A program is its definition (uri and offset), a variable its gens; both mean the same in every
 * module that reached them through an import.
 */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { FunctionRef, GenSite, Value } from '../semantics/value.ts';
import type { Name } from '../syntax/ast.ts';
import { namesIn, walkBlock, walkExpression } from '../syntax/walk.ts';
import { incomingCalls, type HierarchyCall, type HierarchyItem } from './call-hierarchy.ts';
import { calleeAt, covers, textSpan, unitAt, variablePlaces, type Location } from './lookup.ts';
import { documentSymbols, type DocumentSymbol } from './symbols.ts';

export interface Project {
  /** What is open, and closed files whose text has `word`. */
  modules(word: string): readonly ModuleAnalysis[];
  moduleOf(unitUri: string): ModuleAnalysis | null;
}

export interface Target {
  readonly uri: string;
  /** Where the definition's name is. */
  readonly name: Name;
  readonly start: number;
}

export function functionOf(callee: Value | undefined): FunctionRef | undefined {
  if (!callee) return undefined;
  if (callee.kind === 'method') return functionOf(callee.object);
  return callee.kind === 'program' || callee.kind === 'function' ? callee.ref : undefined;
}

const at = (uri: string, { start, end }: { readonly start: number; readonly end: number }) => ({
  uri,
  start,
  end,
});

/** The program that the name under the cursor stands for, here or in the file it is imported from. */
export function programUnder(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): { readonly target: Target; readonly name: Name } | null {
  const unit = unitAt(analysis, uri);
  if (!unit) return null;
  const name =
    namesIn(unit.tree.body).find((candidate) => covers(candidate, offset)) ??
    attributeAt(analysis, uri, offset);
  if (!name) return null;
  const own = analysis.facts.programs.find((candidate) => candidate.name === name.id);
  if (own)
    return { target: { uri: own.unit.uri, name: own.node.name, start: own.node.start }, name };
  const ref =
    functionOf(analysis.exports.get(name.id)) ??
    functionOf(calleeAt(analysis, uri, offset)?.callee);
  if (!ref?.isProgram || ref.node.kind !== 'FunctionDef') return null;
  return { target: { uri: ref.unit.uri, name: ref.node.name, start: ref.node.start }, name };
}

/** `f` of `programs.f.run()`. */
function attributeAt(analysis: ModuleAnalysis, uri: string, offset: number): Name | undefined {
  for (const { unit, node, callee } of analysis.facts.calls) {
    const ref = functionOf(callee);
    if (unit.uri !== uri || !ref || !covers(node.callee, offset)) continue;
    const found = attributesNamed(node.callee, ref.name).find((name) => covers(name, offset));
    if (found) return found;
  }
  return undefined;
}

function attributesNamed(node: Parameters<typeof walkExpression>[0], id: string): Name[] {
  const found: Name[] = [];
  walkExpression(node, {
    expression: (inner) => {
      if (inner.kind === 'Attribute' && inner.attribute.id === id) found.push(inner.attribute);
    },
  });
  return found;
}

const isTarget = (ref: FunctionRef | undefined, { uri, start }: Target): boolean =>
  ref?.unit.uri === uri && ref.node.start === start;

/** Every place that calls the program by its own name; aliases keep theirs. */
function programPlaces(analysis: ModuleAnalysis, target: Target): Location[] {
  const { id } = target.name;
  const isHome = analysis.units.some((unit) => unit.uri === target.uri);
  const exported = new Set(
    [...analysis.exports].flatMap(([key, value]) =>
      isTarget(functionOf(value), target) ? [key] : [],
    ),
  );
  const isKnown = isHome || exported.has(id);
  const names = analysis.units.flatMap((unit) => {
    const found = isKnown ? namesIn(unit.tree.body).filter((name) => name.id === id) : [];
    walkBlock(unit.tree.body, {
      statement: (statement) => {
        if (statement.kind !== 'ImportFrom') return;
        for (const { name, alias } of statement.names)
          if (name.id === id && alias && exported.has(alias.id)) found.push(name);
      },
    });
    return found.map((name) => at(unit.uri, name));
  });
  const attributes = analysis.facts.calls.flatMap(({ unit, node, callee }) =>
    isTarget(functionOf(callee), target)
      ? attributesNamed(node.callee, id).map((name) => at(unit.uri, name))
      : [],
  );
  return [...names, ...attributes];
}

const siteKey = ({ unit, call }: GenSite): string => `${unit.uri}:${call.start}`;

/** Gens and reads of the variable at the offset. */
function variableLocations(
  project: Project,
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): { readonly gens: readonly Location[]; readonly reads: readonly Location[] } | null {
  const places = variablePlaces(analysis, uri, offset);
  if (!places) return null;
  const seen = [
    ...places.gens.map(({ site }) => site),
    ...places.reads.flatMap((read) => read.sites),
  ];
  const homes = seen.flatMap((site) => {
    if (unitAt(analysis, site.unit.uri)) return [];
    const home = project.moduleOf(site.unit.uri);
    const start = textSpan(site.nameNode ?? site.call).start;
    return (home && variablePlaces(home, site.unit.uri, start)?.gens.map((gen) => gen.site)) ?? [];
  });
  const sites = new Map([...seen, ...homes].map((site) => [siteKey(site), site]));
  const others = project
    .modules(places.name)
    .flatMap((module) => module.facts.reads)
    .filter((read) => read.name === places.name && read.sites.some((s) => sites.has(siteKey(s))));
  return {
    gens: [...sites.values()].map((site) =>
      at(site.unit.uri, textSpan(site.nameNode ?? site.call)),
    ),
    reads: [...places.reads, ...others].map((read) => at(read.unit.uri, textSpan(read.node))),
  };
}

export function projectReferences(
  project: Project,
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
  includeDeclaration: boolean,
): readonly Location[] {
  const variable = variableLocations(project, analysis, uri, offset);
  if (variable)
    return unique(includeDeclaration ? [...variable.gens, ...variable.reads] : variable.reads);
  const target = programUnder(analysis, uri, offset)?.target;
  if (!target) return [];
  const home = project.moduleOf(target.uri);
  const modules = [analysis, ...(home ? [home] : []), ...project.modules(target.name.id)];
  const found = unique(modules.flatMap((module) => programPlaces(module, target)));
  return includeDeclaration
    ? found
    : found.filter((place) => place.uri !== target.uri || place.start !== target.name.start);
}

function unique(locations: readonly Location[]): readonly Location[] {
  return [
    ...new Map(
      locations.map((location) => [`${location.uri}:${location.start}:${location.end}`, location]),
    ).values(),
  ];
}

export function projectIncomingCalls(
  project: Project,
  item: HierarchyItem,
): readonly HierarchyCall[] {
  const found = project.modules(item.name).flatMap((module) => incomingCalls(module, item));
  return [...new Map(found.map((call) => [`${call.item.uri}:${call.item.start}`, call])).values()];
}

export interface WorkspaceSymbol extends Location {
  readonly name: string;
  readonly kind: DocumentSymbol['kind'];
  /** Program or class it belongs to, `''` on top level. */
  readonly container: string;
}

/** Programs and gens whose names have the letters of `query` in this order. */
export function workspaceSymbols(project: Project, query: string): readonly WorkspaceSymbol[] {
  const wanted = Array.from(query.toLowerCase(), escapeLetter).join('.*');
  const pattern = new RegExp(wanted, 's');
  const flatten = (uri: string, symbols: readonly DocumentSymbol[], container: string) =>
    symbols.flatMap((symbol): WorkspaceSymbol[] => [
      ...(pattern.test(symbol.name.toLowerCase())
        ? [{ ...at(uri, symbol.selection), name: symbol.name, kind: symbol.kind, container }]
        : []),
      ...flatten(uri, symbol.children, symbol.name),
    ]);
  return project
    .modules('sglang')
    .filter((module) => module.facts.programs.length > 0)
    .flatMap((module) =>
      module.units.flatMap(({ uri }) => flatten(uri, documentSymbols(module, uri), '')),
    )
    .filter(({ kind }) => kind === 'program' || kind === 'gen');
}

function escapeLetter(letter: string): string {
  return letter.replace(/[.*+?^${}()|[\]\\/]/, String.raw`\$&`);
}
