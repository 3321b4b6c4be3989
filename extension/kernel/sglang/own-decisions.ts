/** Selects that the program decides by a method of its own, in Python: evidence out, decision in. */
import type { JsonObject } from '../../protocol/kernel-protocol.ts';
import type { ChoiceEvidence } from '../backends/backend.ts';
import { InterruptedProgramError } from './program-error.ts';

export interface OwnEvidence extends ChoiceEvidence {
  /** Mean log probability per token of each choice. */
  readonly normalized: readonly number[];
}

export interface OwnDecision {
  readonly value: string;
  readonly meta: JsonObject;
}

interface Question {
  readonly evidence: OwnEvidence;
  readonly resolve: (decision: OwnDecision) => void;
  readonly reject: (error: Error) => void;
}

/** The questions of one program state, by the tickets that Python gave them. */
export class OwnDecisions {
  readonly #open = new Map<number, Question>();

  /** Settles when Python has decided, or the state is interrupted. */
  ask(ticket: number, evidence: OwnEvidence, signal: AbortSignal): Promise<OwnDecision> {
    const answer = new Promise<OwnDecision>((resolve, reject) => {
      this.#open.set(ticket, { evidence, resolve, reject });
      const interrupted = (): void => reject(new InterruptedProgramError());
      if (signal.aborted) interrupted();
      else signal.addEventListener('abort', interrupted, { once: true });
    });
    return answer.finally(() => this.#open.delete(ticket));
  }

  /** `undefined` until it is asked for. */
  evidence(ticket: number): OwnEvidence | undefined {
    return this.#open.get(ticket)?.evidence;
  }

  /** A decision that nobody waits for any more is dropped. */
  decide(ticket: number, decision: OwnDecision | Error): void {
    const question = this.#open.get(ticket);
    if (decision instanceof Error) question?.reject(decision);
    else question?.resolve(decision);
  }
}
