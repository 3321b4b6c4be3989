/** The tunnels by which this kernel reaches servers behind ssh: one for each server, opened by the first request. */
import type { Reaper } from '../../child-processes/reaper.ts';
import { parseSshUrl } from '../../child-processes/ssh-address.ts';
import { isFinal, sshFailureText } from '../../child-processes/ssh-failure.ts';
import { SshTunnel, type TunnelPolicy } from '../../child-processes/ssh-tunnel.ts';
import type { LocalServerState, StateMoment } from '../backends/local-servers.ts';

export interface TunnelsOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly reaper: Reaper;
  readonly log: (level: 'info' | 'warn', text: string) => void;
  readonly policy?: TunnelPolicy;
}

const FORM =
  'An address behind ssh is ssh://[USER@]HOST[:PORT]/SERVER:PORT, such as ssh://me@gpu-box/127.0.0.1:30000: the ' +
  'machine that you log in to, and behind the slash the server as that machine sees it.';

export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #tunnels = new Map<string, SshTunnel>();

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  /**
   * Of the server at an `ssh://` address, whatever path follows. A tunnel that nobody has opened is opened; one that
   * was lost is waited for at the moment `served` only.
   */
  async state(url: string, moment: StateMoment, signal: AbortSignal): Promise<LocalServerState> {
    const tunnel = this.#tunnelTo(url);
    if (tunnel === null) return { key: null, serves: false, absence: FORM };
    if (moment === 'ended') await tunnel.noticed();
    else if (moment === 'served' || !tunnel.isRecovering) await tunnel.open(signal);
    const { port } = tunnel;
    const state = { key: null, serves: port !== null, absence: absenceOf(tunnel) };
    return port === null ? state : { ...state, address: `http://127.0.0.1:${port}` };
  }

  /** Why none of these servers will answer until a person has done something; `null` if one may. */
  hopeless(urls: readonly string[]): string | null {
    const reasons = urls.map((url) => {
      const tunnel = this.#tunnelTo(url);
      if (tunnel === null) return FORM;
      const { failure } = tunnel;
      return failure !== null && isFinal(failure) ? sshFailureText(tunnel.address, failure) : null;
    });
    return reasons.every((reason) => reason !== null) ? (reasons[0] ?? null) : null;
  }

  closeAll(): void {
    for (const tunnel of this.#tunnels.values()) tunnel.close();
    this.#tunnels.clear();
  }

  #tunnelTo(url: string): SshTunnel | null {
    const parsed = parseSshUrl(url);
    if (parsed === null) return null;
    const { address } = parsed;
    const known = this.#tunnels.get(address.url);
    if (known !== undefined) return known;
    const { environment, reaper, log, policy } = this.#options;
    const tunnel = new SshTunnel(address, {
      environment,
      reaper,
      log: (level, { port }) =>
        log(
          level,
          port === null ? (absenceOf(tunnel) ?? '') : `${address.url} is connected again.`,
        ),
      ...(policy === undefined ? {} : { policy }),
    });
    this.#tunnels.set(address.url, tunnel);
    return tunnel;
  }
}

function absenceOf(tunnel: SshTunnel): string | null {
  const { address, failure } = tunnel;
  if (failure === null) return null;
  const text = sshFailureText(address, failure);
  return tunnel.isRecovering
    ? `${text} It is being connected again; run the cell once more.`
    : text;
}
