/**
 * Whose connection is it? The runtime asks this about requests without its key: programs that cells have
 * started (`curl` in a shell line, `requests` in the user's own Python) may speak to it unchanged, and
 * the system knows which process holds the other end of a connection on this machine.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { processTree } from './process-tree.ts';

/** Both ends are on 127.0.0.1. */
export interface LocalConnection {
  /** Of the side that asked. */
  readonly clientPort: number;
  readonly serverPort: number;
}

/** Milliseconds that the system's tools may take. */
const PATIENCE = 5_000;

/** Whether a descendant of this process, or itself, opened the connection; `false` when it is not known. */
export async function isOwnConnection(connection: LocalConnection): Promise<boolean> {
  try {
    const { platform } = process;
    if (platform === 'linux') return await isOwnOnLinux(connection);
    if (platform === 'win32') {
      const ancestors = await output('powershell', windowsArguments(connection));
      return ancestors.split(/\s+/).includes(String(process.pid));
    }
    const holders = await output('lsof', lsofArguments(connection));
    return ownedAmong(holders, new Set(processTree(process.pid)), connection);
  } catch {
    return false;
  }
}

/* ---------------------------------------------------------------- Linux */

async function isOwnOnLinux(connection: LocalConnection): Promise<boolean> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'latin1').catch(() => '')),
  );
  const inode = socketInode(tables.join('\n'), connection);
  if (inode === null) return false;
  const held = `socket:[${inode}]`;
  const holds = async (pid: number): Promise<boolean> => {
    const folder = `/proc/${pid}/fd`;
    const names = await readdir(folder).catch(() => []);
    const targets = await Promise.all(
      names.map((name) => readlink(`${folder}/${name}`).catch(() => '')),
    );
    return targets.includes(held);
  };
  return (await Promise.all(processTree(process.pid).map(holds))).includes(true);
}

/** Number of the client's socket, from the lines of `/proc/net/tcp` and `tcp6`; `null` when it is not there. */
export function socketInode(
  table: string,
  { clientPort, serverPort }: LocalConnection,
): string | null {
  // 127.0.0.1 as little-endian machines write it, also at the end of an IPv6 address that stands for it.
  const end = (port: number): string =>
    `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const [client, server] = [end(clientPort), end(serverPort)];
  for (const line of table.split('\n')) {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
    // 01: the connection stands.
    if (local?.endsWith(client) && remote?.endsWith(server) && state === '01') return inode ?? null;
  }
  return null;
}

/* ---------------------------------------------------------------- macOS and other systems with lsof */

/** Without privileges it sees the processes of this user only. */
function lsofArguments({ clientPort }: LocalConnection): readonly string[] {
  return ['-nP', `-iTCP:${clientPort}`, '-sTCP:ESTABLISHED', '-Fpn'];
}

/** `p` lines name a process, the `n` lines after it its connections: `n127.0.0.1:50000->127.0.0.1:30000`. */
export function ownedAmong(
  text: string,
  own: ReadonlySet<number>,
  { clientPort, serverPort }: LocalConnection,
): boolean {
  let pid = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1));
    if (line === `n127.0.0.1:${clientPort}->127.0.0.1:${serverPort}` && own.has(pid)) return true;
  }
  return false;
}

/* ---------------------------------------------------------------- Windows */

/** Prints the process that holds the client's end, its parent, and so on. */
function windowsArguments({ clientPort, serverPort }: LocalConnection): readonly string[] {
  const script = [
    '$parents = @{}',
    'Get-CimInstance Win32_Process | ForEach-Object { $parents[[int]$_.ProcessId] = [int]$_.ParentProcessId }',
    `$at = [int](Get-NetTCPConnection -State Established -LocalPort ${clientPort} -RemotePort ${serverPort}).OwningProcess`,
    'for ($step = 0; $step -lt 32 -and $at; $step++) { $at; $at = $parents[$at] }',
  ];
  return ['-NoProfile', '-NonInteractive', '-Command', script.join('; ')];
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    // lsof ends with 1 when it could not see everything.
    execFile(command, [...args], { timeout: PATIENCE, windowsHide: true }, (_error, stdout) =>
      resolve(stdout),
    );
  });
}
