import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  isOwnConnection,
  ownedAmong,
  socketInode,
} from '../../../extension/kernel/processes/peer-process.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

/** A server, and the ports from which it is reached, as they come. */
async function listen(): Promise<{ port: number; client: () => Promise<number> }> {
  const ports: number[] = [];
  const waiting: ((port: number) => void)[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    const waiter = waiting.shift();
    if (waiter) waiter(socket.remotePort ?? 0);
    else ports.push(socket.remotePort ?? 0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  const client = (): Promise<number> => {
    const port = ports.shift();
    return port === undefined
      ? new Promise((resolve) => waiting.push(resolve))
      : Promise.resolve(port);
  };
  return { port: (server.address() as AddressInfo).port, client };
}

const CLIENT =
  'require("node:net").connect(Number(process.argv[1]), "127.0.0.1"); setInterval(() => {}, 1000)';

describe.skipIf(process.platform === 'win32')('a connection of this machine', () => {
  it('is own when this process or one that it started opened it', async () => {
    const { port, client } = await listen();
    const socket = connect(port, '127.0.0.1');
    cleanups.push(() => socket.destroy());
    const own = await client();
    expect(await isOwnConnection({ clientPort: own, serverPort: port })).toBe(true);
    // A grandchild, as `curl` in a shell line is.
    const shell = spawn('/bin/sh', ['-c', `"$0" -e '${CLIENT}' ${port}; true`, process.execPath], {
      detached: true,
    });
    cleanups.push(() => process.kill(-(shell.pid ?? 0), 'SIGKILL'));
    const grandchild = await client();
    expect(await isOwnConnection({ clientPort: grandchild, serverPort: port })).toBe(true);
    // The other end is not who asks, and a connection that is not there is nobody's.
    expect(await isOwnConnection({ clientPort: port, serverPort: own })).toBe(true);
    expect(await isOwnConnection({ clientPort: 1, serverPort: port })).toBe(false);
  });

  it('is a stranger’s when a process that is no descendant opened it', async () => {
    const { port, client } = await listen();
    // The shell ends at once: nobody here is the parent of what it left behind.
    const text = execFileSync(
      '/bin/sh',
      ['-c', `"$0" -e '${CLIENT}' ${port} >/dev/null 2>&1 & echo $!`, process.execPath],
      { encoding: 'utf8' },
    );
    cleanups.push(() => process.kill(Number(text), 'SIGKILL'));
    expect(await isOwnConnection({ clientPort: await client(), serverPort: port })).toBe(false);
  });
});

it('finds a socket in the table of Linux', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:7530 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1',
    '   1: 0100007F:C350 0100007F:7530 01 00000000:00000000 00:00000000 00000000  1000        0 222 1',
    '   2: 0100007F:7530 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 333 1',
    '   4: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:7530 01 00000000:00000000 00:00000000 00000000  1000        0 444 1',
    '   3: 0100007F:C351 0100007F:7530 06 00000000:00000000 00:00000000 00000000  1000        0 0 1',
  ].join('\n');
  expect(socketInode(table, { clientPort: 50_000, serverPort: 30_000 })).toBe('222');
  expect(socketInode(table, { clientPort: 50_002, serverPort: 30_000 })).toBe('444');
  expect(socketInode(table, { clientPort: 50_001, serverPort: 30_000 })).toBeNull();
});

it('reads what lsof says, which tells of this user’s processes', async ({ skip }) => {
  const arguments_ = (port: number): string[] => [
    '-nP',
    `-iTCP:${port}`,
    '-sTCP:ESTABLISHED',
    '-Fpn',
  ];
  skip(spawnSync('lsof', ['-v']).error !== undefined, 'lsof is not installed');
  const { port, client } = await listen();
  const child = spawn(process.execPath, ['-e', CLIENT, String(port)]);
  cleanups.push(() => child.kill('SIGKILL'));
  const clientPort = await client();
  const text = spawnSync('lsof', arguments_(clientPort), { encoding: 'utf8' }).stdout;
  const connection = { clientPort, serverPort: port };
  expect(ownedAmong(text, new Set([child.pid ?? 0]), connection)).toBe(true);
  // The server's end of the same connection is in the list too, under another process.
  expect(ownedAmong(text, new Set([process.pid]), connection)).toBe(false);
});
