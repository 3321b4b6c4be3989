/** Entry of the extension: builds and registers, nothing else. */
import {
  commands,
  l10n,
  Uri,
  window,
  workspace,
  languages,
  lm,
  notebooks,
  type ExtensionContext,
  type NotebookDocument,
} from 'vscode';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ApiKeys } from './api-keys.ts';
import { CHAT_VENDOR, ChatProvider } from './chat/chat-provider.ts';
import { OwnRuntime } from './chat/own-runtime.ts';
import { ProgramCodeLensProvider } from './code-lens.ts';
import { PromptPreview } from './commands/preview-prompt.ts';
import { ProgramHomes } from './commands/program-homes.ts';
import type { ChildProcessInfo } from '../protocol/kernel-protocol.ts';
import { COMMANDS } from './commands/command-ids.ts';
import { registerCommands } from './commands/register-commands.ts';
import { WorkspaceModels } from './models/workspace-models.ts';
import { registerDebugging } from './debug/debug-cells.ts';
import { CellDiagnostics } from './insight/cell-diagnostics.ts';
import { GenStatusProvider } from './insight/cell-status.ts';
import { answerRenderers, RENDERER } from './insight/renderer-messages.ts';
import { NotebookInsight } from './insight/notebook-insight.ts';
import { onFirstDocument } from './first-document.ts';
import { KernelStatusBar } from './kernel-status.ts';
import { CellIndex } from './cell-index.ts';
import { LanguageServer } from './language-client.ts';
import { NotebookProblems } from './notebook-problems.ts';
import { keepCellIds } from './notebook/cell-identity.ts';
import { followCellLanguage } from './notebook/follow-cell-language.ts';
import { KernelSurvival } from './notebook/kernel-survival.ts';
import type { KernelSession } from './kernel-client/kernel-session.ts';
import { SglangNotebookController } from './notebook/notebook-controller.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook/notebook-type.ts';
import { OwnPython } from './notebook/own-python.ts';
import { PythonStatusBar } from './notebook/python-status.ts';
import { SafeSave } from './notebook/safe-save.ts';
import { SglnbSerializer } from './notebook/sglnb-serializer.ts';
import { TornSaves } from './notebook/torn-saves.ts';
import { UserQuestions } from './notebook/user-questions.ts';
import { RuntimeMonitor } from './runtime-manager/runtime-monitor.ts';
import { RuntimeStatusBar } from './runtime-manager/runtime-status.ts';
import { kernelSettings } from './settings.ts';
import { SettingsWarning } from './settings-warning.ts';
import { registerLanguageTools } from './tools/language-tools.ts';
import { DiagnosticsPage } from './views/diagnostics-page.ts';
import { SessionsView } from './views/sessions-view.ts';
import { VariablesView } from './views/variables-view.ts';

