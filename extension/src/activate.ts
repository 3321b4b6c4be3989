/** Entry of the extension: builds and registers, nothing else. */
import { Uri, window, workspace, languages, type ExtensionContext } from 'vscode';
import { ProgramCodeLensProvider } from './code-lens.ts';
import { registerCommands } from './commands/register-commands.ts';
import { KernelStatusBar } from './kernel-status.ts';
import { createLanguageClient } from './language-client.ts';
import { keepCellIds } from './notebook/cell-identity.ts';
import { SglangNotebookController } from './notebook/notebook-controller.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook/notebook-type.ts';
import { SglnbSerializer } from './notebook/sglnb-serializer.ts';
import { maximumImageSize } from './settings.ts';

let controller: SglangNotebookController | undefined;

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel('SGLang', { log: true });
  const serializer = new SglnbSerializer(
    (warnings) => warnings.forEach((warning) => log.warn(warning)),
    maximumImageSize,
  );
  context.subscriptions.push(
    log,
    workspace.registerNotebookSerializer(NOTEBOOK_TYPE, serializer),
    keepCellIds(),
  );
  const client = createLanguageClient(context.asAbsolutePath('dist/language-server.mjs'), log);
  context.subscriptions.push(client);
  client.start().catch((error: unknown) => log.error(`the language server did not start: ${String(error)}`));
  // An untrusted folder's notebooks open and show their outputs; nothing that runs exists yet.
  if (workspace.isTrusted) registerExecution();
  else context.subscriptions.push(workspace.onDidGrantWorkspaceTrust(registerExecution));

  function registerExecution(): void {
    const status = new KernelStatusBar();
    const lenses = new ProgramCodeLensProvider();
    controller = new SglangNotebookController(context.asAbsolutePath('dist/kernel.mjs'), log, {
      status: (notebook, kernelStatus) => status.status(notebook, kernelStatus),
      gen: (notebook, record) => status.gen(notebook, record),
    });
    const selector = SUPPORTED_LANGUAGES.map((language) => ({
      language,
      notebookType: NOTEBOOK_TYPE,
    }));
    context.subscriptions.push(
      status,
      lenses,
      languages.registerCodeLensProvider(selector, lenses),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('sglang.codeLens')) lenses.refresh();
      }),
      ...registerCommands({
        controller,
        log,
        memory: context.workspaceState,
        tour: Uri.file(context.asAbsolutePath('extension/examples/sglang-tour.sglnb')),
      }),
    );
  }
}

/** Kernels get the time to stop their runtimes. */
export async function deactivate(): Promise<void> {
  await controller?.dispose();
}
