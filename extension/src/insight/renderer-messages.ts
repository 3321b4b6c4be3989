/** What readers press inside outputs: run the cell again, copy. */
import {
  commands,
  env,
  notebooks,
  type Disposable,
  type NotebookCell,
  type NotebookDocument,
} from 'vscode';

/** Id of the renderer in the manifest. */
const RENDERER = 'sglang-renderer';

/** Register it where cells may run. Messages come from our own renderer, whose text came from a file: they are checked. */
export function answerRenderers(): Disposable {
  return notebooks
    .createRendererMessaging(RENDERER)
    .onDidReceiveMessage(async ({ editor, message }) => {
      const { type, mime, text } = fields(message);
      if (text === undefined) return;
      if (type === 'copy') await env.clipboard.writeText(text);
      if (type !== 'retry' || mime === undefined) return;
      const cell = cellThatShows(editor.notebook, mime, text);
      if (!cell) return;
      await commands.executeCommand('notebook.cell.execute', {
        ranges: [{ start: cell.index, end: cell.index + 1 }],
        document: cell.notebook.uri,
      });
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

function fields(message: unknown): Readonly<Record<'type' | 'mime' | 'text', string | undefined>> {
  const read = (name: string): string | undefined => {
    const value: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;
    return typeof value === 'string' ? value : undefined;
  };
  return { type: read('type'), mime: read('mime'), text: read('text') };
}
