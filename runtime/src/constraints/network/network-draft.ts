/** Edges of a network under construction, as flat lists in order of creation. */
export class NetworkDraft {
  stateCount = 0;
  /** from, to */
  readonly epsilons: number[] = [];
  /** from, low, high, to */
  readonly bytes: number[] = [];
  /** from, rule, return state */
  readonly calls: number[] = [];
  readonly ruleStart: number[] = [];
  readonly ruleEnd: number[] = [];
  /** For messages; null for bodies of repetitions, which have no name. */
  readonly ruleName: (string | null)[] = [];
  /** head and exit of every unbounded loop */
  readonly loops: number[] = [];
  rootRule = 0;

  state(): number {
    return this.stateCount++;
  }

  epsilon(from: number, to: number): void {
    this.epsilons.push(from, to);
  }

  byte(from: number, low: number, high: number, to: number): void {
    this.bytes.push(from, low, high, to);
  }

  call(from: number, ruleIndex: number, returnState: number): void {
    this.calls.push(from, ruleIndex, returnState);
  }

  addRule(name: string | null): number {
    this.ruleName.push(name);
    this.ruleStart.push(this.state());
    this.ruleEnd.push(this.state());
    return this.ruleStart.length - 1;
  }
}
