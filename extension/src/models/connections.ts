/** Which server the notebooks of a workspace use, with its key; keys are in VS Code's secret storage. */
import {
  ConfigurationTarget,
  workspace,
  type Disposable,
  type ExtensionContext,
  type SecretStorage,
  type Uri,
} from 'vscode';
import type { EndpointOptions } from '../../protocol/kernel-protocol.ts';
import { kernelSettings, verifyCertificates } from '../settings.ts';

const SECRET = 'sglang.endpointKey:';

export interface Connection {
  /** One URL, or several with commas between them. */
  readonly endpoint: string;
  readonly apiKey: string | null;
  readonly verify: boolean;
}

export class Connections implements Disposable {
  readonly #secrets: SecretStorage;
  readonly #keys = new Map<string, string>();
  readonly #subscription: Disposable;

  constructor({ secrets }: Pick<ExtensionContext, 'secrets'>) {
    this.#secrets = secrets;
    // Another window has changed a key.
    this.#subscription = secrets.onDidChange(({ key }) => {
      if (key.startsWith(SECRET)) void this.#load(key.slice(SECRET.length));
    });
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  /** Has the key of the server at hand that this notebook uses. Await it before `options`. */
  async prepare(resource: Uri): Promise<void> {
    const { endpoint } = kernelSettings(resource);
    if (endpoint !== null && !this.#keys.has(endpoint)) await this.#load(endpoint);
  }

  /** How a kernel reaches the endpoint of the settings. */
  options(resource: Uri): EndpointOptions {
    const { endpoint } = kernelSettings(resource);
    const apiKey = endpoint === null ? undefined : this.#keys.get(endpoint);
    return {
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(verifyCertificates(resource) ? {} : { verify: false }),
    };
  }

  async key(endpoint: string): Promise<string | null> {
    await this.#load(endpoint);
    return this.#keys.get(endpoint) ?? null;
  }

  /** Makes it the server of this workspace; of the user where no folder is open. */
  async use({ endpoint, apiKey, verify }: Connection): Promise<void> {
    if (apiKey === null) await this.#secrets.delete(SECRET + endpoint);
    else await this.#secrets.store(SECRET + endpoint, apiKey);
    await this.#load(endpoint);
    await update('kernel.endpoint', endpoint);
    await update('kernel.verifyCertificates', verify ? undefined : false);
  }

  /** Back to the bundled runtime. The key of the server is forgotten. */
  async disconnect(resource: Uri | undefined): Promise<void> {
    const { endpoint } = kernelSettings(resource);
    if (endpoint !== null) {
      this.#keys.delete(endpoint);
      await this.#secrets.delete(SECRET + endpoint);
    }
    await update('kernel.endpoint', undefined);
    await update('kernel.verifyCertificates', undefined);
  }

  async #load(endpoint: string): Promise<void> {
    const key = await this.#secrets.get(SECRET + endpoint);
    if (key === undefined) this.#keys.delete(endpoint);
    else this.#keys.set(endpoint, key);
  }
}

async function update(key: string, value: unknown): Promise<void> {
  const target = workspace.workspaceFolders
    ? ConfigurationTarget.Workspace
    : ConfigurationTarget.Global;
  await workspace.getConfiguration('sglang').update(key, value, target);
}
