/** `SGLang: Select Python…`: which Python runs the cells, the bundled one or an environment's. */
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import {
  ConfigurationTarget,
  extensions,
  l10n,
  QuickPickItemKind,
  window,
  workspace,
  type QuickPickItem,
  type Uri,
} from 'vscode';
import {
  findEnvironments,
  isSupported,
  type PythonEnvironment,
} from '../../python-environments/find-environments.ts';
import { kernelSettings } from '../settings.ts';

interface PythonItem extends QuickPickItem {
  /** What the setting becomes; `null`: ask for a file. */
  readonly python?: string | null;
}

/** Asks. What the setting has to be; `undefined` when nothing was chosen. */
export async function choosePython(notebook: Uri | undefined): Promise<string | undefined> {
  const current = kernelSettings(notebook).python ?? '';
  const chosen = await window.showQuickPick(itemsFor(notebook, current), {
    title: l10n.t('Select Python'),
    placeHolder: l10n.t('Which Python runs the cells?'),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return chosen?.python === null ? askForFile() : chosen?.python;
}

export async function setPython(notebook: Uri | undefined, python: string): Promise<void> {
  const target =
    workspace.workspaceFolders === undefined
      ? ConfigurationTarget.Global
      : ConfigurationTarget.Workspace;
  await workspace.getConfiguration('sglang', notebook).update('kernel.python', python, target);
}

async function itemsFor(notebook: Uri | undefined, current: string): Promise<PythonItem[]> {
  const found = findEnvironments({
    platform: process.platform,
    home: homedir(),
    env: process.env,
    folders: [
      ...(notebook?.scheme === 'file' ? [dirname(notebook.fsPath)] : []),
      ...(workspace.workspaceFolders ?? []).flatMap(({ uri }) =>
        uri.scheme === 'file' ? [uri.fsPath] : [],
      ),
    ],
  });
  const mark = (python: string): string => (python === current ? '$(check) ' : '');
  const preferred = await choiceOfPythonExtension(notebook);
  const ours = found.filter(({ version }) => isSupported(version));
  const listed = ours.some(({ executable }) => executable === preferred);
  return [
    {
      label: `${mark('')}${l10n.t('Bundled Python')}`,
      description: l10n.t('runs everywhere, in WebAssembly'),
      python: '',
    },
    { label: l10n.t('On this machine'), kind: QuickPickItemKind.Separator },
    ...(preferred === null || listed ? [] : [itemOf(preferred, preferred, null, mark(preferred))]),
    ...ours.map((environment) => environmentItem(environment, preferred, mark)),
    { label: l10n.t('Other'), kind: QuickPickItemKind.Separator },
    { label: `$(folder-opened) ${l10n.t('Choose an interpreter…')}`, python: null },
  ];
}

function environmentItem(
  { executable, kind, name, version }: PythonEnvironment,
  preferred: string | null,
  mark: (python: string) => string,
): PythonItem {
  const note = executable === preferred ? l10n.t('chosen in the Python extension') : kind;
  return itemOf(executable, name, `${version ?? ''} ${note}`.trim(), mark(executable));
}

function itemOf(
  executable: string,
  name: string,
  description: string | null,
  mark: string,
): PythonItem {
  return {
    label: `${mark}${name}`,
    detail: executable,
    python: executable,
    ...(description === null ? {} : { description }),
  };
}

/** What the user chose in the Python extension, if it is installed. */
async function choiceOfPythonExtension(notebook: Uri | undefined): Promise<string | null> {
  const extension = extensions.getExtension('ms-python.python');
  if (extension === undefined) return null;
  try {
    return activePath(await extension.activate(), notebook);
  } catch {
    return null;
  }
}

/** The same, if that extension runs already: it looks for environments when it starts. */
export function knownChoiceOfPythonExtension(notebook: Uri | undefined): string | null {
  const extension = extensions.getExtension('ms-python.python');
  try {
    return extension?.isActive ? activePath(extension.exports, notebook) : null;
  } catch {
    return null;
  }
}

function activePath(api: unknown, notebook: Uri | undefined): string | null {
  // SAFETY: each step is checked; this is the documented part of that extension's API.
  const environments = (api as { environments?: { getActiveEnvironmentPath?: unknown } } | null)
    ?.environments;
  const ask = environments?.getActiveEnvironmentPath;
  if (typeof ask !== 'function') return null;
  const answer: unknown = ask.call(environments, notebook);
  const path =
    typeof answer === 'object' && answer !== null && 'path' in answer ? answer.path : null;
  return typeof path === 'string' && path !== '' ? path : null;
}

async function askForFile(): Promise<string | undefined> {
  const [file] = (await window.showOpenDialog({ title: l10n.t('Choose an interpreter…') })) ?? [];
  return file?.fsPath;
}
