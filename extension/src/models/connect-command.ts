/** `SGLang: Connect to Server…`: address, key, a test, and then every notebook here uses it. */
import { env, l10n, ProgressLocation, window } from 'vscode';
import { isSshUrl } from '../../child-processes/ssh-address.ts';
import { kernelSettings } from '../settings.ts';
import type { Connections } from './connections.ts';
import {
  isLoopbackUrl,
  parseServerUrls,
  type ServerAddress,
  type ServerProbe,
} from './server-probe.ts';
import { probeAnyServer } from './ssh-probe.ts';
import { explainTunnel } from './ssh-words.ts';

export interface ConnectContext {
  readonly connections: Connections;
  /** Offers to restart kernels that run with the old choice. */
  readonly offerRestart: () => Promise<void>;
}

export async function connectToServer(context: ConnectContext): Promise<void> {
  const present = kernelSettings(undefined).endpoint;
  const endpoint = await askAddress(present);
  if (endpoint === undefined) return;
  if (endpoint === '') return disconnect(context, present);
  const known = await context.connections.key(endpoint);
  await attempt(context, { endpoint, apiKey: known, verify: true });
}

async function disconnect({ connections, offerRestart }: ConnectContext, present: string | null) {
  if (present === null) return;
  await connections.disconnect(undefined);
  void window.showInformationMessage(
    l10n.t('Notebooks of this workspace use the bundled runtime again.'),
  );
  await offerRestart();
}

function askAddress(present: string | null): Thenable<string | undefined> {
  return window.showInputBox({
    title: l10n.t('Connect to Server'),
    prompt: l10n.t(
      'Address of an SGLang server, or ssh://HOST/127.0.0.1:30000 for one on a machine that you log in to; several with commas between them share the work. Empty: the bundled runtime.',
    ),
    placeHolder: 'http://127.0.0.1:30000',
    value: present ?? '',
    ignoreFocusOut: true,
    validateInput: (text) =>
      text.trim() === '' || parseServerUrls(text) !== null
        ? null
        : l10n.t(
            'An address is such as http://127.0.0.1:30000, or behind ssh ssh://me@gpu-box/127.0.0.1:30000',
          ),
  });
}

interface Attempt {
  readonly endpoint: string;
  readonly apiKey: string | null;
  readonly verify: boolean;
}

/** Tests and, when a key or the user's word is missing, asks for it and tests again. */
async function attempt(context: ConnectContext, wanted: Attempt): Promise<void> {
  const urls = parseServerUrls(wanted.endpoint) ?? [];
  const probes = await window.withProgress(
    {
      location: ProgressLocation.Notification,
      title: l10n.t('Asking {0}…', wanted.endpoint),
      cancellable: urls.some(isSshUrl),
    },
    async (_progress, token) => {
      const cancelled = new AbortController();
      token.onCancellationRequested(() => cancelled.abort());
      return Promise.all(urls.map((url) => probeAnyServer({ ...wanted, url }, cancelled.signal)));
    },
  );
  const results = urls.map((url, index) => ({ url, probe: probes[index] }));
  const failed = results.find(({ probe }) => probe !== undefined && probe.kind !== 'works');
  if (failed?.probe === undefined) return connected(context, wanted, probes);
  const { url, probe } = failed;
  if (probe.kind === 'unauthorized') return withKey(context, wanted, url, probe.hadKey);
  const text = explainProbe({ ...wanted, url }, probe);
  const again = l10n.t('Try Again');
  const anyway = l10n.t('Use It Anyway');
  const trust = l10n.t('Accept This Certificate');
  const buttons = probe.kind === 'certificate' ? [trust, again] : [again, anyway];
  const answer = await window.showErrorMessage(text, ...buttons);
  if (answer === again) await attempt(context, wanted);
  if (answer === trust) await attempt(context, { ...wanted, verify: false });
  if (answer === anyway) await use(context, wanted);
}

async function withKey(
  context: ConnectContext,
  wanted: Attempt,
  url: string,
  hadKey: boolean,
): Promise<void> {
  const key = await window.showInputBox({
    title: l10n.t('Key for {0}', url),
    prompt: hadKey
      ? l10n.t('The server refused this key. It is kept in the secret storage, never in files.')
      : l10n.t('The server wants a key. It is kept in the secret storage, never in files.'),
    password: true,
    ignoreFocusOut: true,
  });
  if (key !== undefined && key !== '') await attempt(context, { ...wanted, apiKey: key });
}

async function connected(
  context: ConnectContext,
  wanted: Attempt,
  probes: readonly ServerProbe[],
): Promise<void> {
  const models = new Set(probes.flatMap((probe) => (probe.kind === 'works' ? [probe.model] : [])));
  await use(context, wanted);
  void window.showInformationMessage(
    l10n.t(
      'Connected to {0}: {1}. Cells of this workspace use it, whatever server they launch.',
      wanted.endpoint,
      [...models].join(', '),
    ),
  );
}

async function use({ connections, offerRestart }: ConnectContext, wanted: Attempt): Promise<void> {
  await connections.use(wanted);
  await offerRestart();
}

/** A sentence on what happened and one on what to do. */
export function explainProbe({ url }: ServerAddress, probe: ServerProbe): string {
  switch (probe.kind) {
    case 'works':
      return l10n.t('{0} answers: {1}.', url, probe.model);
    case 'unauthorized':
      return l10n.t('{0} refuses the key.', url);
    case 'certificate':
      return l10n.t(
        'The certificate of {0} cannot be verified ({1}). Accept it only if you know this server.',
        url,
        probe.reason,
      );
    case 'unreachable':
      return `${l10n.t('{0} cannot be reached ({1}).', url, probe.reason)} ${reachHint(url)}`;
    case 'silent':
      return l10n.t(
        '{0} accepted the connection but did not answer within {1} seconds; it may be loading its model.',
        url,
        probe.seconds,
      );
    case 'tunnel':
      return explainTunnel(url, probe.failure);
    case 'other':
      return probe.openAi
        ? l10n.t(
            "{0} is an OpenAI-compatible server, not SGLang's. Use it in programs: set_default_backend(OpenAI(model, base_url=…)).",
            url,
          )
        : l10n.t(
            '{0} answers with status {1} and is no SGLang server. Check the address and port.',
            url,
            probe.status,
          );
    default:
      return probe satisfies never;
  }
}

/** Cells run where the extension runs: on the remote machine, if there is one. */
function reachHint(url: string): string {
  if (env.remoteName === undefined) {
    return isLoopbackUrl(url)
      ? l10n.t(
          'Start the server. For one on another machine that you log in to, the address is ssh://HOST/127.0.0.1:30000',
        )
      : l10n.t('Check the address, the VPN and the firewall.');
  }
  return isLoopbackUrl(url)
    ? l10n.t(
        'This window is connected to a remote machine ({0}), and the address means that machine. A server on your own computer needs: ssh -R 30000:127.0.0.1:30000 HOST',
        env.remoteName,
      )
    : l10n.t('The remote machine ({0}) must be able to reach the server.', env.remoteName);
}
