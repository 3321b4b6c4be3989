/** Servers and models of this workspace, as kernels and commands need them. */
import { l10n, window, workspace, type Disposable, type ExtensionContext, type Uri } from 'vscode';
import { dirname } from 'node:path';
import { ModelAnswers } from '../../model-manager/model-answers.ts';
import { ModelChoices } from '../../model-manager/model-choices.ts';
import { createModelManager, type ModelManager } from '../../model-manager/model-manager.ts';
import type { EndpointOptions } from '../../protocol/kernel-protocol.ts';
import type { KernelModels, SglangNotebookController } from '../notebook/notebook-controller.ts';
import {
  asksForMissingModels,
  launchedServer,
  modelSettings,
  runtimeWantsKey,
} from '../settings.ts';
import { chooseModel } from './choose-model.ts';
import { Connections } from './connections.ts';
import { WorkbenchModelAsker } from './missing-model.ts';

/** What the tour's first cell launches. */
const TOUR_MODEL = 'Qwen/Qwen2.5-1.5B-Instruct';

export class WorkspaceModels implements KernelModels, Disposable {
  readonly #connections: Connections;
  readonly #controller: () => SglangNotebookController | undefined;
  readonly #runtime: string;

  constructor(
    context: Pick<ExtensionContext, 'secrets' | 'asAbsolutePath'>,
    controller: () => SglangNotebookController | undefined,
  ) {
    this.#connections = new Connections(context);
    this.#controller = controller;
    this.#runtime = context.asAbsolutePath('dist/runtime.mjs');
  }

  dispose(): void {
    this.#connections.dispose();
  }

  prepare(notebook: Uri): Promise<void> {
    return this.#connections.prepare(notebook);
  }

  options(notebook: Uri): EndpointOptions {
    return this.#connections.options(notebook);
  }

  environment(notebook: Uri | undefined): Readonly<Record<string, string>> {
    const { folder } = modelSettings();
    const server = launchedServer(notebook);
    return {
      ...(folder === null ? {} : { SGLNB_MODELS: folder }),
      ...(server === null ? {} : { SGLNB_SERVER: server }),
      ...(runtimeWantsKey(notebook) ? {} : { SGLNB_OPEN_RUNTIME: '1' }),
    };
  }

  choose(name: string, notebook: Uri, signal: AbortSignal): Promise<string | null> {
    const manager = this.#manager();
    const asker = asksForMissingModels(notebook)
      ? new WorkbenchModelAsker(() => this.#manager())
      : null;
    const place = {
      notebook: notebook.fsPath,
      workspace: workspace.getWorkspaceFolder(notebook)?.uri.fsPath ?? dirname(notebook.fsPath),
    };
    const choices = new ModelChoices(manager.store.directory);
    return new ModelAnswers(manager, choices, asker).answer(name, place, signal);
  }

  /** The tour shows what works offline: its first cell asks nothing. */
  async runStarterIn(notebook: Uri): Promise<void> {
    const choices = new ModelChoices(this.#manager().store.directory);
    await choices.remember(notebook.fsPath, TOUR_MODEL, { kind: 'starter' });
  }

  chooseModel(): Promise<void> {
    const manager = () => this.#manager();
    return chooseModel({ manager, offerRestart: () => this.#offerRestart() });
  }

  async connectToServer(): Promise<void> {
    const connections = this.#connections;
    const { connectToServer } = await import('./connect-command.ts');
    return connectToServer({ connections, offerRestart: () => this.#offerRestart() });
  }

  /** The manager for the settings of this moment. */
  #manager(): ModelManager {
    const { mirror, proxy, folder } = modelSettings();
    return createModelManager(
      {
        ...process.env,
        ...(mirror === null ? {} : { SGLNB_MIRROR: mirror }),
        ...(proxy === null ? {} : { SGLNB_PROXY: proxy }),
        ...(folder === null ? {} : { SGLNB_MODELS: folder }),
      },
      process.platform,
      this.#runtime,
    );
  }

  async #offerRestart(): Promise<void> {
    const running = [...(this.#controller()?.sessions ?? [])].filter(
      ([, session]) => session.pid !== undefined,
    );
    if (running.length === 0) return;
    const restart = l10n.t('Restart Kernels');
    const text = l10n.t('Running kernels keep their server and model until they are restarted.');
    if ((await window.showInformationMessage(text, restart)) !== restart) return;
    for (const [notebook] of running) await this.prepare(notebook.uri);
    await Promise.all(running.map(([, session]) => session.restart()));
  }
}
