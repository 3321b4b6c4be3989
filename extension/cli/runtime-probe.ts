/** Starts the bundled runtime once, asks it a question, and ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export type RuntimeProbe =
  | {
      readonly kind: 'works';
      readonly model: string;
      readonly startMilliseconds: number;
      readonly tokensPerSecond: number;
      /** What it says of libraries and devices. */
      readonly notices: readonly string[];
    }
  | { readonly kind: 'broken'; readonly reason: string };

const TIMEOUT_MILLISECONDS = 60_000;
const TOKENS = 64;

/** Never throws: what goes wrong is the answer. */
export async function probeRuntime(entry: string, interrupt: AbortSignal): Promise<RuntimeProbe> {
  const deadline = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const signal = AbortSignal.any([interrupt, deadline]);
  const started = performance.now();
  const args = [entry, '--port', '0', '--parent-pid', String(process.pid)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close').catch(() => {});
  let log = '';
  const collect = (text: string) => (log = (log + text).slice(-20_000));
  child.stderr.setEncoding('utf8').on('data', collect);
  child.stdout.setEncoding('utf8').on('data', collect);
  try {
    const port = await listeningPort(child.stdout, () => log, ended, signal);
    const startMilliseconds = performance.now() - started;
    const url = `http://127.0.0.1:${port}`;
    const model = await modelName(url, signal);
    const tokensPerSecond = await speed(url, signal);
    return {
      kind: 'works',
      model,
      startMilliseconds,
      tokensPerSecond,
      notices: deviceNotices(log),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const said = /^error: (.*)$/m.exec(log)?.[1];
    const late = `it did not answer within ${TIMEOUT_MILLISECONDS / 1000} s`;
    return { kind: 'broken', reason: said ?? (deadline.aborted ? late : reason) };
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

function deviceNotices(log: string): readonly string[] {
  return [...log.matchAll(/^NOTICE: (.*(?:cannot be used:|runs on|on the GPU).*)$/gm)].map(
    ([, text = '']) => text,
  );
}

async function listeningPort(
  stdout: NodeJS.ReadableStream,
  log: () => string,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<number> {
  let over = false;
  void ended.then(() => (over = true));
  const wake = () => once(stdout, 'data', { signal });
  for (;;) {
    const port = /SGLNB_RUNTIME \{"port":(\d+)/.exec(log())?.[1];
    if (port !== undefined) return Number(port);
    if (over) throw new Error(`it ended:\n${log().slice(-500)}`);
    await Promise.race([wake(), ended]);
  }
}

async function modelName(url: string, signal: AbortSignal): Promise<string> {
  const body: unknown = await (await fetch(`${url}/get_model_info`, { signal })).json();
  const named = typeof body === 'object' && body !== null && 'model_path' in body;
  return named ? String(body.model_path) : 'unknown';
}

/** Tokens per second of one stream, start of the answer included. */
async function speed(url: string, signal: AbortSignal): Promise<number> {
  const request = {
    text: 'Once upon a time',
    sampling_params: { temperature: 0, max_new_tokens: TOKENS, ignore_eos: true },
  };
  const started = performance.now();
  const response = await fetch(`${url}/generate`, {
    method: 'POST',
    body: JSON.stringify(request),
    signal,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`it answered with status ${response.status}: ${text}`);
  const tokens = Number(/"completion_tokens":\s*(\d+)/.exec(text)?.[1] ?? 0);
  if (tokens === 0) throw new Error('it generated nothing');
  return (tokens / (performance.now() - started)) * 1000;
}
