/**
 * A cell as the type engine sees it: the author's text with types put in where programs are defined,
 * so that `s["x"]` has its type in a program's body, and the program's runs theirs right behind it,
 * at any depth. `@function` reads `@__sgl_as_f(function)` there, and `def f(s)` reads
 * `def f(s: "_f_Body_State")`. Nothing is taken away and no line is added, so places differ only to the
 * right of an insertion on its line.
 */
import type { ModuleAnalysis } from '../semantics/analysis.ts';
import type { ProgramFact } from '../semantics/facts.ts';
import type { Expression, FunctionDef } from '../syntax/ast.ts';

/** Zero-based, in UTF-16 units, as in the language server protocol. */
export interface Place {
  readonly line: number;
  readonly character: number;
}

interface Insertion extends Place {
  readonly text: string;
  /** Whether the author's place at the insertion stands behind it. */
  readonly isPrefix: boolean;
}

export interface VirtualCell {
  readonly text: string;
  readonly insertions: readonly Insertion[];
}

/** Names of an engine's hidden declarations for a program, by its id. */
export const stateClass = (id: string): string => `_${id}_State`;
/** The state inside the program's body. */
export const bodyClass = (id: string): string => `_${id}_Body_State`;
export const stateDecorator = (id: string): string => `__sgl_as_${id}`;

/** Names, numbered where several programs of a notebook have the same one. */
export function programIds({ facts }: ModuleAnalysis): ReadonlyMap<ProgramFact, string> {
  const counts = new Map<string, number>();
  return new Map(
    facts.programs.map((program) => {
      const count = (counts.get(program.name) ?? 0) + 1;
      counts.set(program.name, count);
      return [program, count === 1 ? program.name : `${program.name}__${count}`];
    }),
  );
}

export function virtualCell(analysis: ModuleAnalysis, uri: string): VirtualCell {
  const unit = analysis.units.find((candidate) => candidate.uri === uri);
  if (!unit) return { text: '', insertions: [] };
  const found = [...programIds(analysis)]
    .filter(([program]) => program.unit.uri === uri)
    .flatMap(([{ node }, id]) => insertionsFor(unit.text, node, id))
    .sort((a, b) => a.offset - b.offset);
  const source = unit.tree.code ?? unit.text;
  let text = '';
  let done = 0;
  for (const insertion of found) {
    text += source.slice(done, insertion.offset) + insertion.text;
    done = insertion.offset;
  }
  text += source.slice(done);
  return {
    text,
    insertions: found.map(({ offset, text: added, isPrefix }) => ({
      ...placeOf(unit.text, offset),
      text: added,
      isPrefix,
    })),
  };
}

interface OffsetInsertion {
  readonly offset: number;
  readonly text: string;
  readonly isPrefix: boolean;
}

function insertionsFor(source: string, node: FunctionDef, id: string): OffsetInsertion[] {
  if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(id)) return [];
  const decorator = programDecorator(source, node);
  if (!decorator) return [];
  const found: OffsetInsertion[] = [
    { offset: decorator.start, text: `${stateDecorator(id)}(`, isPrefix: true },
    { offset: decorator.end, text: ')', isPrefix: false },
  ];
  const first = node.parameters[0]?.name?.id === 'self' ? 1 : 0;
  const state = node.parameters[first];
  if (state?.name && !state.annotation && state.star === '' && !state.defaultValue) {
    found.push({ offset: state.name.end, text: `: "${bodyClass(id)}"`, isPrefix: false });
  }
  return found;
}

/** The only decorator, or the last that reads like SGLang's. */
function programDecorator(source: string, node: FunctionDef): Expression | undefined {
  if (node.decorators.length === 1) return node.decorators[0];
  return node.decorators.findLast(({ start, end }) =>
    /\bfunction\b/.test(source.slice(start, end)),
  );
}

function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length - 1, character: offset - lineStart };
}

/** The author's place → the engine's. */
export function toVirtual({ insertions }: VirtualCell, place: Place): Place {
  let shift = 0;
  for (const { line, character, text, isPrefix } of insertions) {
    if (line !== place.line) continue;
    if (character < place.character || (isPrefix && character === place.character))
      shift += text.length;
  }
  return { line: place.line, character: place.character + shift };
}

/** The engine's place → the author's; places inside an insertion come out at its edge. */
export function toOriginal({ insertions }: VirtualCell, place: Place): Place {
  let shift = 0;
  for (const { line, character, text } of insertions) {
    if (line !== place.line) continue;
    const inside = place.character - shift - character;
    if (inside <= 0) break;
    shift += Math.min(inside, text.length);
  }
  return { line: place.line, character: place.character - shift };
}
