import { Automaton, DEAD, DEFAULT_AUTOMATON_WORDS } from './automaton/automaton.ts';
import { ConstraintError } from './constraint.ts';
import { buildNetwork } from './network/network-builder.ts';
import { compactNetwork } from './network/network-compaction.ts';
import { parseRegex } from './regex/regex-parser.ts';
import { ANY_CHARACTER } from './syntax/code-points.ts';
import { characters, type GrammarNode, repeat, sequence } from './syntax/grammar-node.ts';

const ALL_BYTES = new Uint8Array(256).fill(1);

/**
 * A regular expression that ends an output as soon as it is found in it (SGLang's `stop_regex`, in
 * the dialect of `regex`). Each byte of the output is looked at once, whatever the pattern: nothing
 * backtracks. `^` stands for the beginning of the output, `$` for its end so far.
 */
export class StopPattern {
  readonly source: string;
  readonly #automaton: Automaton;
  readonly #onlyAtEnd: boolean;
  #state: number;

  /** Throws `ConstraintError`, with the position in the pattern. */
  constructor(source: string) {
    const { body, atStart, atEnd } = withoutAnchors(parseRegex(source));
    const before = atStart ? [] : [repeat(characters(ANY_CHARACTER), 0, Infinity)];
    const rules = { rules: new Map([['root', sequence(...before, body)]]), root: 'root' };
    const network = compactNetwork(buildNetwork(rules), ALL_BYTES);
    this.source = source;
    this.#automaton = new Automaton(network, DEFAULT_AUTOMATON_WORDS);
    this.#onlyAtEnd = atEnd;
    this.#state = this.#automaton.start;
  }

  /** Reads what the output grew by; true when the pattern is in it. */
  append(text: string): boolean {
    if (this.#matches()) return true;
    for (const byte of new TextEncoder().encode(text)) {
      this.#step(byte);
      if (!this.#onlyAtEnd && this.#matches()) return true;
    }
    return this.#matches();
  }

  #matches(): boolean {
    return this.#state !== DEAD && this.#automaton.isAccepting(this.#state);
  }

  #step(byte: number): void {
    if (this.#state === DEAD) return;
    if (this.#automaton.isOverBudget) this.#state = this.#automaton.flush(this.#state);
    this.#state = this.#automaton.step(this.#state, byte);
  }
}

interface Pattern {
  readonly body: GrammarNode;
  readonly atStart: boolean;
  readonly atEnd: boolean;
}

/** Anchors at the very ends say where to search; others are refused. */
function withoutAnchors(node: GrammarNode): Pattern {
  const items = node.kind === 'sequence' ? node.items : [node];
  const isAnchor = (item: GrammarNode | undefined, edge: 'start' | 'end'): boolean =>
    item?.kind === 'anchor' && item.edge === edge;
  const first = items.findIndex((item) => !isAnchor(item, 'start'));
  const last = items.findLastIndex((item) => !isAnchor(item, 'end'));
  const rest = first < 0 ? [] : items.slice(first, last + 1);
  for (const item of rest) refuseAnchors(item);
  return { body: sequence(...rest), atStart: first !== 0, atEnd: last !== items.length - 1 };
}

function refuseAnchors(node: GrammarNode): void {
  switch (node.kind) {
    case 'anchor':
      throw new ConstraintError(
        'UNSUPPORTED',
        `${node.edge === 'start' ? '^' : '$'} inside the pattern is not supported (position ${node.position})`,
        node.position,
      );
    case 'sequence':
      node.items.forEach(refuseAnchors);
      break;
    case 'choice':
      node.options.forEach(refuseAnchors);
      break;
    case 'repeat':
      refuseAnchors(node.body);
      break;
    case 'empty':
    case 'never':
    case 'text':
    case 'characters':
    case 'rule':
      break;
  }
}
