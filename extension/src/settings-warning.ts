/** Tells the user, once of each, of settings that are not used because their values do not fit. */
import { commands, l10n, window, workspace, type Disposable, type Extension } from 'vscode';
import { field } from './field.ts';
import { findWrongSettings, type SettingSchema, type WrongSetting } from './wrong-settings.ts';

/** Milliseconds from the start to the first look, which VS Code takes long to answer. */
const FIRST_CHECK = 500;

export class SettingsWarning implements Disposable {
  readonly #schemas: Readonly<Record<string, SettingSchema>>;
  readonly #warn: (message: string) => void;
  readonly #subscription: Disposable;
  readonly #first: ReturnType<typeof setTimeout>;
  /** Settings that the user knows of, until they are mended. */
  #told: ReadonlySet<string> = new Set();

  constructor(extension: Extension<unknown>, log: (message: string) => void) {
    this.#schemas = schemasOf(extension.packageJSON);
    this.#warn = log;
    this.#subscription = workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('sglang')) void this.#check();
    });
    // Nobody waits for it, and whoever opened a notebook waits for that.
    this.#first = setTimeout(() => void this.#check(), FIRST_CHECK);
  }

  async #check(): Promise<void> {
    const wrong = this.#wrong();
    const news = [...wrong.values()].filter(({ key }) => !this.#told.has(key));
    this.#told = new Set(wrong.keys());
    if (news.length === 0) return;
    // One message for all: a file of settings is often wrong in several places at once.
    const message = news.map(describe).join(' ');
    this.#warn(message);
    const open = l10n.t('Open Settings');
    if ((await window.showWarningMessage(message, open)) !== open) return;
    await commands.executeCommand('workbench.action.openSettings', news[0]?.key);
  }

  /** By name. Each folder of a workspace may have settings of its own. */
  #wrong(): ReadonlyMap<string, WrongSetting> {
    const scopes = [undefined, ...(workspace.workspaceFolders ?? []).map(({ uri }) => uri)];
    const found = scopes.flatMap((scope) => {
      const configuration = workspace.getConfiguration(undefined, scope);
      return findWrongSettings(this.#schemas, (key) => configuration.get(key));
    });
    return new Map(found.map((setting) => [setting.key, setting]));
  }

  dispose(): void {
    clearTimeout(this.#first);
    this.#subscription.dispose();
  }
}

function describe({ key, value, expected, fallback }: WrongSetting): string {
  switch (expected.kind) {
    case 'type':
      return l10n.t('{0} is {1}, not a {2}; {3} is used.', key, value, expected.type, fallback);
    case 'choice':
      return l10n.t(
        '{0} is {1}, not one of {2}; {3} is used.',
        key,
        value,
        expected.choices.join(', '),
        fallback,
      );
    case 'range':
      return l10n.t(
        '{0} is {1}, not from {2} to {3}; {4} is used.',
        key,
        value,
        expected.minimum,
        expected.maximum,
        fallback,
      );
    default:
      return expected satisfies never;
  }
}

/** Every setting that the manifest declares, by its full name. */
function schemasOf(manifest: unknown): Record<string, SettingSchema> {
  const groups = field(field(manifest, 'contributes'), 'configuration');
  const all = Array.isArray(groups) ? groups : [groups];
  return Object.assign({}, ...all.map((group) => field(group, 'properties') ?? {}));
}
