/**
 * Questions of `input()`: answered inside the cell's output, where our renderer draws them, or in a box
 * when nobody can see that: the notebook is hidden, the cell is far away, the renderer does not start.
 */
import {
  window,
  workspace,
  type Disposable,
  type NotebookCell,
  type NotebookEditor,
  type NotebookRendererMessaging,
} from 'vscode';
import type { AskMessage, InputPayload } from '../../protocol/output-payloads.ts';
import { cellReference } from './cell-identity.ts';
import { openInputBox, type OpenInputBox } from './input-box.ts';

/** Milliseconds that a renderer may take to draw a question before the box opens. */
const DRAWING = 5_000;
/** Milliseconds after the last key press for which somebody counts as typing. */
const TYPING = 1_500;

interface OpenQuestion {
  readonly cell: NotebookCell;
  readonly settle: (answer: string | null) => void;
  /** A renderer has drawn it. */
  readonly drawn: () => void;
}

export class UserQuestions implements Disposable {
  readonly #renderers: Pick<NotebookRendererMessaging, 'postMessage'>;
  readonly #open = new Map<string, OpenQuestion>();
  readonly #subscription: Disposable;
  #typedAt = -Infinity;

  constructor(renderers: Pick<NotebookRendererMessaging, 'postMessage'>) {
    this.#renderers = renderers;
    this.#subscription = workspace.onDidChangeTextDocument(() => {
      this.#typedAt = performance.now();
    });
  }

  /** The typed line; `null` at the end of input, or when `over` says that nobody waits any more. */
  ask(cell: NotebookCell, question: InputPayload, over: AbortSignal): Promise<string | null> {
    if (over.aborted) return Promise.resolve(null);
    const { id, prompt, password } = question;
    return new Promise((resolve) => {
      let box: OpenInputBox | null = null;
      const openBox = async (): Promise<void> => {
        const opened = openInputBox({ cell: cellReference(cell).label, prompt, password });
        box = opened;
        const answer = await opened.answer;
        if (box === opened) settle(answer);
      };
      const closeBox = (): void => {
        const closed = box;
        box = null;
        closed?.close();
      };
      const timer = setTimeout(() => void openBox(), isVisible(cell) ? DRAWING : 0);
      const settle = (answer: string | null): void => {
        this.#open.delete(id);
        clearTimeout(timer);
        over.removeEventListener('abort', stop);
        closeBox();
        resolve(answer);
      };
      const stop = (): void => settle(null);
      over.addEventListener('abort', stop, { once: true });
      const drawn = (): void => {
        clearTimeout(timer);
        // A box that somebody has begun to type in stays.
        if (box?.isEmpty === true) closeBox();
      };
      this.#open.set(id, { cell, settle, drawn });
    });
  }

  /** A renderer has drawn a question; one that nobody waits for stays without a field. */
  drawn(id: string, editor: NotebookEditor): void {
    const question = this.#open.get(id);
    if (!question || question.cell.notebook !== editor.notebook) return;
    // Renderers of hidden notebooks draw, too: the box is where the user is.
    if (!isVisible(question.cell)) return;
    question.drawn();
    const message: AskMessage = { type: 'ask', id, focus: this.#mayFocus(editor) };
    void this.#renderers.postMessage(message, editor);
  }

  /** A message of a renderer: only those that show the question may answer it. */
  answered(id: string, text: string | null, editor: NotebookEditor): void {
    const question = this.#open.get(id);
    if (question?.cell.notebook === editor.notebook) question.settle(text);
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  #mayFocus(editor: NotebookEditor): boolean {
    return window.activeNotebookEditor === editor && performance.now() - this.#typedAt > TYPING;
  }
}

function isVisible({ notebook }: NotebookCell): boolean {
  return window.visibleNotebookEditors.some((editor) => editor.notebook === notebook);
}
