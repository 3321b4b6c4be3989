/** A backend without a network: answers when the test says so, and remembers what it was asked. */
import {
  ConnectionLostError,
  RequestAbortedError,
  type Backend,
  type ChoiceEvidence,
  type Completion,
  type GenerateParams,
  type Prompt,
  type SentRequest,
} from '../../../../extension/kernel/backends/backend.ts';
import type { JsonValue } from '../../../../extension/protocol/kernel-protocol.ts';

type OnRequest = (request: SentRequest) => void;

export class FakeBackend implements Backend {
  readonly url = 'fake:';
  readonly modelInfo = {};
  readonly modelPath = 'fake';
  /** Prompts in the order in which they came, with what was asked. */
  readonly asked: string[] = [];
  readonly params: GenerateParams[] = [];
  /** Answers by what the prompt ends with; default `<n>` for the nth gen. */
  answer: (prompt: Prompt) => string | Error = () => `<${this.params.length}>`;
  /** Log probability of each choice, by index. */
  choiceLogprobs: readonly number[] = [];
  /** While set, answers wait for it. */
  gate: Promise<void> | null = null;
  cacheError: Error | null = null;

  async generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ) {
    this.asked.push(`gen ${prompt.text}`);
    this.params.push(params);
    onRequest({ url: 'fake:/generate', body: { text: prompt.text } });
    const text = this.#text(prompt);
    await this.#wait(signal);
    return Array.from({ length: params.n ?? 1 }, (_, index) => ({
      text: index === 0 ? text : `${text}#${index}`,
      meta: { prompt_tokens: prompt.text.length, completion_tokens: text.length },
    }));
  }

  async *generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Completion> {
    this.asked.push(`stream ${prompt.text}`);
    this.params.push(params);
    onRequest({ url: 'fake:/generate', body: { text: prompt.text } });
    const text = this.#text(prompt);
    for (let end = 1; end <= text.length; end++) {
      await this.#wait(signal);
      yield { text: text.slice(0, end), meta: { completion_tokens: end } };
    }
  }

  async scoreChoices(prompt: Prompt, choices: readonly string[]): Promise<ChoiceEvidence> {
    this.asked.push(`score ${prompt.text}[${choices.join('|')}]`);
    const tokens = choices.map((text, index) => [
      [this.choiceLogprobs[index] ?? -index, index, text] as const,
    ]);
    return { tokens, outputTokens: choices.map(() => []), unconditional: null };
  }

  async cachePrefix(prompt: Prompt): Promise<void> {
    this.asked.push(`cache ${prompt.text}`);
    if (this.cacheError !== null) throw this.cacheError;
  }

  flushCache(): Promise<void> {
    throw new Error('not used');
  }

  serverInfo(): Promise<JsonValue> {
    throw new Error('not used');
  }

  #text(prompt: Prompt): string {
    const answer = this.answer(prompt);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<never>((_, reject) => {
      const stop = () => reject(new RequestAbortedError('cancelled'));
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
    aborted.catch(() => undefined);
    if (this.gate !== null) await Promise.race([this.gate, aborted]);
  }
}

export const serverDied = new ConnectionLostError('The server died.');
