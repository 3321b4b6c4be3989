/**
 * Keys of model services, in VS Code's secret storage alone: never in settings, notebooks or logs. Kernels
 * get them as environment variables when they start.
 */
import { l10n, window, type Disposable, type SecretStorage } from 'vscode';

interface Service {
  readonly label: string;
  readonly variable: string;
}

const SERVICES: readonly Service[] = [
  { label: 'OpenAI', variable: 'OPENAI_API_KEY' },
  { label: 'Azure OpenAI', variable: 'AZURE_OPENAI_API_KEY' },
  { label: 'Anthropic', variable: 'ANTHROPIC_API_KEY' },
  { label: 'Gemini', variable: 'GEMINI_API_KEY' },
  { label: 'LiteLLM', variable: 'LITELLM_API_KEY' },
  { label: 'Hugging Face', variable: 'HF_TOKEN' },
];

const SECRET = 'sglang.apiKey:';

export class ApiKeys implements Disposable {
  readonly #secrets: SecretStorage;
  readonly #keys = new Map<string, string>();
  readonly #subscription: Disposable;
  #loaded: Promise<void> | null = null;

  constructor(secrets: SecretStorage) {
    this.#secrets = secrets;
    this.#subscription = secrets.onDidChange(({ key }) => {
      if (key.startsWith(SECRET)) this.#loaded = null;
    });
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  /** Has the keys at hand. Await it before `environment`. */
  prepare(): Promise<void> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  /** Variable → key, for the kernels that start from now on. */
  environment(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#keys);
  }

  async set(): Promise<void> {
    const service = await this.#pick(SERVICES, l10n.t('Key of which service?'));
    if (!service) return;
    const key = await window.showInputBox({
      title: l10n.t('API key of {0}', service.label),
      prompt: l10n.t(
        'Programs see it as {0}. It is kept in the secret storage, never in files.',
        service.variable,
      ),
      password: true,
      ignoreFocusOut: true,
      validateInput: (text) => (text.trim() === '' ? l10n.t('The key is empty.') : null),
    });
    if (key === undefined) return;
    await this.#secrets.store(SECRET + service.variable, key.trim());
    this.#loaded = null;
    await this.prepare();
    await window.showInformationMessage(
      l10n.t('The key of {0} is stored. Kernels that start from now on have it.', service.label),
    );
  }

  async delete(): Promise<void> {
    await this.prepare();
    const stored = SERVICES.filter(({ variable }) => this.#keys.has(variable));
    if (stored.length === 0) {
      await window.showInformationMessage(l10n.t('No API key is stored.'));
      return;
    }
    const service = await this.#pick(stored, l10n.t('Delete the key of which service?'));
    if (!service) return;
    await this.#secrets.delete(SECRET + service.variable);
    this.#loaded = null;
    await this.prepare();
  }

  async #pick(services: readonly Service[], title: string): Promise<Service | undefined> {
    const items = services.map((service) => ({ ...service, description: service.variable }));
    return window.showQuickPick(items, { title });
  }

  async #load(): Promise<void> {
    const found = await Promise.all(
      SERVICES.map(
        async ({ variable }) => [variable, await this.#secrets.get(SECRET + variable)] as const,
      ),
    );
    this.#keys.clear();
    for (const [variable, key] of found) if (key !== undefined) this.#keys.set(variable, key);
  }
}
