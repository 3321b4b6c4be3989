/** Entry of the kernel process: builds the parts, connects them to stdin and stdout, nothing else. */
import { MessageReader, type KernelRequest } from '../protocol/kernel-protocol.ts';
import { defaultCacheFolder } from './guest/snapshot.ts';
import { startGuest } from './guest/python-guest.ts';
import { KernelServer } from './kernel-server.ts';
import { KernelProcesses } from './processes/process-service.ts';
import { takeStdout } from './protocol-output.ts';
import { locateResources } from './resources.ts';

const resources = locateResources(import.meta.dirname);
const cacheFolder = defaultCacheFolder(process.env, process.platform);
const output = takeStdout(() => void server.stop(1));
let processes: KernelProcesses | null = null;

const server = new KernelServer({
  send: (event) => output.send(event),
  keepsUp: () => output.keepsUp(),
  startGuest: ({ guest, cwd, env, endpoint }, hooks) =>
    startGuest({
      choice: guest,
      resources,
      cwd,
      environment: environmentWith(env),
      endpoint,
      cacheFolder,
      ...hooks,
    }),
  createProcesses: ({ cwd, env, endpoint, model }, hooks) => {
    processes = new KernelProcesses({
      cwd,
      environment: environmentWith(env),
      runtime: resources.runtime,
      model,
      endpoint,
      output: hooks.output,
      onProcess: (info) => hooks.send({ type: 'process', process: info }),
      ask: hooks.ask,
    });
    return processes;
  },
  onStopped: (code) => void output.flushed().then(() => process.exit(code)),
  escalation: { wasm: 2_000, cpython: 10_000 },
});

const reader = new MessageReader<KernelRequest>(
  (request) => server.receive(request),
  (line) =>
    output.send({
      type: 'log',
      level: 'warn',
      message: `not a kernel request: ${line.slice(0, 200)}`,
    }),
);
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => reader.push(text));
process.stdin.on('end', () => void server.stop(0));
process.on('SIGTERM', () => void server.stop(0));
// Ctrl-C in a terminal reaches the whole group; the driver decides what it means.
process.on('SIGINT', () => {});
process.on('exit', () => processes?.killAllNow());

function environmentWith(added: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(own), ...added };
}
