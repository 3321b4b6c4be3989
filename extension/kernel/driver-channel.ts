/**
 * How the kernel speaks with its driver: over stdin and stdout, with which it ends, or, told by
 * `--listen`, over a local socket that drivers leave and come back to.
 */
import type { AttachEvent, ListenOptions } from '../protocol/attach-protocol.ts';
import { encodeMessage, MessageReader, type KernelRequest } from '../protocol/kernel-protocol.ts';
import { AttachServer } from './attach-server.ts';
import { redirectStrayPrints, takeStdout, type ProtocolOutput } from './protocol-output.ts';

export interface DriverChannel extends ProtocolOutput {
  /** For the exit of the kernel: leaves nothing behind. */
  close(): void;
}

export interface DriverHooks {
  readonly receive: (request: KernelRequest) => void;
  /** The driver is gone; another may come. */
  readonly left: () => void;
  /** Nobody drives the kernel any more; `code` is what it should exit with. */
  readonly lost: (code: number) => void;
}

/** Settles when drivers can reach the kernel. */
export async function openDriverChannel(
  argv: readonly string[],
  hooks: DriverHooks,
): Promise<DriverChannel> {
  const index = argv.indexOf('--listen');
  return index === -1 ? overStdio(hooks) : overSocket(argv[index + 1] ?? '', hooks);
}

function overStdio({ receive, lost }: DriverHooks): DriverChannel {
  const output = takeStdout(() => lost(1));
  const reader = new MessageReader<KernelRequest>(receive, (line) =>
    output.send({
      type: 'log',
      level: 'warn',
      message: `not a kernel request: ${line.slice(0, 200)}`,
    }),
  );
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (text: string) => reader.push(text));
  process.stdin.on('end', () => lost(0));
  return { ...output, close: () => {} };
}

async function overSocket(
  json: string,
  { receive, left, lost }: DriverHooks,
): Promise<DriverChannel> {
  // SAFETY: the extension that starts this kernel is built from the same file of types.
  const options = JSON.parse(json) as ListenOptions;
  const server = new AttachServer({
    ...options,
    receive,
    onLeft: left,
    onAbandoned: () => lost(0),
  });
  const listening: AttachEvent = { type: 'listening', record: await server.listen() };
  // Whoever started this kernel reads the one line and may be gone afterwards.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  process.stdout.write(encodeMessage(listening));
  redirectStrayPrints(process.stdout, (message) =>
    server.send({ type: 'log', level: 'debug', message }),
  );
  return server;
}
