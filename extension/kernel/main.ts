/** Entry of the kernel process: builds the parts, connects them to their driver, nothing else. */
import { join } from 'node:path';
import { openDriverChannel } from './driver-channel.ts';
import { defaultCacheFolder } from './guest/snapshot.ts';
import { startGuest } from './guest/python-guest.ts';
import { KernelServer } from './kernel-server.ts';
import { KernelProcesses } from './processes/process-service.ts';
import { locateResources } from './resources.ts';

const resources = locateResources(import.meta.dirname);
const cacheFolder = defaultCacheFolder(process.env, process.platform);
const output = await openDriverChannel(process.argv, {
  receive: (request) => server.receive(request),
  left: () => server.driverLeft(),
  lost: (code) => void server.stop(code),
});
let processes: KernelProcesses | null = null;

const server = new KernelServer({
  send: (event) => output.send(event),
  keepsUp: () => output.keepsUp(),
  startGuest: ({ guest, cwd, env, endpoint, endpointOptions = {} }, hooks) =>
    startGuest({
      choice: guest,
      resources,
      cwd,
      environment: environmentWith(env),
      endpoint,
      endpointOptions,
      cacheFolder,
      ...hooks,
    }),
  createProcesses: ({ cwd, env, endpoint, endpointOptions = {}, model }, hooks) => {
    processes = new KernelProcesses({
      cwd,
      environment: environmentWith(env),
      runtime: resources.runtime,
      model,
      endpoint,
      endpointOptions,
      output: hooks.output,
      onProcess: (info) => hooks.send({ type: 'process', process: info }),
      ask: hooks.ask,
      debug: hooks.debug,
      ...(hooks.chooseModel ? { chooseModel: hooks.chooseModel } : {}),
      log: (level, message) => hooks.send({ type: 'log', level, message }),
      recordFolder: join(cacheFolder, 'runtimes'),
    });
    return processes;
  },
  onStopped: (code) => void output.flushed().then(() => process.exit(code)),
  escalation: { wasm: 2_000, cpython: 10_000 },
});

process.on('SIGTERM', () => void server.stop(0));
// Ctrl-C in a terminal reaches the whole group; the driver decides what it means.
process.on('SIGINT', () => {});
process.on('exit', () => {
  processes?.killAllNow();
  output.close();
});

function environmentWith(added: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(own), ...added };
}
