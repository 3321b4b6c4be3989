/** `SGLang: Choose Model…`: what is here, what fits, what can be fetched; the choice is a setting. */
import {
  ConfigurationTarget,
  l10n,
  QuickPickItemKind,
  ThemeIcon,
  window,
  workspace,
  type QuickInputButton,
  type QuickPickItem,
} from 'vscode';
import { byteText } from '../../model-manager/byte-text.ts';
import { ModelManagerError } from '../../model-manager/model-error.ts';
import { importableFile, type ModelManager } from '../../model-manager/model-manager.ts';
import type { InstalledModel } from '../../model-manager/model-store.ts';
import { kernelSettings } from '../settings.ts';
import { fitWords } from './fit-words.ts';
import { pickGgufFile } from './missing-model.ts';
import { downloadModel, linkModel } from './model-download.ts';
import {
  catalogueRows,
  importRows,
  installedRows,
  settingFor,
  type ModelRow,
  type ModelRowAction,
} from './model-rows.ts';

export interface ChooseContext {
  readonly manager: () => ModelManager;
  /** Offers to restart kernels that run with the old choice. */
  readonly offerRestart: () => Promise<void>;
}

/** What the runtime calls its bundled model. */
const STARTER = 'starter';

interface ModelItem extends QuickPickItem {
  readonly action?: ModelRowAction;
}

interface Buttons {
  readonly verify: QuickInputButton;
  readonly remove: QuickInputButton;
}

export async function chooseModel(context: ChooseContext): Promise<void> {
  try {
    const action = await pick(context.manager());
    if (action !== null) await apply(context, action);
  } catch (error) {
    if (!(error instanceof ModelManagerError)) throw error;
    if (error.code !== 'CANCELLED') void window.showErrorMessage(error.message);
  }
}

async function pick(manager: ModelManager): Promise<ModelRowAction | null> {
  const buttons: Buttons = {
    verify: { iconPath: new ThemeIcon('verified'), tooltip: l10n.t('Verify size and SHA-256') },
    remove: { iconPath: new ThemeIcon('trash'), tooltip: l10n.t('Delete from this machine') },
  };
  const box = window.createQuickPick<ModelItem>();
  box.title = l10n.t('Choose the model of the bundled runtime');
  box.placeholder = l10n.t('A name, or org/name of a Hugging Face repository with GGUF files');
  box.matchOnDescription = true;
  box.busy = true;
  box.show();
  const fill = async (): Promise<void> => {
    box.items = await items(manager, buttons);
    box.busy = false;
  };
  /** A driver may take its time: the list does not wait for it. */
  const countGpus = async (): Promise<void> => {
    if (!(await manager.findGpus())) return;
    const active = box.activeItems[0]?.label;
    await fill();
    box.activeItems = box.items.filter(({ label }) => label === active);
  };
  const chosen = new Promise<ModelRowAction | null>((resolve) => {
    box.onDidAccept(() => resolve(box.selectedItems[0]?.action ?? typed(box.value)));
    box.onDidHide(() => resolve(null));
    box.onDidTriggerItemButton(({ item, button }) => {
      if (item.action?.kind !== 'installed') return;
      const { model } = item.action;
      if (button === buttons.verify) void verify(manager, model);
      else void remove(manager, model).then(fill);
    });
  });
  await fill();
  void countGpus();
  try {
    return await chosen;
  } finally {
    box.dispose();
  }
}

/** A text that matches no row may be a model's name. */
function typed(text: string): ModelRowAction | null {
  return text.includes('/') ? { kind: 'typed', name: text } : null;
}

