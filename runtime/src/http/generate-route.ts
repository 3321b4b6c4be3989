import { json } from './answer.ts';
import type { Answer, RouteRequest } from './answer.ts';
import { HttpError } from './errors.ts';
import { parseGenerateRequest } from './generate-request.ts';
import type { GenerateCall } from './generate-request.ts';
import type { GenerateResult, ResultFormat } from './generate-response.ts';
import type { Generation } from './generation.ts';
import type { RunningRequests } from './generation.ts';
import { parseJsonObject } from './json-fields.ts';
import type { Preparer } from './prepare.ts';

export interface GenerateParts {
  readonly preparer: Preparer;
  readonly running: RunningRequests;
  readonly format: ResultFormat;
}

/** `POST /generate`. */
export class GenerateRoute {
  readonly #parts: GenerateParts;

  constructor(parts: GenerateParts) {
    this.#parts = parts;
  }

  async handle({ body, signal }: RouteRequest): Promise<Answer> {
    const call = parseGenerateRequest(parseJsonObject(body));
    const generations = await this.#parts.preparer.prepareAll(call, signal);
    const rids = call.items.map((item) => item.rid);
    const changes = this.#parts.running.run(generations, rids, signal);
    if (call.stream) return this.#stream(call, generations, changes);
    for await (const index of changes) void index;
    const results = generations.map((_, index) => this.#result(call, generations, index));
    return json(call.isList ? results : results[0]);
  }

  /** Waits for the first progress: what fails before it is answered with its status. */
  async #stream(
    call: GenerateCall,
    generations: readonly Generation[],
    changes: AsyncGenerator<number>,
  ): Promise<Answer> {
    const first = await changes.next();
    const event = (index: number): string => {
      const result = this.#result(call, generations, index);
      return JSON.stringify(call.isList ? { ...result, index } : result);
    };
    async function* events(): AsyncGenerator<string> {
      try {
        if (!first.done) yield event(first.value);
        for await (const index of changes) yield event(index);
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        yield JSON.stringify({ error: { message: error.message } });
      } finally {
        await changes.return(undefined);
      }
    }
    return { kind: 'events', events: events() };
  }

  #result(call: GenerateCall, generations: readonly Generation[], index: number): GenerateResult {
    const item = call.items[index];
    const generation = generations[index];
    if (item === undefined || generation === undefined) throw new RangeError('no such item');
    return this.#parts.format.result(generation, item.rid, item.logprobs);
  }
}
