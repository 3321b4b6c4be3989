/** A failed cell's error at the line that failed; gone as soon as the text changes or runs again. */
import {
  Diagnostic,
  DiagnosticSeverity,
  languages,
  Range,
  Uri,
  workspace,
  type Disposable,
  type NotebookDocument,
} from 'vscode';
import type { KernelError } from '../../protocol/kernel-protocol.ts';

export class CellDiagnostics implements Disposable {
  readonly #collection = languages.createDiagnosticCollection('sglang-run');
  readonly #subscription = workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
    if (contentChanges.length > 0) this.#collection.delete(document.uri);
  });

  clear(cell: string): void {
    this.#collection.delete(Uri.parse(cell));
  }

  clearNotebook(notebook: NotebookDocument): void {
    for (const cell of notebook.getCells()) this.#collection.delete(cell.document.uri);
  }

  report({ name, message, cellId, line }: KernelError): void {
    if (cellId === null || line === null) return;
    const document = workspace.textDocuments.find((open) => open.uri.toString() === cellId);
    if (!document || line > document.lineCount) return;
    const { text, firstNonWhitespaceCharacterIndex } = document.lineAt(Math.max(0, line - 1));
    const range = new Range(line - 1, firstNonWhitespaceCharacterIndex, line - 1, text.length);
    const diagnostic = new Diagnostic(range, `${name}: ${message}`, DiagnosticSeverity.Error);
    diagnostic.source = 'SGLang';
    this.#collection.set(document.uri, [diagnostic]);
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#collection.dispose();
  }
}
