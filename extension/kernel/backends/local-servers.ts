/** What requests to servers of this machine need to know: the kernel's runtimes come and go. */

export interface LocalServerState {
  /** What requests carry as a bearer token in place of what the program says; `null`: nothing. */
  readonly key: string | null;
  readonly serves: boolean;
  /** Why it does not serve, and what happens next; `null` when there is nothing to tell. */
  readonly absence: string | null;
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
