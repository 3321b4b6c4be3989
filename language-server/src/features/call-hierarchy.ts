/** Which programs and helpers call which. */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { FunctionDef, Span } from '../syntax/ast.ts';
import { covers, type Location } from './lookup.ts';

export interface HierarchyItem extends Location {
  readonly name: string;
  readonly selection: Span;
}

export interface HierarchyCall {
  readonly item: HierarchyItem;
  /** Where in the caller. */
  readonly places: readonly Location[];
}

function itemOf(uri: string, node: FunctionDef): HierarchyItem {
  return {
    uri,
    name: node.name.id,
    start: node.start,
    end: node.end,
    selection: { start: node.name.start, end: node.name.end },
  };
}

/** The function at its definition or at one of its calls. */
export function prepareCallHierarchy(
  analysis: ModuleAnalysis,
  uri: string,
  offset: number,
): HierarchyItem | null {
  for (const { unit, node } of analysis.facts.programs) {
    if (unit.uri === uri && covers(node.name, offset)) return itemOf(uri, node);
  }
  for (const edge of analysis.facts.edges) {
    if (edge.calleeUnit.uri === uri && covers(edge.callee.name, offset))
      return itemOf(uri, edge.callee);
    if (edge.unit.uri === uri && covers(edge.node.callee, offset))
      return itemOf(edge.calleeUnit.uri, edge.callee);
  }
  return null;
}

export function incomingCalls(
  analysis: ModuleAnalysis,
  item: HierarchyItem,
): readonly HierarchyCall[] {
  const calls = new Map<string, HierarchyCall>();
  for (const { unit, node, caller, callee, calleeUnit } of analysis.facts.edges) {
    if (!caller || calleeUnit.uri !== item.uri || callee.start !== item.start) continue;
    add(calls, itemOf(unit.uri, caller), {
      uri: unit.uri,
      start: node.callee.start,
      end: node.callee.end,
    });
  }
  return [...calls.values()];
}

export function outgoingCalls(
  analysis: ModuleAnalysis,
  item: HierarchyItem,
): readonly HierarchyCall[] {
  const calls = new Map<string, HierarchyCall>();
  for (const { unit, node, caller, callee, calleeUnit } of analysis.facts.edges) {
    if (!caller || unit.uri !== item.uri || caller.start !== item.start) continue;
    add(calls, itemOf(calleeUnit.uri, callee), {
      uri: unit.uri,
      start: node.callee.start,
      end: node.callee.end,
    });
  }
  return [...calls.values()];
}

function add(calls: Map<string, HierarchyCall>, item: HierarchyItem, place: Location): void {
  const key = `${item.uri}:${item.start}`;
  const known = calls.get(key);
  calls.set(key, known ? { item, places: [...known.places, place] } : { item, places: [place] });
}
