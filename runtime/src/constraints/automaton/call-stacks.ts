import type { Network } from '../network/network.ts';

/**
 * Return addresses of called rules, shared as a tree: a stack is an integer, equal stacks are
 * equal integers, 0 is the empty one.
 */
export class CallStacks {
  readonly #network: Network;
  readonly #top: number[] = [-1];
  readonly #below: number[] = [0];
  readonly #minimumBytes: number[] = [0];
  readonly #known = new Map<number, number>();

  constructor(network: Network) {
    this.#network = network;
  }

  get size(): number {
    return this.#top.length;
  }

  /**
   * The stack with `returnState` on top. A call in last place pushes nothing, nor does a loop
   * that would return to itself, so flat recursion keeps a flat stack.
   */
  push(stack: number, returnState: number): number {
    if (this.#network.isRuleEnd[returnState] === 1) return stack;
    if (this.#network.isAbsorbing[returnState] === 1 && this.top(stack) === returnState) {
      return stack;
    }
    const key = stack * this.#network.stateCount + returnState;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const created = this.#top.length;
    this.#top.push(returnState);
    this.#below.push(stack);
    const rest = this.#network.minimumBytes[returnState] ?? 0;
    this.#minimumBytes.push(rest + this.minimumBytes(stack));
    this.#known.set(key, created);
    return created;
  }

  top(stack: number): number {
    return this.#top[stack] ?? -1;
  }

  below(stack: number): number {
    return this.#below[stack] ?? 0;
  }

  /** Fewest bytes from all return states on the stack to the ends of their rules. */
  minimumBytes(stack: number): number {
    return this.#minimumBytes[stack] ?? 0;
  }

  /** Return states, outermost first. */
  unroll(stack: number): number[] {
    const states: number[] = [];
    for (let rest = stack; rest !== 0; rest = this.below(rest)) states.push(this.top(rest));
    return states.reverse();
  }

  clear(): void {
    this.#top.length = 1;
    this.#below.length = 1;
    this.#minimumBytes.length = 1;
    this.#known.clear();
  }
}
