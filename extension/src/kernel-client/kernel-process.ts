/**
 * One kernel child process: started with the Node that runs the extension host, spoken to in lines
 * of JSON, and always reported dead exactly once.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import {
  encodeMessage,
  MessageReader,
  type KernelEvent,
  type KernelRequest,
} from '../../protocol/kernel-protocol.ts';

export interface KernelProcessListener {
  event(event: KernelEvent): void;
  /** A line that is no message: something printed where only the protocol may. */
  stray(line: string): void;
  /** The process is gone; `reason` is a sentence for the user. */
  exited(reason: string): void;
}

/** Last lines of stderr kept to explain a death. */
const STDERR_LINES = 20;

export class KernelProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #stderr: string[] = [];
  #exited = false;

  constructor(kernelEntry: string, cwd: string, listener: KernelProcessListener) {
    this.#child = spawn(process.execPath, [kernelEntry], {
      cwd,
      // Electron's executable behaves as Node under this variable; Node ignores it.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const reader = new MessageReader<KernelEvent>(
      (event) => listener.event(event),
      (line) => listener.stray(line),
    );
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => reader.push(text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => this.#keepStderr(text));
    // Writing to a dead child must not take the extension host with it; `exit` tells the story.
    this.#child.stdin.on('error', () => {});
    const exit = (reason: string) => {
      if (this.#exited) return;
      this.#exited = true;
      listener.exited(reason);
    };
    this.#child.on('error', (error) => exit(`The kernel could not start: ${error.message}`));
    this.#child.on('close', (code, signal) => exit(this.#describe(code, signal)));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return !this.#exited;
  }

  send(request: KernelRequest): void {
    if (!this.#exited) this.#child.stdin.write(encodeMessage(request));
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #keepStderr(text: string): void {
    this.#stderr.push(...text.split('\n').filter((line) => line.trim() !== ''));
    this.#stderr.splice(0, Math.max(0, this.#stderr.length - STDERR_LINES));
  }

  #describe(code: number | null, signal: string | null): string {
    if (code === 0) return 'The kernel has shut down.';
    const how = signal ? `was ended by ${signal}` : `exited with code ${code ?? 'unknown'}`;
    const last = this.#stderr.length > 0 ? `\n${this.#stderr.join('\n')}` : '';
    return `The kernel ${how}. Run the cell again to start a new one.${last}`;
  }
}
