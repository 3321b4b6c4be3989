/**
 * Pure: what a tool is about to run, how it is shown before, and the memory of what was shown, so that
 * nothing else runs than what was confirmed.
 */

/** Code in the order in which it runs. */
export type RunPlan = readonly PlannedCell[];

export interface PlannedCell {
  /** Where it is, in words. */
  readonly place: string;
  readonly code: string;
}

/** Characters of code that a dialog can show. */
export const MOST_SHOWN = 6_000;

/** Markdown: each part below its place, in a fence that its text cannot close. `null`: too long to show. */
export function planMarkdown(plan: RunPlan): string | null {
  const length = plan.reduce((sum, { code }) => sum + code.length, 0);
  if (length > MOST_SHOWN) return null;
  return plan.map(({ place, code }) => `${place}\n\n${fenced(code)}`).join('\n\n');
}

function fenced(code: string): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  // A dialog shows the plain text, where only the code's own end of line separates it from what follows.
  return `${fence}python\n${visible(code)}\n\n${fence}`;
}

/** Characters that reorder or hide text would let code look like other code: by their numbers. */
function visible(code: string): string {
  return code.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n' || character === '\t') return character;
    return `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

/** Calls that were asked about and not run stay a while; no one asks about this many at once. */
const MOST_ASKED = 20;

/** Plans by the call that they were shown for. */
export class ShownPlans {
  readonly #plans = new Map<string, string>();

  show(call: string, plan: RunPlan): void {
    this.#plans.delete(call);
    this.#plans.set(call, JSON.stringify(plan));
    const [oldest] = this.#plans.keys();
    if (this.#plans.size > MOST_ASKED && oldest !== undefined) this.#plans.delete(oldest);
  }

  /** Whether this very plan was shown for the call; it counts once. */
  take(call: string, plan: RunPlan): boolean {
    const shown = this.#plans.get(call);
    this.#plans.delete(call);
    return shown === JSON.stringify(plan);
  }
}
