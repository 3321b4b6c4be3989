/** What happened to a tunnel, and what to do, in the user's language. */
import { l10n } from 'vscode';
import { parseSshUrl } from '../../child-processes/ssh-address.ts';
import { loginCommand, type SshFailure } from '../../child-processes/ssh-failure.ts';

export function explainTunnel(url: string, { kind, words }: SshFailure): string {
  const address = parseSshUrl(url)?.address;
  const host = address?.host ?? url;
  const command = address === undefined ? 'ssh' : loginCommand(address);
  switch (kind) {
    case 'missing':
      return l10n.t('There is no program "ssh" on this machine. Install OpenSSH\'s client.');
    case 'login':
      return l10n.t(
        'ssh could not log in to {0} without asking ({1}). Set up a key, add it to your agent with ssh-add, and try "{2}" in a terminal.',
        host,
        words,
        command,
      );
    case 'unknown-host':
      return l10n.t(
        'ssh does not know the key of {0} yet. Run "{1}" in a terminal once, compare the fingerprint, and accept it.',
        host,
        command,
      );
    case 'changed-host':
      return l10n.t(
        'The key of {0} is another one than ssh knows: somebody may stand in between, or the machine was set up anew. Ask who runs it; "ssh-keygen -R {0}" forgets the old key.',
        host,
      );
    case 'no-such-host':
      return l10n.t(
        'ssh finds no machine {0} ({1}). Check the name, the VPN and ~/.ssh/config.',
        host,
        words,
      );
    case 'unreachable':
      return l10n.t(
        'ssh cannot reach {0} ({1}). Check the address, the port, the VPN and the firewall.',
        host,
        words,
      );
    case 'forward':
      return l10n.t(
        'ssh could not forward a port ({0}). If your ~/.ssh/config forwards ports for {1}, another session may hold them.',
        words,
        host,
      );
    case 'server':
      return l10n.t(
        '{0} cannot connect to {1} ({2}). Start the server there, or correct the address behind the slash.',
        host,
        address === undefined ? '' : `${address.server}:${address.serverPort}`,
        words,
      );
    case 'silent':
      return l10n.t(
        'ssh to {0} took too long ({1}). Does "{2}" work in a terminal?',
        host,
        words,
        command,
      );
    case 'ended':
      return l10n.t('The ssh connection to {0} ended ({1}).', host, words);
    default:
      return kind satisfies never;
  }
}
