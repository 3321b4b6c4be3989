/** Runs a shell line of a cell: a real shell, output as it comes, interruptible with all it started. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { StringDecoder } from 'node:string_decoder';
import { processTree, signalTree } from './process-tree.ts';

export interface ShellRequest {
  readonly command: string;
  /** `bash`, `sh`, or `null` for the one that shell lines use. */
  readonly interpreter: string | null;
  readonly capture: boolean;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly onOutput: (name: 'stdout' | 'stderr', text: string) => void;
  /** Its process group begins and ends. */
  readonly onGroup: (pid: number, lives: boolean) => void;
}

export interface ShellAnswer {
  /** Exit code; minus the signal's number when a signal ended it, as Python counts. */
  readonly code: number;
  /** What it printed on stdout, if captured. */
  readonly stdout: string;
}

/** The shell could not be started. */
export class ShellError extends Error {
  readonly code = 'SHELL';

  constructor(message: string) {
    super(message);
    this.name = 'ShellError';
  }
}

/** Milliseconds between SIGINT and SIGKILL when a shell line is interrupted. */
const INTERRUPT_GRACE = 1_000;
/** Milliseconds to wait for output after the shell ended while a background job holds the pipe. */
const LAST_OUTPUT = 200;

export function runShell(request: ShellRequest, signal: AbortSignal): Promise<ShellAnswer> {
  const [program, args] = shellInvocation(request.interpreter, request.command);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: request.cwd,
      env: { ...request.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const { pid } = child;
    child.once('error', (error) =>
      reject(new ShellError(`${program} could not be started: ${error.message}`)),
    );
    if (pid === undefined) return;
    request.onGroup(pid, true);
    const captured: string[] = [];
    child.stdout.on(
      'data',
      decoded((text) => (request.capture ? captured.push(text) : request.onOutput('stdout', text))),
    );
    child.stderr.on(
      'data',
      decoded((text) => request.onOutput('stderr', text)),
    );
    const stopInterrupting = interruptOn(signal, pid);
    child.once('exit', (code, exitSignal) => {
      stopInterrupting();
      request.onGroup(pid, false);
      const answer = (): void =>
        resolve({ code: exitStatus(code, exitSignal), stdout: captured.join('') });
      const patience = setTimeout(answer, LAST_OUTPUT);
      child.once('close', () => {
        clearTimeout(patience);
        answer();
      });
    });
  });
}

function shellInvocation(
  interpreter: string | null,
  command: string,
): readonly [string, readonly string[]] {
  if (interpreter !== null) return [interpreter, ['-c', command]];
  if (process.platform === 'win32')
    return [process.env['ComSpec'] ?? 'cmd.exe', ['/d', '/s', '/c', command]];
  return [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh', ['-c', command]];
}

function decoded(take: (text: string) => void): (data: Buffer) => void {
  const decoder = new StringDecoder();
  return (data) => take(decoder.write(data));
}

/** Returns what stops listening. */
function interruptOn(signal: AbortSignal, pid: number): () => void {
  let tree: readonly number[] = [];
  let patience: NodeJS.Timeout | null = null;
  const kill = (): void => signalTree([...new Set([pid, ...tree, ...processTree(pid)])], 'SIGKILL');
  const interrupt = (): void => {
    tree = processTree(pid);
    signalTree(tree, 'SIGINT');
    patience = setTimeout(kill, INTERRUPT_GRACE);
  };
  if (signal.aborted) interrupt();
  else signal.addEventListener('abort', interrupt, { once: true });
  return () => {
    signal.removeEventListener('abort', interrupt);
    if (patience === null) return;
    clearTimeout(patience);
    kill(); // background jobs of a shell ignore SIGINT
  };
}

function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return signal === null ? 1 : -constants.signals[signal];
}
