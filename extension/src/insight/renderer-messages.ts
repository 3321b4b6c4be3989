/** What readers press inside outputs: run the cell again, copy, answer a question. */
import {
  env,
  type Disposable,
  type NotebookCell,
  type NotebookDocument,
  type NotebookRendererMessaging,
} from 'vscode';
import { runCells } from '../notebook/run-cells.ts';
import type { UserQuestions } from '../notebook/user-questions.ts';

/** Id of the renderer in the manifest. */
export const RENDERER = 'sglang-renderer';

/** Register it where cells may run. Messages come from our own renderer, whose text came from a file: they are checked. */
export function answerRenderers(
  renderers: Pick<NotebookRendererMessaging, 'onDidReceiveMessage'>,
  questions: UserQuestions,
): Disposable {
  return renderers.onDidReceiveMessage(async ({ editor, message }) => {
    const { type, mime, text, id } = fields(message);
    if (type === 'question' && id !== undefined) questions.drawn(id, editor);
    if (type === 'answer' && id !== undefined) questions.answered(id, text ?? null, editor);
    if (type === 'copy' && text !== undefined) await env.clipboard.writeText(text);
    if (type !== 'retry' || mime === undefined || text === undefined) return;
    const cell = cellThatShows(editor.notebook, mime, text);
    if (!cell) return;
    await runCells(cell.notebook, [{ start: cell.index, end: cell.index + 1 }]);
  });
}

function cellThatShows(
  notebook: NotebookDocument,
  mime: string,
  text: string,
): NotebookCell | undefined {
  const decoder = new TextDecoder();
  return notebook
    .getCells()
    .find((cell) =>
      cell.outputs.some(({ items }) =>
        items.some((item) => item.mime === mime && decoder.decode(item.data) === text),
      ),
    );
}

type Field = 'type' | 'mime' | 'text' | 'id';

function fields(message: unknown): Readonly<Record<Field, string | undefined>> {
  const read = (name: Field): string | undefined => {
    const value: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { type: read('type'), mime: read('mime'), text: read('text'), id: read('id') };
}
