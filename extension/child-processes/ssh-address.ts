/**
 * `ssh://[user@]host[:port]/server:port`: an HTTP server that another machine reaches as `server:port`, by the user's
 * own ssh to that machine. What follows is the path of a request.
 */

export interface SshAddress {
  /** Without the path of a request: how errors name the server. */
  readonly url: string;
  readonly user: string | null;
  /** A name, a name of the user's ssh configuration, or an address. */
  readonly host: string;
  readonly port: number | null;
  /** The server as the other machine sees it, IPv6 in brackets, and its port. */
  readonly server: string;
  readonly serverPort: number;
}

export interface SshRequest {
  readonly address: SshAddress;
  /** From its slash on; may be empty. */
  readonly path: string;
}

// None begins with a minus: ssh would take it for an option.
const USER = String.raw`\w[\w.+-]*`;
const HOST = String.raw`\w[\w.-]*|\[[\da-fA-F:.]+\]`;
const ADDRESS = new RegExp(
  String.raw`^(ssh://(?:(${USER})@)?(${HOST})(?::(\d+))?/(${HOST}):(\d+))([/?].*)?$`,
);
const LARGEST_PORT = 65_535;

export function isSshUrl(url: string): boolean {
  return /^ssh:/i.test(url);
}

/** `null` for anything else. */
export function parseSshUrl(url: string): SshRequest | null {
  const [, whole, user, host, port, server, serverPort, path = ''] = ADDRESS.exec(url) ?? [];
  if (whole === undefined || host === undefined || server === undefined) return null;
  const ports = [Number(port ?? 22), Number(serverPort)];
  if (ports.some((each) => each < 1 || each > LARGEST_PORT)) return null;
  const address = {
    url: whole,
    user: user ?? null,
    host: host.replaceAll(/[[\]]/g, ''),
    port: port === undefined ? null : Number(port),
    server,
    serverPort: Number(serverPort),
  };
  return { address, path };
}
