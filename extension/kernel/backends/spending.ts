/** What a backend has used, what that costs, and the limits that its requests may not pass. */
import type { JsonObject } from '../../protocol/kernel-protocol.ts';
import { BackendError } from './backend.ts';

export interface SpendingLimits {
  /** Money per million tokens, in any currency; `null`: not known. */
  readonly prices: { readonly prompt: number; readonly completion: number } | null;
  /** Most money, in the currency of the prices; `null`: no limit. */
  readonly budget: number | null;
  /** Most tokens, prompts and answers together; `null`: no limit. */
  readonly tokenBudget: number | null;
}

/** A request was not sent, because it could pass the budget. */
export class BudgetExceededError extends BackendError {
  override readonly code = 'BUDGET_EXCEEDED';
}

/** Characters per token of a request that was not counted yet; services count fewer tokens than this. */
const CHARACTERS_PER_TOKEN = 3;
const MILLION = 1_000_000;
/** Where the services' requests say how long an answer may be. */
const LENGTH_FIELDS = ['max_tokens', 'max_completion_tokens', 'maxOutputTokens'];

export interface Reservation {
  readonly prompt: number;
  readonly completion: number;
}

export class Spending {
  /** Tokens of all answers so far. */
  readonly usage = { promptTokens: 0, completionTokens: 0 };
  readonly #limits: SpendingLimits;
  readonly #underWay = new Set<Reservation>();

  /** @throws BudgetExceededError for a budget in money without prices. */
  constructor(limits: SpendingLimits) {
    if (limits.budget !== null && limits.prices === null) {
      throw new BudgetExceededError(
        'budget= needs the prices of the model: prices=(PROMPT, COMPLETION), each per million tokens.',
      );
    }
    this.#limits = limits;
  }

  /** `null` when the prices are not known. */
  get cost(): number | null {
    const { promptTokens, completionTokens } = this.usage;
    return this.#costOf(promptTokens, completionTokens);
  }

  /**
   * Sets aside the most that a request can use, so that many at once keep the budget too. An answer
   * whose length the request does not bound counts with its prompt only.
   * @throws BudgetExceededError when that could pass the budget; then nothing may be sent.
   */
  reserve(body: JsonObject): Reservation {
    const wanted = {
      prompt: Math.ceil(JSON.stringify(body).length / CHARACTERS_PER_TOKEN),
      completion: answerLength(body),
    };
    const all = [...this.#underWay, wanted];
    const prompts = this.usage.promptTokens + sum(all.map(({ prompt }) => prompt));
    const completions = this.usage.completionTokens + sum(all.map(({ completion }) => completion));
    const { budget, tokenBudget } = this.#limits;
    const cost = this.#costOf(prompts, completions);
    if (budget !== null && cost !== null && cost > budget) {
      throw this.#exceeded(`budget=${budget}`, `could cost ${cost.toFixed(6)} in all`);
    }
    if (tokenBudget !== null && prompts + completions > tokenBudget) {
      throw this.#exceeded(
        `token_budget=${tokenBudget}`,
        `could use ${prompts + completions} tokens in all`,
      );
    }
    this.#underWay.add(wanted);
    return wanted;
  }

  /** The request is over; what it used has been counted. */
  release(reservation: Reservation): void {
    this.#underWay.delete(reservation);
  }

  #costOf(promptTokens: number, completionTokens: number): number | null {
    const { prices } = this.#limits;
    if (prices === null) return null;
    return (promptTokens * prices.prompt + completionTokens * prices.completion) / MILLION;
  }

  #exceeded(limit: string, wouldBe: string): BudgetExceededError {
    const { promptTokens, completionTokens } = this.usage;
    return new BudgetExceededError(
      `Not sent: with this request the program ${wouldBe}, more than ${limit} allows. Used so far: ` +
        `${promptTokens} prompt and ${completionTokens} completion tokens. Give a larger budget or a smaller max_tokens.`,
    );
  }
}

function answerLength(body: JsonObject): number {
  const config = body['generationConfig'];
  const inner =
    typeof config === 'object' && config !== null && !Array.isArray(config) ? config : {};
  // SAFETY: a JSON object that is no array is a JsonObject.
  const places = [body, inner as JsonObject];
  for (const place of places) {
    for (const name of LENGTH_FIELDS) {
      const value = place[name];
      if (typeof value === 'number') return value;
    }
  }
  return 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
