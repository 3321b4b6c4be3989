/** Runs Python source against a host bridge: the package `sglang` on the machine's own Python. */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type {
  BridgeMessage,
  BridgeReply,
  HostBridge,
} from '../../../../extension/kernel/guest/guest.ts';

const SUPPORT = fileURLToPath(new URL('.', import.meta.url));
const PACKAGE = fileURLToPath(
  new URL('../../../../extension/kernel/guest/python', import.meta.url),
);

export interface PythonOutcome {
  /** What the source passed to `report(...)`, in order. */
  readonly reports: readonly unknown[];
  readonly error: {
    readonly type: string;
    readonly message: string;
    readonly traceback: string;
  } | null;
  readonly stderr: string;
}

/** `null` when this machine has no Python to test with. */
export function findPython(): string | null {
  return spawnSync('python3', ['--version']).status === 0 ? 'python3' : null;
}

/** `report(value)` in the source hands JSON to the test; `extra` answers calls that are not the bridge's. */
export async function runPython(
  source: string,
  bridge: HostBridge,
  extra: (message: BridgeMessage) => BridgeReply | null = () => null,
  cwd?: string,
): Promise<PythonOutcome> {
  const child = spawn('python3', ['-X', 'utf8', `${SUPPORT}run_program.py`, PACKAGE, SUPPORT], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const reports: unknown[] = [];
  let stderr = '';
  let error: PythonOutcome['error'] = null;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const send = (value: unknown): void => void child.stdin.write(`${JSON.stringify(value)}\n`);
  send(
    `import _sgl_transport as _t\ndef report(v): _t.call({"op": "test_report", "value": v})\n${source}`,
  );
  const answer = async (message: BridgeMessage): Promise<BridgeReply> => {
    if (message.op === 'test_report') reports.push(message['value']);
    else if (message.op === 'test_done')
      error = message['error'] as unknown as PythonOutcome['error'];
    else return extra(message) ?? bridge.call(message, new AbortController().signal);
    return { ok: null };
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const envelope = JSON.parse(line) as {
      post?: BridgeMessage;
      call?: BridgeMessage;
      id?: number;
    };
    if (envelope.post !== undefined) bridge.post(envelope.post);
    else if (envelope.call !== undefined) {
      void answer(envelope.call).then((reply) => send({ id: envelope.id, reply }));
    }
  });
  await new Promise((resolve) => child.on('close', resolve));
  return { reports, error, stderr };
}
