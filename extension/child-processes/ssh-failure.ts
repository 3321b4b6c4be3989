/** What ssh's last words mean, and what to do. */
import type { SshAddress } from './ssh-address.ts';

export type SshFailureKind =
  /** There is no `ssh` on this machine. */
  | 'missing'
  /** The other machine asked for something that only a person could answer, or refused the keys. */
  | 'login'
  | 'unknown-host'
  | 'changed-host'
  | 'no-such-host'
  | 'unreachable'
  /** A port that ssh's configuration wants to forward is taken on this machine. */
  | 'forward'
  /** The other machine cannot connect to the server behind it. */
  | 'server'
  /** It took too long. */
  | 'silent'
  /** Anything else: the connection was lost, or somebody ended ssh. */
  | 'ended';

export interface SshFailure {
  readonly kind: SshFailureKind;
  /** ssh's own. */
  readonly words: string;
}

/** Whether trying again is of no use until a person has done something. */
export function isFinal({ kind }: SshFailure): boolean {
  return FINAL.has(kind);
}

const FINAL: ReadonlySet<SshFailureKind> = new Set([
  'missing',
  'login',
  'unknown-host',
  'changed-host',
  'forward',
]);

const SIGNS: readonly (readonly [RegExp, SshFailureKind])[] = [
  [/HOST IDENTIFICATION HAS CHANGED/i, 'changed-host'],
  [/host key verification failed|no .* host key is known/i, 'unknown-host'],
  [/permission denied|authentication fail|no more authentication methods/i, 'login'],
  [/could not resolve hostname/i, 'no-such-host'],
  [/cannot listen|could not request local forwarding/i, 'forward'],
  [/connect to host|connection timed out|no route to host|banner exchange/i, 'unreachable'],
];

/** `said`: its lines on stderr. */
export function failureOf(said: readonly string[], ending: string): SshFailure {
  const text = said.join('\n');
  const kind = SIGNS.find(([sign]) => sign.test(text))?.[1] ?? 'ended';
  const relevant = said.filter((line) => !/^@+$|^\s*$|^Warning: Permanently added/.test(line));
  return { kind, words: relevant.slice(-3).join(' ') || ending };
}

/** A sentence on what happened and one on what to do. */
export function sshFailureText(address: SshAddress, { kind, words }: SshFailure): string {
  const { host, server, serverPort } = address;
  const command = loginCommand(address);
  switch (kind) {
    case 'missing':
      return `There is no program "ssh" on this machine (${words}). Install OpenSSH's client.`;
    case 'login':
      return (
        `ssh could not log in to ${host} without asking (${words}). Passwords and passphrases are not asked ` +
        `for here: set up a key, add it to your agent with ssh-add, and try "${command}" in a terminal.`
      );
    case 'unknown-host':
      return (
        `ssh does not know the key of ${host} yet (${words}). Run "${command}" in a terminal once, compare the ` +
        'fingerprint, and accept it.'
      );
    case 'changed-host':
      return (
        `The key of ${host} is another one than ssh knows: somebody may stand in between, or the machine was set ` +
        `up anew. Ask who runs it; "ssh-keygen -R ${host}" forgets the old key.`
      );
    case 'no-such-host':
      return `ssh finds no machine ${host} (${words}). Check the name, the VPN and ~/.ssh/config.`;
    case 'unreachable':
      return `ssh cannot reach ${host} (${words}). Check the address, the port, the VPN and the firewall.`;
    case 'forward':
      return (
        `ssh could not forward a port (${words}). If your ~/.ssh/config forwards ports for ${host}, another ` +
        'session may hold them.'
      );
    case 'server':
      return (
        `${host} cannot connect to ${server}:${serverPort} (${words}). Start the server there, or correct the ` +
        'address behind the slash.'
      );
    case 'silent':
      return `ssh to ${host} took too long (${words}). Does "${command}" work in a terminal?`;
    case 'ended':
      return `The ssh connection to ${host} ended (${words}).`;
    default:
      return kind satisfies never;
  }
}

/** What a person would type. */
export function loginCommand({ user, host, port }: SshAddress): string {
  const where = user === null ? host : `${user}@${host}`;
  return port === null ? `ssh ${where}` : `ssh -p ${port} ${where}`;
}
