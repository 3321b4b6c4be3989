/** Names that functions of a module declare `global` or `nonlocal`. */
import type { SourceUnit } from './source-unit.ts';
import { walkBlock } from '../syntax/walk.ts';

const known = new WeakMap<object, readonly string[]>();

/** Found once per version of the text. */
export function declaredNames({ text, tree }: SourceUnit): readonly string[] {
  if (!/\b(?:global|nonlocal)\b/.test(text)) return [];
  const found = known.get(tree);
  if (found) return found;
  const names: string[] = [];
  walkBlock(tree.body, {
    statement: (node) => {
      if (node.kind === 'Global' || node.kind === 'Nonlocal')
        names.push(...node.names.map((name) => name.id));
    },
  });
  known.set(tree, names);
  return names;
}
