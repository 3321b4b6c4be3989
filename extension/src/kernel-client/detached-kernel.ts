/**
 * A kernel that outlives this window: started in a process group of its own, reached over its socket.
 * Requests wait until the connection stands; the end is reported once, with its reason.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type {
  AttachedRun,
  AttachEvent,
  AttachRequest,
  KernelRecord,
  ListenOptions,
} from '../../protocol/attach-protocol.ts';
import {
  encodeMessage,
  KERNEL_PROTOCOL_VERSION,
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
import {
  forgetKernel,
  isAlive,
  lastWords,
  makeRecordsFolder,
  stderrFile,
} from './kernel-records.ts';

export interface DetachedOptions {
  /** Folder of the records. */
  readonly folder: string;
  /** URI of the notebook. */
  readonly notebook: string;
  /** Milliseconds that the idle kernel stays without a window. */
  readonly keepAlive: number;
  readonly isWindowThere: WindowCheck;
}

/**
 * Settles when the user's window answers. An extension host whose window crashed or was reloaded may live
 * on for minutes; another window takes its kernels.
 */
export type WindowCheck = () => Promise<unknown>;

/** Why a kernel did not take this window as its driver. */
export class AttachError extends Error {
  readonly code: 'KERNEL_IN_USE' | 'KERNEL_UNREACHABLE';

  constructor(code: 'KERNEL_IN_USE' | 'KERNEL_UNREACHABLE', message: string) {
    super(message);
    this.code = code;
  }
}

/** Milliseconds between two looks whether a kernel whose connection ended is gone. */
const GONE_CHECK = 20;
/** Milliseconds after which a kernel that closed its connection but lives counts as taken. */
const GONE_PATIENCE = 3_000;

export class DetachedKernel implements KernelConnection {
  readonly survives = true;
  readonly #folder: string;
  readonly #id: string;
  readonly #listener: KernelConnectionListener;
  readonly #isWindowThere: WindowCheck;
  #pid: number | undefined;
  #child: ChildProcess | null = null;
  #socket: Socket | null = null;
  #waiting: string[] = [];
  #over = false;
  #released = false;

  private constructor(
    folder: string,
    id: string,
    pid: number | undefined,
    isWindowThere: WindowCheck,
    listener: KernelConnectionListener,
  ) {
    this.#folder = folder;
    this.#id = id;
    this.#pid = pid;
    this.#isWindowThere = isWindowThere;
    this.#listener = listener;
  }