let controller: SglangNotebookController | undefined;

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel('SGLang', { log: true });
  const safeSave = new SafeSave();
  const tornSaves = new TornSaves(join(context.globalStorageUri.fsPath, 'unsaved'), log);
  const serializer = new SglnbSerializer(log, async (data, bytes) => {
    await safeSave.check(data, bytes);
    tornSaves.serialized(data, bytes);
  });
  const page = new DiagnosticsPage(context.asAbsolutePath('dist'), () => controller);
  const models = new WorkspaceModels(context, () => controller);
  const apiKeys = new ApiKeys(context.secrets);
  const settingsWarning = new SettingsWarning(context.extension, (message) => log.warn(message));
  const homes = new ProgramHomes();
  const insight = new NotebookInsight();
  const preview = new PromptPreview({
    memory: context.workspaceState,
    homes,
    controller: () => controller,
  });
  const cells = new CellIndex<NotebookDocument>();
  const problems = new NotebookProblems(cells);
  const server = new LanguageServer({
    module: context.asAbsolutePath('dist/language-server.mjs'),
    log,
    problems,
    cells,
  });
  context.subscriptions.push(
    log,
    safeSave,
    tornSaves,
    workspace.registerNotebookSerializer(NOTEBOOK_TYPE, {
      deserializeNotebook: (content) => {
        controller?.opening();
        return serializer.deserializeNotebook(content);
      },
      serializeNotebook: (data) => serializer.serializeNotebook(data),
    }),
    keepCellIds(),
    followCellLanguage(),
    page,
    preview,
    server,
    problems,
    models,
    apiKeys,
    settingsWarning,
    insight,
    registerLanguageTools({ controller: () => controller, insight, homes }),
    ...registerCommands({
      controller: () => controller,
      log,
      page,
      memory: context.workspaceState,
      homes,
      preview,
      models,
      apiKeys,
      tour: Uri.file(context.asAbsolutePath('extension/examples/sglang-tour.sglnb')),
    }),
  );
  // Chats also activate this extension, to ask for models, in windows without any Python.
  context.subscriptions.push(onFirstDocument(SUPPORTED_LANGUAGES, () => void server.start()));
  // An untrusted folder's notebooks open and show their outputs; nothing that runs exists yet.
  if (workspace.isTrusted) registerExecution();
  else context.subscriptions.push(workspace.onDidGrantWorkspaceTrust(registerExecution));

  function registerExecution(): void {
    const status = new KernelStatusBar();
    const lenses = new ProgramCodeLensProvider();
    const diagnostics = new CellDiagnostics();
    const cellStatus = new GenStatusProvider(insight);
    const survival = new KernelSurvival(
      join(context.globalStorageUri.fsPath, 'kernels'),
      context.workspaceState,
    );
    const renderers = notebooks.createRendererMessaging(RENDERER);
    const questions = new UserQuestions(renderers);
    const runtimesOf = (session: KernelSession) =>
      session.processes.filter(({ kind, url }) => kind === 'runtime' && url !== null);
    // One that is away is not asked how it is.
    const watched = (session: KernelSession) =>
      runtimesOf(session).flatMap(({ pid, url, key, restart, failure }) =>
        url === null || restart || failure ? [] : [{ pid, url, ...(key ? { key } : {}) }],
      );
    const monitor = new RuntimeMonitor({
      runtimes: () => [...(controller?.sessions.values() ?? [])].flatMap(watched),
      changed: () => {
        sessions.refresh();
        runtimeStatus.refresh();
        chat.refresh();
      },
      log: (message) => log.warn(message),
    });
    const health = (pid: number) => monitor.health(pid);
    const chat = new ChatProvider({
      runtimes: () =>
        [...(controller?.sessions.values() ?? [])]
          .flatMap(watched)
          .filter(({ pid }) => health(pid)?.kind === 'ready'),
      own: existsSync(context.asAbsolutePath('dist/engine-thread.mjs'))
        ? new OwnRuntime({
            entry: context.asAbsolutePath('dist/runtime.mjs'),
            environment: () => models.environment(undefined),
            log: (line) => log.info(line),
          })
        : null,
      ownModel: () => kernelSettings(undefined).modelPath ?? 'starter',
    });
    const runtimeStatus = new RuntimeStatusBar({
      active: () => {
        const notebook = window.activeNotebookEditor?.notebook;
        const session = notebook && controller?.session(notebook);
        return session && runtimesOf(session).at(-1);
      },
      health,
    });
    const sessions = new SessionsView({
      sessions: () => controller?.sessions ?? new Map(),
      records: () => survival.records,
      health,
    });
    const running = new SglangNotebookController(
      context.asAbsolutePath('dist/kernel.mjs'),
      log,
      // Kernels get the keys of services beside what the models say.
      {
        prepare: async (notebook) => {
          await Promise.all([apiKeys.prepare(), models.prepare(notebook)]);
        },
        options: (notebook) => models.options(notebook),
        environment: (notebook) => ({
          ...apiKeys.environment(),
          ...models.environment(notebook),
        }),
        choose: (name, notebook, signal) => models.choose(name, notebook, signal),
      },
      survival,
      questions,
      new OwnPython(context.workspaceState),
      {
        status: (notebook, kernelStatus) => {
          status.status(notebook, kernelStatus);
          pythonStatus.refresh();
          if (kernelStatus === 'stopped' || kernelStatus === 'restarted') insight.clear(notebook);
        },
        started: (notebook, cell) => {
          insight.start(notebook, cell);
          diagnostics.clear(cell);
        },
        finished: (_notebook, _cell, outcome) => {
          if (outcome.status === 'error') diagnostics.report(outcome.error);
          void variables.refresh();
        },
        gen: (notebook, record) => {
          insight.add(notebook, record);
          server.sendGeneratedValue(notebook, record, insight.running(notebook));
        },
        runtimeFailed: (notebook, info) => void offerRestart(notebook, info),
        closed: (notebook) => diagnostics.clearNotebook(notebook),
        sessions: () => {
          sessions.refresh();
          monitor.refresh();
          runtimeStatus.refresh();
          chat.refresh();
          void variables.refresh();
        },
      },
    );
    const variables = new VariablesView(running);
    const pythonStatus = new PythonStatusBar((notebook) => running.pythonOf(notebook));
    controller = running;
    const selector = [
      ...SUPPORTED_LANGUAGES.map((language) => ({ language, notebookType: NOTEBOOK_TYPE })),
      { language: 'python', scheme: 'file' },
    ];
    context.subscriptions.push(
      status,
      pythonStatus,
      lenses,
      questions,
      answerRenderers(renderers, questions),
      diagnostics,
      cellStatus,
      sessions,
      monitor,
      runtimeStatus,
      variables,
      chat,
      registerDebugging(running),
      lm.registerLanguageModelChatProvider(CHAT_VENDOR, chat),
      notebooks.registerNotebookCellStatusBarItemProvider(NOTEBOOK_TYPE, cellStatus),
      languages.registerCodeLensProvider(selector, lenses),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('sglang.codeLens')) lenses.refresh();
      }),
    );
  }
}

/** The user decides what becomes of a runtime that ended again and again. */
async function offerRestart(notebook: NotebookDocument, { id }: ChildProcessInfo): Promise<void> {
  const [restart, showLog] = [l10n.t('Restart Runtime'), l10n.t('Show Log')];
  const name = notebook.uri.path.slice(notebook.uri.path.lastIndexOf('/') + 1);
  const chosen = await window.showErrorMessage(
    l10n.t(
      'The SGLang runtime of {0} ended again and again and is not restarted. The log has its last words.',
      name,
    ),
    restart,
    showLog,
  );
  if (chosen === restart) controller?.session(notebook)?.control(id, 'restart');
  if (chosen === showLog) await commands.executeCommand(COMMANDS.showLog);
}

/** Kernels that end with the window get the time to stop their runtimes. */
export async function deactivate(): Promise<void> {
  await controller?.dispose();
}
