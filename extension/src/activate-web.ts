/**
 * Entry of the extension in a browser, where no process can be started: notebooks are read, written,
 * drawn and checked, and whatever would need a kernel says where there is one.
 */
import {
  commands,
  l10n,
  notebooks,
  Uri,
  version,
  window,
  workspace,
  type ExtensionContext,
  type NotebookController,
  type NotebookDocument,
} from 'vscode';
import { LanguageClient, State } from 'vscode-languageclient/browser';
import { CellIndex, indexCells } from './cell-index.ts';
import { COMMANDS } from './commands/command-ids.ts';
import { exportNotebook, importFiles, importNotebook } from './commands/convert-commands.ts';
import { newNotebook, openTour } from './commands/notebook-commands.ts';
import { replaceFile } from './commands/replace-file.ts';
import { reportIssue } from './commands/report-issue.ts';
import { extensionVersion } from './extension-id.ts';
import { languageSelector } from './language-selector.ts';
import { LanguageStatus } from './language-status.ts';
import { NotebookProblems } from './notebook-problems.ts';
import { keepCellIds } from './notebook/cell-identity.ts';
import { followCellLanguage } from './notebook/follow-cell-language.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook/notebook-type.ts';
import { SglnbSerializer } from './notebook/sglnb-serializer.ts';
import { SettingsWarning } from './settings-warning.ts';

/** Of the host; Node's types do not have it. */
declare const Worker: new (url: string) => ConstructorParameters<typeof LanguageClient>[2];

/** Context key: views of kernels are not shown. */
const WEB = 'sglang.web';

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel('SGLang', { log: true });
  const file = (path: string): Uri => Uri.joinPath(context.extensionUri, path);
  const settingsWarning = new SettingsWarning(context.extension, (message) => log.warn(message));
  const here: Partial<Record<keyof typeof COMMANDS, (...args: never[]) => unknown>> = {
    newNotebook,
    openTour: () => openTour(file('extension/examples/sglang-tour.sglnb')),
    exportNotebook: () => {
      const notebook = window.activeNotebookEditor?.notebook;
      return notebook?.notebookType === NOTEBOOK_TYPE
        ? exportNotebook(notebook, replaceFile)
        : undefined;
    },
    importNotebook: () => importNotebook(replaceFile),
    importFile: (clicked?: Uri, selected?: readonly Uri[]) =>
      importFiles(replaceFile, clicked, selected),
    showLog: () => log.show(),
    reportIssue: () =>
      reportIssue(`SGLang Notebooks ${extensionVersion()}\nVS Code ${version}, in a browser`),
  };
  const folders = workspace.workspaceFolders ?? [];
  const worker = new Worker(file('dist/web/language-server.js').toString(true));
  const cells = new CellIndex<NotebookDocument>();
  const problems = new NotebookProblems(cells);
  const client = new LanguageClient('sglang', 'SGLang Language Server', worker, {
    documentSelector: languageSelector([...new Set(folders.map(({ uri }) => uri.scheme))]),
    outputChannel: log,
    middleware: problems.middleware,
  });
  indexCells(client, cells);
  context.subscriptions.push(
    log,
    workspace.registerNotebookSerializer(NOTEBOOK_TYPE, new SglnbSerializer(log)),
    keepCellIds(),
    followCellLanguage(),
    settingsWarning,
    client,
    problems,
    new LanguageStatus(client, State),
    explainingController(),
    ...Object.entries(COMMANDS).map(([name, id]) =>
      // SAFETY: the names are COMMANDS' keys.
      commands.registerCommand(id, here[name as keyof typeof COMMANDS] ?? sayWhereCellsRun),
    ),
  );
  void commands.executeCommand('setContext', WEB, true);
  client
    .start()
    .catch((error: unknown) => log.error(`the language server did not start: ${String(error)}`));
}

/** So that Run explains itself, where VS Code would look for a kernel to install. */
function explainingController(): NotebookController {
  const controller = notebooks.createNotebookController(
    'sglang-web',
    NOTEBOOK_TYPE,
    l10n.t('SGLang: no kernel in the browser'),
    () => void sayWhereCellsRun(),
  );
  controller.supportedLanguages = [...SUPPORTED_LANGUAGES];
  return controller;
}

async function sayWhereCellsRun(): Promise<void> {
  await window.showInformationMessage(
    l10n.t(
      'A browser cannot run cells. Open this folder in VS Code on your computer, or connected to one: there is a kernel. Here, notebooks can be read, written and checked.',
    ),
  );
}