  /** A new kernel. Never throws: what fails is reported as its end. */
  static start(
    entry: string,
    cwd: string,
    options: DetachedOptions,
    listener: KernelConnectionListener,
  ): DetachedKernel {
    const { folder, notebook, keepAlive, isWindowThere } = options;
    const kernel = new DetachedKernel(folder, randomUUID(), undefined, isWindowThere, listener);
    const listen: ListenOptions = { id: kernel.#id, folder, notebook, keepAlive };
    try {
      makeRecordsFolder(folder);
      kernel.#launch(entry, cwd, listen);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      setImmediate(() => kernel.#end(`The kernel could not start: ${reason}`));
    }
    return kernel;
  }

  /**
   * Takes a running kernel as this window's. `attached` is called with the runs it tells of before their
   * events arrive. Rejects with `AttachError`.
   */
  static async attach(
    record: KernelRecord,
    options: Omit<DetachedOptions, 'notebook'> & { readonly takeOver: boolean },
    listener: KernelConnectionListener,
    attached: (kernel: DetachedKernel, runs: readonly AttachedRun[], fresh: boolean) => void,
  ): Promise<DetachedKernel> {
    const { folder, isWindowThere } = options;
    const kernel = new DetachedKernel(folder, record.id, record.pid, isWindowThere, listener);
    try {
      await kernel.#connect(record, options, (runs, fresh) => attached(kernel, runs, fresh));
    } catch (error) {
      kernel.#over = true;
      throw error;
    }
    return kernel;
  }

  get id(): string {
    return this.#id;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get alive(): boolean {
    return !this.#over;
  }

  send(request: KernelRequest): void {
    this.#write(encodeMessage(request));
  }

  settled(run: string): void {
    this.#write(encodeMessage({ type: 'settled', run } satisfies AttachRequest));
  }

  kill(): void {
    if (this.#over || this.#pid === undefined) return;
    try {
      process.kill(this.#pid, 'SIGKILL');
    } catch {
      // It is gone already; its connection tells.
    }
  }

  leave(): Promise<void> {
    this.#over = true;
    const socket = this.#socket;
    if (socket === null || socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      socket.end();
    });
  }

  #write(line: string): void {
    if (this.#over) return;
    if (this.#socket === null) this.#waiting.push(line);
    else this.#socket.write(line);
  }

  #launch(entry: string, cwd: string, listen: ListenOptions): void {
    const stderr = openSync(stderrFile(listen.folder, listen.id), 'w', 0o600);
    const child = spawn(process.execPath, [entry, '--listen', JSON.stringify(listen)], {
      cwd,
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'pipe', stderr],
      detached: true,
      windowsHide: true,
    });
    closeSync(stderr);
    this.#child = child;
    this.#pid = child.pid;
    child.unref();
    child.on('error', (error) => this.#end(`The kernel could not start: ${error.message}`));
    child.on('exit', (code, signal) => this.#childExited(this.#describe(code, signal)));
    const reader = new MessageReader<AttachEvent>(
      (message) => {
        if (message.type !== 'listening') return;
        child.stdout?.destroy();
        this.#connect(
          message.record,
          { keepAlive: listen.keepAlive, takeOver: false },
          () => {},
        ).catch((error: Error) => this.#fail(error));
      },
      (line) => this.#listener.stray(line),
    );
    child.stdout?.setEncoding('utf8').on('data', (text: string) => reader.push(text));
  }

  /** What it said last may still be on its way through the socket. */
  #childExited(reason: string): void {
    const socket = this.#socket;
    if (socket === null || socket.closed) return this.#end(reason);
    socket.once('close', () => this.#end(reason));
    setTimeout(() => this.#end(reason), 1000);
    return undefined;
  }

  #fail(error: Error): void {
    this.kill();
    this.#end(`The kernel could not be reached: ${error.message}`);
  }

  #connect(
    record: KernelRecord,
    options: { readonly keepAlive: number; readonly takeOver: boolean },
    attached: (runs: readonly AttachedRun[], fresh: boolean) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(record.address);
      const onMessage = (message: AttachEvent | KernelEvent): void => {
        if (message.type === 'attached') {
          this.#socket = socket;
          attached(message.runs, message.fresh);
          for (const line of this.#waiting.splice(0)) socket.write(line);
          resolve();
        } else if (message.type === 'refused') {
          reject(refusal(message.reason));
        } else if (message.type === 'released') {
          this.#released = true;
        } else if (message.type === 'are_you_there') {
          void this.#answer(socket);
        } else if (message.type !== 'listening' && !this.#over) {
          this.#listener.event(message);
        }
      };
      const reader = new MessageReader<AttachEvent | KernelEvent>(onMessage, (line) =>
        this.#listener.stray(line),
      );
      const attach: AttachRequest = {
        type: 'attach',
        token: record.token,
        protocolVersion: KERNEL_PROTOCOL_VERSION,
        takeOver: options.takeOver,
        keepAlive: options.keepAlive,
      };
      socket.setEncoding('utf8').on('data', (text: string) => reader.push(text));
      socket.on('error', (error) => reject(unreachable(error.message)));
      socket.on('close', () => {
        reject(unreachable('it closed the connection'));
        if (this.#socket === socket) void this.#disconnected();
      });
      socket.write(encodeMessage(attach));
    });
  }

  async #answer(socket: Socket): Promise<void> {
    await this.#isWindowThere();
    if (!socket.destroyed) socket.write(encodeMessage({ type: 'here' }));
  }

  /** The kernel is gone, or another window has it. */
  async #disconnected(): Promise<void> {
    if (this.#over) return;
    if (this.#released) return this.#end('Another window has attached to this kernel.');
    const deadline = performance.now() + GONE_PATIENCE;
    while (this.#pid !== undefined && isAlive(this.#pid) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, GONE_CHECK));
      // A child of this process reports its end itself, with its exit code.
      if (this.#over) return;
    }
    if (this.#child === null) this.#end(this.#describe(null, null));
    else setTimeout(() => this.#end(this.#describe(null, null)), 500);
    return undefined;
  }

  #describe(code: number | null, signal: string | null): string {
    return describeExit(code, signal, lastWords(this.#folder, this.#id, STDERR_LINES));
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket?.destroy();
    // A kernel that another window has taken keeps its record.
    if (!this.#released) forgetKernel(this.#folder, this.#id);
    this.#listener.exited(reason);
  }
}

function refusal(reason: 'token' | 'version' | 'in_use'): AttachError {
  switch (reason) {
    case 'in_use':
      return new AttachError('KERNEL_IN_USE', 'The kernel is in use by another window.');
    case 'version':
      return new AttachError('KERNEL_UNREACHABLE', 'The kernel is of another version.');
    case 'token':
      return new AttachError('KERNEL_UNREACHABLE', 'The kernel does not know this token.');
    default:
      return reason satisfies never;
  }
}

function unreachable(reason: string): AttachError {
  return new AttachError('KERNEL_UNREACHABLE', `The kernel cannot be reached: ${reason}.`);
}
