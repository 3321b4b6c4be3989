/** A binary min-heap of integers with priorities. Equal priorities come out in any order. */
export class PriorityQueue {
  readonly #priorities: number[] = [];
  readonly #items: number[] = [];

  push(priority: number, item: number): void {
    let hole = this.#items.length;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (this.#priority(parent) <= priority) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#priorities[hole] = priority;
    this.#items[hole] = item;
  }

  /** The item of least priority; null when empty. */
  pop(): number | null {
    const top = this.#items[0];
    if (top === undefined) return null;
    const priority = this.#priorities.pop() ?? 0;
    const item = this.#items.pop() ?? 0;
    const size = this.#items.length;
    if (size === 0) return top;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#priority(child + 1) < this.#priority(child)) child++;
      if (this.#priority(child) >= priority) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#priorities[hole] = priority;
    this.#items[hole] = item;
    return top;
  }

  #priority(index: number): number {
    return this.#priorities[index] ?? 0;
  }

  #move(from: number, to: number): void {
    this.#priorities[to] = this.#priority(from);
    this.#items[to] = this.#items[from] ?? 0;
  }
}
