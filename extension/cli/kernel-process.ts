/**
 * One kernel as a child process, in a process group of its own: the terminal's Ctrl-C reaches only
 * this program, and killing the group takes what the kernel started along.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import {
  encodeMessage,
  MessageReader,
  type KernelEvent,
  type KernelRequest,
} from '../protocol/kernel-protocol.ts';

export interface KernelListener {
  event(event: KernelEvent): void;
  /** A line on the kernel's stdout that is no message. */
  stray(line: string): void;
  /** Called once, when the process is gone. */
  exited(reason: string): void;
}

/** Lines of stderr kept to explain a death. */
const STDERR_LINES = 20;
const GRACE_MILLISECONDS = 5000;
const TERMINATE_MILLISECONDS = 2000;
const windows = process.platform === 'win32';

export class KernelProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exit: Promise<void>;
  readonly #children = new Map<number, number>();
  #stderr: string[] = [];
  #exited = false;

  constructor(entry: string, cwd: string, listener: KernelListener) {
    this.#child = spawn(process.execPath, [entry], {
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: !windows,
      windowsHide: true,
    });
    const reader = new MessageReader<KernelEvent>(
      (event) => {
        this.#watchChildren(event);
        listener.event(event);
      },
      (line) => listener.stray(line),
    );
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => reader.push(text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => this.#keepStderr(text));
    // Writing to a dead kernel is no error of ours; `exited` tells the story.
    this.#child.stdin.on('error', () => {});
    const gone = Promise.withResolvers<void>();
    this.#exit = gone.promise;
    const exit = (reason: string) => {
      if (this.#exited) return;
      this.#exited = true;
      this.#killChildren();
      gone.resolve();
      listener.exited(reason);
    };
    this.#child.on('error', (error) => exit(`it could not be started: ${error.message}`));
    this.#child.on('close', (code, signal) => exit(this.#describe(code, signal)));
    // `close` waits for pipes that grandchildren may hold; the kernel itself is gone at `exit`.
    this.#child.on('exit', (code, signal) => {
      setTimeout(() => exit(this.#describe(code, signal)), 500);
    });
  }

  send(request: KernelRequest): void {
    if (!this.#exited) this.#child.stdin.write(encodeMessage(request));
  }

  /** Asks the kernel to stop everything and end; insists after some seconds. */
  async close(): Promise<void> {
    if (this.#exited) return;
    this.send({ type: 'shutdown' });
    this.#child.stdin.end();
    if (await this.#endsWithin(GRACE_MILLISECONDS)) return;
    this.#signal('SIGTERM');
    if (await this.#endsWithin(TERMINATE_MILLISECONDS)) return;
    this.kill();
    await this.#exit;
  }

  /** Ends the kernel and its children at once. */
  kill(): void {
    this.#signal('SIGKILL');
    this.#killChildren();
  }

  async #endsWithin(milliseconds: number): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), milliseconds);
    const inTime = await Promise.race([this.#exit.then(() => true), late.promise]);
    clearTimeout(timer);
    return inTime;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    if (windows) this.#child.kill(signal);
    else killQuietly(-pid, signal);
  }

  #watchChildren(event: KernelEvent): void {
    if (event.type !== 'process') return;
    const { id, pid, exit } = event.process;
    if (exit === null) this.#children.set(id, pid);
    else this.#children.delete(id);
  }

  /** Runtimes live in groups of their own; one that outlives its kernel would hold its port. */
  #killChildren(): void {
    for (const pid of this.#children.values()) {
      if (!windows) killQuietly(-pid, 'SIGKILL');
      killQuietly(pid, 'SIGKILL');
    }
    this.#children.clear();
  }

  #keepStderr(text: string): void {
    this.#stderr = [
      ...this.#stderr,
      ...text.split('\n').filter((line) => line.trim() !== ''),
    ].slice(-STDERR_LINES);
  }

  #describe(code: number | null, signal: string | null): string {
    const how = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
    return [how, ...this.#stderr].join('\n');
  }
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Already gone, which is what was wanted.
  }
}
