/** One program that a cell started in the background, and what became of it. */
import type { ChildProcess } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import { isAlive, processTree, signalTree } from './process-tree.ts';

export type ProcessExit = NonNullable<ChildProcessInfo['exit']>;

/** Milliseconds a program has to end by itself when it is asked to. */
const GRACE = 3_000;
/** Milliseconds after which processes that not even SIGKILL ended are given up. */
const GIVE_UP = 5_000;
/** What an SGLang server prints when it serves requests. */
const READY_LINE = 'The server is fired up and ready to roll!';
/** Characters of output that are kept to explain a failure. */
const KEPT_OUTPUT = 4_000;

/** A program that runs beside the cells, which know it by its number. */
export interface BackgroundProgram {
  readonly id: number;
  readonly command: string;
  /** Base URL when it is a server. */
  readonly url: string | null;
  readonly exit: ProcessExit | null;
  readonly exited: Promise<ProcessExit>;
  readonly announcedReady: boolean;
  readonly info: ChildProcessInfo;
  /** The last lines it printed, at most `count`. */
  lastLines(count: number): string;
  /** Asks the whole tree to end, then makes it; settles when all of it is gone. */
  kill(): Promise<void>;
  /** For the end of the kernel, where nothing can be awaited. */
  killNow(): void;
}

export class ManagedProcess implements BackgroundProgram {
  readonly pid: number;
  readonly command: string;
  readonly kind: 'shell' | 'runtime';
  readonly url: string | null;
  readonly exited: Promise<ProcessExit>;
  /** Settles when it says that it is ready; never when it does not. */
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #key: string | undefined;
  #exit: ProcessExit | null = null;
  #lastOutput = '';
  #announcedReady = false;
  #announce = (): void => {};

  constructor(
    child: ChildProcess & { readonly pid: number },
    description: Pick<ChildProcessInfo, 'command' | 'kind' | 'url' | 'key'>,
    onOutput: (text: string) => void,
  ) {
    this.#child = child;
    this.pid = child.pid;
    this.command = description.command;
    this.kind = description.kind;
    this.url = description.url;
    this.#key = description.key;
    this.ready = new Promise((resolve) => {
      this.#announce = () => {
        this.#announcedReady = true;
        resolve();
      };
    });
    for (const stream of [child.stdout, child.stderr]) {
      const decoder = new StringDecoder();
      stream?.on('data', (data: Buffer) => {
        const text = decoder.write(data);
        this.#lastOutput = (this.#lastOutput + text).slice(-KEPT_OUTPUT);
        if (this.#lastOutput.includes(READY_LINE)) this.#announce();
        onOutput(text);
      });
    }
    // The bundled runtime says it over its channel too, whatever its log level.
    child.on('message', (message) => {
      if (message === 'ready') this.#announce();
    });
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        // Its last lines may still be in the pipe.
        setTimeout(() => resolve({ code, signal }), 20);
      });
    });
  }

  get id(): number {
    return this.pid;
  }

  get exit(): ProcessExit | null {
    return this.#exit;
  }

  /** It said that it is ready: the line that SGLang's servers print, or the runtime's message. */
  get announcedReady(): boolean {
    return this.#announcedReady;
  }

  get info(): ChildProcessInfo {
    return {
      id: this.id,
      pid: this.pid,
      command: this.command,
      kind: this.kind,
      url: this.url,
      ...(this.#key === undefined ? {} : { key: this.#key }),
      exit: this.#exit,
    };
  }

  lastLines(count: number): string {
    return this.#lastOutput.trimEnd().split('\n').slice(-count).join('\n');
  }

  async kill(): Promise<void> {
    const tree = processTree(this.pid);
    signalTree(tree, 'SIGTERM');
    if (await this.#isGone(tree, GRACE)) return;
    const rest = [...new Set([...tree, ...processTree(this.pid)])];
    signalTree(rest, 'SIGKILL');
    await this.#isGone(rest, GIVE_UP);
  }

  killNow(): void {
    if (this.#exit === null) signalTree(processTree(this.pid), 'SIGKILL');
  }

  async #isGone(pids: readonly number[], patience: number): Promise<boolean> {
    const deadline = performance.now() + patience;
    for (;;) {
      const ended = this.#exit !== null || this.#child.exitCode !== null;
      if (ended && !pids.some((pid) => pid !== this.pid && isAlive(pid))) return true;
      if (performance.now() > deadline) return false;
      await sleep(10);
    }
  }
}