async function items(manager: ModelManager, buttons: Buttons): Promise<ModelItem[]> {
  const words = fitWords();
  const installed = await manager.store.list();
  const current = kernelSettings(undefined).modelPath;
  const own = Object.values(buttons);
  return [
    item(
      {
        label: l10n.t('$(symbol-method) The model that the program names'),
        description: current === null ? l10n.t('(now)') : '',
        detail: l10n.t('Asks when it is not on this machine.'),
        action: { kind: 'program' },
      },
      [],
    ),
    item(
      {
        label: l10n.t('$(zap) The bundled starter model'),
        description: current === STARTER ? l10n.t('(now)') : '',
        detail: l10n.t('Tiny and offline; knows little beyond the tutorial.'),
        action: { kind: 'starter' },
      },
      [],
    ),
    separator(l10n.t('on this machine')),
    ...installedRows(installed, manager, words).map((row) => item(row, own)),
    separator(l10n.t('well-known models (sizes are approximate)')),
    ...catalogueRows(installed, manager, words).map((row) => item(row, [])),
    separator(l10n.t('of other programs, linked without a copy')),
    ...importRows(await manager.importable()).map((row) => item(row, [])),
    separator(l10n.t('others')),
    { label: l10n.t('$(file) A GGUF file…'), action: { kind: 'browse' } },
    { label: l10n.t('$(repo) A Hugging Face repository or file…'), action: { kind: 'name' } },
    { label: l10n.t('$(search) Search Hugging Face…'), action: { kind: 'search' } },
  ];
}

function separator(label: string): ModelItem {
  return { label, kind: QuickPickItemKind.Separator };
}

function item({ label, description, detail, action }: ModelRow, buttons: QuickInputButton[]) {
  return { label, description, detail, action, buttons };
}

async function apply(context: ChooseContext, action: ModelRowAction): Promise<void> {
  const manager = context.manager();
  switch (action.kind) {
    case 'program':
      return set(context, undefined, l10n.t('the model that the program names'));
    case 'starter':
      return set(context, STARTER, l10n.t('the bundled starter model'));
    case 'installed':
      return use(context, action.model);
    case 'catalogue':
      return fetchAndUse(context, action.entry.names[0]);
    case 'import': {
      const model = await linkModel(manager, action.model);
      return model === null ? undefined : use(context, model);
    }
    case 'browse': {
      const path = await pickGgufFile();
      if (path === null) return;
      await importableFile(path);
      return set(context, path, path);
    }
    case 'name': {
      const name = await window.showInputBox({
        title: l10n.t('A Hugging Face repository or file'),
        prompt: l10n.t('org/name, org/name:Q8_0, org/name/file.gguf, or the address of its page'),
      });
      return name ? fetchAndUse(context, name) : undefined;
    }
    case 'typed':
      return fetchAndUse(context, action.name);
    case 'search':
      return search(context);
    default:
      return action satisfies never;
  }
}

async function search(context: ChooseContext): Promise<void> {
  const words = await window.showInputBox({ title: l10n.t('Search Hugging Face') });
  if (!words) return;
  const found = await context.manager().search(words);
  const chosen = await window.showQuickPick(
    found.map(({ repository, downloads }) => ({
      label: repository,
      description: downloads === null ? '' : l10n.t('{0} downloads', downloads),
    })),
    { title: l10n.t('Repositories with GGUF files: {0}', words) },
  );
  if (chosen) await fetchAndUse(context, chosen.label);
}

async function fetchAndUse(context: ChooseContext, name: string): Promise<void> {
  const model = await downloadModel(context.manager(), name);
  if (model !== null) await use(context, model);
}

async function use(context: ChooseContext, model: InstalledModel): Promise<void> {
  const all = await context.manager().store.list();
  await set(context, settingFor(model, all), model.record?.names[0] ?? model.id);
}

async function set(
  { offerRestart }: ChooseContext,
  value: string | undefined,
  shown: string,
): Promise<void> {
  const target = workspace.workspaceFolders
    ? ConfigurationTarget.Workspace
    : ConfigurationTarget.Global;
  await workspace.getConfiguration('sglang').update('runtime.modelPath', value, target);
  void window.showInformationMessage(l10n.t('Servers that cells launch here run {0}.', shown));
  await offerRestart();
}

async function verify(manager: ModelManager, model: InstalledModel): Promise<void> {
  const { ok, text } = await manager.store.verify(model);
  if (ok) void window.showInformationMessage(l10n.t('{0}: {1}', model.id, text));
  else void window.showErrorMessage(l10n.t('{0}: {1}', model.id, text));
}

async function remove(manager: ModelManager, model: InstalledModel): Promise<void> {
  const yes = l10n.t('Delete');
  const question = l10n.t('Delete {0} ({1}) from this machine?', model.id, byteText(model.size));
  const answer = await window.showWarningMessage(question, { modal: true }, yes);
  if (answer === yes) await manager.store.remove(model);
}
