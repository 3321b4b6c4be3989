/** Asks a server behind ssh who it is, by a tunnel that lives as long as the question. No VS Code. */
import { Reaper } from '../../child-processes/reaper.ts';
import { parseSshUrl } from '../../child-processes/ssh-address.ts';
import { SshTunnel } from '../../child-processes/ssh-tunnel.ts';
import { probeServer, type ServerAddress, type ServerProbe } from './server-probe.ts';

/** Any server; never rejects. */
export async function probeAnyServer(
  address: ServerAddress,
  signal: AbortSignal,
): Promise<ServerProbe> {
  const behindSsh = parseSshUrl(address.url);
  if (behindSsh === null) return probeServer(address);
  const reaper = new Reaper();
  const tunnel = new SshTunnel(behindSsh.address, { environment: process.env, reaper });
  try {
    await tunnel.open(signal);
    if (tunnel.port === null) return failed(tunnel);
    const url = `http://127.0.0.1:${tunnel.port}${behindSsh.path}`;
    const probe = await probeServer({ ...address, url });
    if (probe.kind !== 'unreachable' && probe.kind !== 'silent') return probe;
    await tunnel.noticed();
    return tunnel.failure === null ? probe : failed(tunnel);
  } finally {
    tunnel.close();
    reaper.close();
  }
}

function failed({ failure }: SshTunnel): ServerProbe {
  return { kind: 'tunnel', failure: failure ?? { kind: 'silent', words: 'cancelled' } };
}
