/** What requests to servers of this machine, or behind ssh, need to know: runtimes and tunnels come and go. */
import { isSshUrl, parseSshUrl } from '../../child-processes/ssh-address.ts';

export interface LocalServerState {
  /** What requests carry as a bearer token in place of what the program says; `null`: nothing. */
  readonly key: string | null;
  readonly serves: boolean;
  /** Why it does not serve, and what happens next; `null` when there is nothing to tell. */
  readonly absence: string | null;
  /** Base URL at which a server behind ssh is reached; absent while it is not, and for others. */
  readonly address?: string;
}

/**
 * - `now`: as it is
 * - `ended`: once its end has been noticed, which comes a moment after its connections break
 * - `served`: once it serves, or has ended for good
 */
export type StateMoment = 'now' | 'ended' | 'served';

export interface LocalServers {
  /** Of the server at this address; `null` when nobody here knows one. Never rejects. */
  state(url: string, moment: StateMoment, signal: AbortSignal): Promise<LocalServerState | null>;
}

/** Where nobody knows of servers. */
export const NO_SERVERS: LocalServers = { state: () => Promise.resolve(null) };

/** For those who have another server to go to. */
export function withoutWaits(servers: LocalServers): LocalServers {
  return {
    state: (url, moment, signal) =>
      servers.state(url, moment === 'served' ? 'now' : moment, signal),
  };
}

/** Nothing carries requests to a server behind ssh. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  /** As if its port were closed: whoever can wait asks for the state `served`. */
  readonly code = 'ECONNREFUSED';
}

/** Where a request for `url` is sent. @throws TunnelError */
export function sentTo(url: string, state: LocalServerState | null): string {
  if (!isSshUrl(url)) return url;
  const path = parseSshUrl(url)?.path ?? '';
  if (state?.address === undefined)
    throw new TunnelError(state?.absence ?? 'Servers behind ssh are out of reach here.');
  return state.address + path;
}
