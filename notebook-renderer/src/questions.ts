/** Questions of `input()`: the renderer draws them, the extension says which ones somebody waits for. */
import type { RendererContext } from 'vscode-notebook-renderer';
import type { AskMessage, RendererRequest } from '../../extension/protocol/output-payloads.ts';

export interface Questions {
  /**
   * Says that the question is drawn. `wanted` is called when its answer is, with whether it may take the
   * focus. Returns how to stop listening.
   */
  drawn(id: string, wanted: (focus: boolean) => void): () => void;
  /** `null` ends the input. */
  answer(id: string, text: string | null): void;
}

/** `null` where no extension listens: nothing runs there. */
export function questionsOf(context: RendererContext<unknown>): Questions | null {
  if (!context.postMessage || !context.onDidReceiveMessage) return null;
  const post = (message: RendererRequest): void => context.postMessage?.(message);
  const waiting = new Map<string, (focus: boolean) => void>();
  context.onDidReceiveMessage((message: Partial<AskMessage> | null) => {
    if (message?.type === 'ask' && message.id !== undefined)
      waiting.get(message.id)?.(message.focus === true);
  });
  return {
    drawn(id, wanted) {
      waiting.set(id, wanted);
      post({ type: 'question', id });
      return () => void waiting.delete(id);
    },
    answer: (id, text) => post({ type: 'answer', id, text }),
  };
}
