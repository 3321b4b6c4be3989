/** The command line as a child process, with its output as text and its end as a promise. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly result: Promise<CliResult>;
  readonly pid: number;
  /** Resolves with all stdout so far as soon as it matches; rejects when the process ends first. */
  waitFor(pattern: RegExp): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  type(line: string): void;
}

const entries = {
  fake: fileURLToPath(new URL('sglnb-with-fake-kernel.ts', import.meta.url)),
  bundle: fileURLToPath(new URL('../../dist/sglnb.mjs', import.meta.url)),
} as const;

export function startCli(
  kernel: keyof typeof entries,
  args: readonly string[],
  cwd: string,
): RunningCli {
  const entry = entries[kernel];
  if (!existsSync(entry)) throw new Error(` is missing: run "npm run build" first`);
  const child = spawn(process.execPath, [entry, ...args], {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let ended = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {});
  const result = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      ended = true;
      resolve({ exitCode, stdout, stderr });
    });
  });
  return {
    result,
    pid: child.pid ?? -1,
    waitFor: async (pattern) => {
      while (!pattern.test(stdout)) {
        if (ended) throw new Error(`ended without ${pattern}:\n${stdout}\n${stderr}`);
        await delay(20);
      }
      return stdout;
    },
    signal: (signal) => void child.kill(signal),
    type: (line) => void child.stdin.write(`${line}\n`),
  };
}

export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A killed process stays visible until it is reaped: give that a moment. */
export async function isGone(pid: number): Promise<boolean> {
  for (let attempt = 0; attempt < 150; attempt += 1) {
    if (!(await isAlive(pid))) return true;
    await delay(20);
  }
  return false;
}
