/** Starts the language server as a child of the extension host and speaks LSP with it over stdio. */
import type { LogOutputChannel, NotebookDocument } from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { GenRecord } from '../protocol/kernel-protocol.ts';
import { languageSelector } from './language-selector.ts';
import type { NotebookProblems } from './notebook-problems.ts';

/** The server reads text and never runs it, so it also serves untrusted folders. */
export function createLanguageClient(
  serverModule: string,
  log: LogOutputChannel,
  problems: NotebookProblems,
): LanguageClient {
  const run = { module: serverModule, transport: TransportKind.stdio };
  return new LanguageClient(
    'sglang',
    'SGLang Language Server',
    { run, debug: run },
    {
      documentSelector: languageSelector(['file']),
      outputChannel: log,
      middleware: problems.middleware,
    },
  );
}

/** The server's hovers show what a variable's last generations were. */
export function sendGeneratedValue(
  client: LanguageClient,
  notebook: NotebookDocument,
  record: GenRecord,
  /** Uri of the cell that runs the program. */
  cell: string | undefined,
): void {
  if (record.name === null || record.value === null || !client.isRunning()) return;
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
  void client.sendNotification('sglang/generatedValues', {
    notebook: notebook.uri.toString(),
    values: [value],
  });
}
