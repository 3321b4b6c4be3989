import { ConstraintError } from '../constraint.ts';
import type { GrammarNode, RuleSet } from '../syntax/grammar-node.ts';
import { NetworkDraft } from './network-draft.ts';
import { analyseRules, copiesOf, type RuleUsage } from './rule-usage.ts';
import { utf8Sequences, type ByteSequence } from './utf8-ranges.ts';

/** Beyond this a network would take hundreds of megabytes. */
const MAXIMUM_STATES = 2_000_000;
/** A rule of this size named this often is called; smaller or rarer ones are copied. */
const CALL_SIZE = 16;
const CALL_USES = 3;
/** The body of a counted repetition is called if its copies would have this many states. */
const OUTLINED_BODY = 6;
const OUTLINED_TOTAL = 512;

/** Lays a grammar out as a network; the draft still contains dead and superfluous states. */
export function buildNetwork(grammar: RuleSet): NetworkDraft {
  return new NetworkBuilder(grammar).build();
}

class NetworkBuilder {
  readonly #grammar: RuleSet;
  readonly #usage: RuleUsage;
  readonly #draft = new NetworkDraft();
  readonly #encoder = new TextEncoder();
  /** Rules that are called, by name, and anonymous ones for bodies of repetitions, by node. */
  readonly #called = new Map<string | GrammarNode, number>();
  /** First state of a copied rule, by its name and the state behind it. */
  readonly #copies = new Map<string, Map<number, number>>();
  readonly #encodings = new Map<readonly number[], readonly ByteSequence[]>();
  /** Bodies still to be laid out between two states: rules do not nest on the call stack. */
  readonly #pending: { readonly body: GrammarNode; readonly from: number; readonly to: number }[] =
    [];

  constructor(grammar: RuleSet) {
    this.#grammar = grammar;
    this.#usage = analyseRules(grammar);
  }

  build(): NetworkDraft {
    const root = this.#grammar.root;
    this.#draft.rootRule = this.#calledRule(root, this.#body(root));
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      this.#place(next.body, next.from, next.to);
    }
    return this.#draft;
  }

  #state(): number {
    if (this.#draft.stateCount >= MAXIMUM_STATES) {
      throw new ConstraintError(
        'TOO_LARGE',
        'the constraint needs too many states; use smaller repeat counts',
        null,
      );
    }
    return this.#draft.state();
  }

  #place(node: GrammarNode, from: number, to: number): void {
    const draft = this.#draft;
    switch (node.kind) {
      case 'never':
        return;
      case 'empty':
        return draft.epsilon(from, to);
      case 'text':
        return this.#placeText(node.text, from, to);
      case 'characters':
        return this.#placeCharacters(node.set, from, to);
      case 'sequence':
        return this.#placeSequence(node.items, from, to);
      case 'choice':
        for (const option of node.options) {
          const entry = this.#state();
          draft.epsilon(from, entry);
          this.#place(option, entry, to);
        }
        return;
      case 'repeat':
        return this.#placeRepeat(node, from, to);
      case 'rule':
        return this.#placeRule(node.name, from, to);
      case 'anchor':
        throw new Error('anchors must be removed before a network is built');
    }
  }

  #placeText(text: string, from: number, to: number): void {
    const bytes = this.#encoder.encode(text);
    let current = from;
    bytes.forEach((byte, index) => {
      const next = index === bytes.length - 1 ? to : this.#state();
      this.#draft.byte(current, byte, byte, next);
      current = next;
    });
  }

  /** Sequences of one set share their common endings: 15 states for any multi-byte character. */
  #placeCharacters(set: readonly number[], from: number, to: number): void {
    const shared = new Map<string, number>();
    for (const encoded of this.#encode(set)) {
      let next = to;
      for (let index = encoded.length - 1; index > 0; index--) {
        const range = encoded[index] ?? { low: 0, high: 0 };
        const key = `${range.low},${range.high},${next}`;
        let state = shared.get(key);
        if (state === undefined) {
          state = this.#state();
          shared.set(key, state);
          this.#draft.byte(state, range.low, range.high, next);
        }
        next = state;
      }
      const first = encoded[0] ?? { low: 0, high: 0 };
      this.#draft.byte(from, first.low, first.high, next);
    }
  }

  #encode(set: readonly number[]): readonly ByteSequence[] {
    let encoded = this.#encodings.get(set);
    if (encoded === undefined) {
      const sequences: ByteSequence[] = [];
      for (let index = 0; index + 1 < set.length; index += 2) {
        sequences.push(...utf8Sequences(set[index] ?? 0, set[index + 1] ?? 0));
      }
      encoded = sequences;
      this.#encodings.set(set, encoded);
    }
    return encoded;
  }

  #placeSequence(items: readonly GrammarNode[], from: number, to: number): void {
    let current = from;
    items.forEach((item, index) => {
      const next = index === items.length - 1 ? to : this.#state();
      this.#place(item, current, next);
      current = next;
    });
    if (items.length === 0) this.#draft.epsilon(from, to);
  }

  #placeRepeat(node: GrammarNode & { kind: 'repeat' }, from: number, to: number): void {
    const copies = copiesOf(node.minimum, node.maximum);
    const size = this.#usage.size(node.body);
    const outlined = copies > 1 && size >= OUTLINED_BODY && copies * size >= OUTLINED_TOTAL;
    const place = (start: number, end: number): void => {
      if (outlined) this.#draft.call(start, this.#calledRule(node.body, node.body), end);
      else this.#place(node.body, start, end);
    };
    let current = from;
    for (let count = 0; count < node.minimum; count++) {
      const next = this.#state();
      place(current, next);
      current = next;
    }
    if (node.maximum === Infinity) {
      const head = this.#state();
      this.#draft.epsilon(current, head);
      place(head, head);
      this.#draft.epsilon(head, to);
      this.#draft.loops.push(head, to);
      return;
    }
    for (let count = node.minimum; count < node.maximum; count++) {
      const next = this.#state();
      this.#draft.epsilon(current, to);
      place(current, next);
      current = next;
    }
    this.#draft.epsilon(current, to);
  }

  #placeRule(name: string, from: number, to: number): void {
    const body = this.#body(name);
    const isCalled =
      this.#usage.isRecursive(name) ||
      (this.#usage.uses(name) >= CALL_USES && this.#usage.size(body) >= CALL_SIZE);
    if (isCalled) {
      this.#draft.call(from, this.#calledRule(name, body), to);
      return;
    }
    const copies = this.#copies.get(name) ?? new Map<number, number>();
    this.#copies.set(name, copies);
    let entry = copies.get(to);
    if (entry === undefined) {
      entry = this.#state();
      copies.set(to, entry);
      this.#pending.push({ body, from: entry, to });
    }
    this.#draft.epsilon(from, entry);
  }

  #calledRule(key: string | GrammarNode, body: GrammarNode): number {
    let index = this.#called.get(key);
    if (index === undefined) {
      index = this.#draft.addRule(typeof key === 'string' ? key : null);
      this.#called.set(key, index);
      const from = this.#draft.ruleStart[index] ?? 0;
      const to = this.#draft.ruleEnd[index] ?? 0;
      this.#pending.push({ body, from, to });
    }
    return index;
  }

  #body(name: string): GrammarNode {
    const body = this.#grammar.rules.get(name);
    if (body === undefined) {
      throw new ConstraintError('INVALID', `rule ${name} is not defined`, null);
    }
    return body;
  }
}
