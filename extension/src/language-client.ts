/** Starts the language server as a child of the extension host and speaks LSP with it over stdio. */
import type { Disposable, LogOutputChannel, NotebookDocument } from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import type { GenRecord } from '../protocol/kernel-protocol.ts';
import { indexCells, type CellIndex } from './cell-index.ts';
import { languageSelector } from './language-selector.ts';
import { LanguageStatus } from './language-status.ts';
import type { NotebookProblems } from './notebook-problems.ts';

export interface LanguageServerOptions {
  /** The server's entry file. It reads text and never runs it, so it also serves untrusted folders. */
  readonly module: string;
  readonly log: LogOutputChannel;
  readonly problems: NotebookProblems;
  readonly cells: CellIndex<NotebookDocument>;
}

export class LanguageServer implements Disposable {
  readonly #options: LanguageServerOptions;
  #client: LanguageClient | undefined;
  #status: LanguageStatus | undefined;
  #disposed = false;

  constructor(options: LanguageServerOptions) {
    this.#options = options;
  }

  /** Never rejects: why the server did not start is in the log. */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      this.#options.log.error(`the language server did not start: ${String(error)}`);
    }
  }

  async #start(): Promise<void> {
    const { module, log, problems, cells } = this.#options;
    // The library is most of what the extension would load; a window that opens waits for none of it.
    const library = await import('vscode-languageclient/node');
    if (this.#disposed) return;
    const run = { module, transport: library.TransportKind.stdio };
    const client = new library.LanguageClient(
      'sglang',
      'SGLang Language Server',
      { run, debug: run },
      {
        documentSelector: languageSelector(['file']),
        outputChannel: log,
        middleware: problems.middleware,
      },
    );
    indexCells(client, cells);
    this.#client = client;
    this.#status = new LanguageStatus(client, library.State);
    await client.start();
  }

  /** The server's hovers show what a variable's last generations were. */
  sendGeneratedValue(
    notebook: NotebookDocument,
    record: GenRecord,
    /** Uri of the cell that runs the program. */
    cell: string | undefined,
  ): void {
    if (record.name === null || record.value === null || !this.#client?.isRunning()) return;
    const value = {
      program: record.program,
      name: record.name,
      value: record.value,
      probability: record.probability,
      tokens: record.completionTokens,
      milliseconds: record.milliseconds,
      // VS Code opens a link to a cell in its notebook.
      output: cell ?? null,
    };
    void this.#client.sendNotification('sglang/generatedValues', {
      notebook: notebook.uri.toString(),
      values: [value],
    });
  }

  dispose(): Promise<void> {
    this.#disposed = true;
    this.#status?.dispose();
    return this.#client?.dispose() ?? Promise.resolve();
  }
}
