/**
 * One kernel child process that ends with this window: started with the Node that runs the extension
 * host, spoken to in lines of JSON, and always reported dead exactly once.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import {
  encodeMessage,
  MessageReader,
  type KernelEvent,
  type KernelRequest,
} from '../../protocol/kernel-protocol.ts';
import {
  describeExit,
  STDERR_LINES,
  type KernelConnection,
  type KernelConnectionListener,
} from './kernel-connection.ts';

export class KernelProcess implements KernelConnection {
  readonly survives = false;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #stderr: string[] = [];
  #exited = false;

  constructor(kernelEntry: string, cwd: string, listener: KernelConnectionListener) {
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
    this.#child.on('close', (code, signal) => exit(describeExit(code, signal, this.#stderr)));
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

  settled(): void {}

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async leave(): Promise<void> {
    this.kill();
  }

  #keepStderr(text: string): void {
    this.#stderr.push(...text.split('\n').filter((line) => line.trim() !== ''));
    this.#stderr.splice(0, Math.max(0, this.#stderr.length - STDERR_LINES));
  }
}
