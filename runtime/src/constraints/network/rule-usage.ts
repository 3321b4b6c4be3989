import type { GrammarNode, RuleSet } from '../syntax/grammar-node.ts';

/** Facts about rules by which the network builder decides between copying a rule and calling it. */
export interface RuleUsage {
  /** The rule reaches itself, directly or through others. */
  isRecursive(name: string): boolean;
  /** How often the rule is named in the grammar. */
  uses(name: string): number;
  /** Rough number of states of a node with its rules copied in; may be Infinity. */
  size(node: GrammarNode): number;
}

export function analyseRules(grammar: RuleSet): RuleUsage {
  const references = new Map<string, readonly string[]>();
  const uses = new Map<string, number>();
  for (const [name, body] of grammar.rules) {
    const named = referencesOf(body);
    references.set(name, named);
    for (const target of named) uses.set(target, (uses.get(target) ?? 0) + 1);
  }
  const recursive = cyclicNames(references);
  const sizes = new Map<string, number>();
  const measured = new WeakMap<GrammarNode, number>();

  const sizeOfRule = (name: string): number => {
    if (recursive.has(name)) return 1;
    const cached = sizes.get(name);
    if (cached !== undefined) return cached;
    // Long chains of rules would recurse deeply; a guess is enough, it only steers sharing.
    sizes.set(name, 16);
    const body = grammar.rules.get(name);
    const value = body === undefined ? 1 : size(body);
    sizes.set(name, value);
    return value;
  };
  const size = (node: GrammarNode): number => {
    const cached = measured.get(node);
    if (cached !== undefined) return cached;
    const value = measure(node);
    measured.set(node, value);
    return value;
  };
  const measure = (node: GrammarNode): number => {
    switch (node.kind) {
      case 'empty':
      case 'never':
      case 'anchor':
        return 1;
      case 'text':
        return node.text.length;
      case 'characters':
        return (node.set.at(-1) ?? 0) < 0x80 ? 1 : 2 + 2 * Math.min(64, node.set.length);
      case 'rule':
        return Math.min(64, sizeOfRule(node.name));
      case 'sequence':
        return node.items.reduce((sum, item) => sum + size(item), 0);
      case 'choice':
        return node.options.reduce((sum, option) => sum + 1 + size(option), 0);
      case 'repeat':
        return size(node.body) * copiesOf(node.minimum, node.maximum);
    }
  };
  return {
    isRecursive: (name) => recursive.has(name),
    uses: (name) => uses.get(name) ?? 0,
    size,
  };
}

/** How many times the body of a repetition is laid out. */
export function copiesOf(minimum: number, maximum: number): number {
  return maximum === Infinity ? minimum + 1 : maximum;
}

/** Names of rules in a node, with repetitions. */
export function referencesOf(node: GrammarNode): string[] {
  const names: string[] = [];
  const pending: GrammarNode[] = [node];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'rule') names.push(next.name);
    else if (next.kind === 'sequence') for (const item of next.items) pending.push(item);
    else if (next.kind === 'choice') for (const option of next.options) pending.push(option);
    else if (next.kind === 'repeat') pending.push(next.body);
  }
  return names;
}

/** Names that lie on a cycle (Tarjan's strongly connected components, without recursion). */
function cyclicNames(references: ReadonlyMap<string, readonly string[]>): Set<string> {
  const cyclic = new Set<string>();
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const enter = (name: string): { name: string; next: number } => {
    order.set(name, order.size);
    low.set(name, order.size - 1);
    open.push(name);
    isOpen.add(name);
    return { name, next: 0 };
  };
  const lower = (name: string, value: number | undefined): void => {
    low.set(name, Math.min(low.get(name) ?? Infinity, value ?? Infinity));
  };
  for (const root of references.keys()) {
    if (order.has(root)) continue;
    const frames = [enter(root)];
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const target = references.get(frame.name)?.[frame.next++];
      if (target !== undefined) {
        if (target === frame.name) cyclic.add(target);
        if (!order.has(target)) frames.push(enter(target));
        else if (isOpen.has(target)) lower(frame.name, order.get(target));
        continue;
      }
      frames.pop();
      const parent = frames.at(-1);
      if (parent !== undefined) lower(parent.name, low.get(frame.name));
      if (low.get(frame.name) !== order.get(frame.name)) continue;
      const component = open.splice(open.lastIndexOf(frame.name));
      for (const name of component) {
        isOpen.delete(name);
        if (component.length > 1) cyclic.add(name);
      }
    }
  }
  return cyclic;
}
