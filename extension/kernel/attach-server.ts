/**
 * The kernel's channel when it outlives its window: a local socket that one driver at a time holds. A
 * driver that comes back is told what it missed; a kernel that nobody drives ends after a while.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type {
  AttachEvent,
  AttachRequest,
  KernelRecord,
  ListenOptions,
} from '../protocol/attach-protocol.ts';
import {
  encodeMessage,
  KERNEL_PROTOCOL_VERSION,
  MessageReader,
  type KernelEvent,
  type KernelRequest,
} from '../protocol/kernel-protocol.ts';
import type { ProtocolOutput } from './protocol-output.ts';
import { RunJournal } from './run-journal.ts';
import { makeSocketFolder, removeStaleFolders, socketIn } from './socket-folders.ts';

/** Milliseconds between two looks whether a kernel without a driver is still wanted. */
const CHECK = 1_000;
/** Milliseconds that a cell may run without a driver. */
const LONGEST_RUN = 24 * 3_600_000;
/** Milliseconds that a connection may take to say who it is. */
const GREETING = 5_000;
/** Milliseconds that a driver has to say that it is there when another asks for the kernel. */
const PRESENT = 5_000;

type Attach = AttachRequest & { readonly type: 'attach' };

export interface AttachServerOptions extends ListenOptions {
  readonly receive: (request: KernelRequest) => void;
  /** A driver is gone, or another one took its place. */
  readonly onLeft: () => void;
  /** Nobody drives this kernel any more. */
  readonly onAbandoned: () => void;
}

export class AttachServer implements ProtocolOutput {
  readonly #options: AttachServerOptions;
  readonly #journal = new RunJournal();
  readonly #token = randomBytes(32).toString('hex');
  readonly #folder: string | null;
  readonly #address: string;
  readonly #server: Server;
  readonly #watch: NodeJS.Timeout;
  readonly #waiting = new Set<() => void>();
  /** Questions of the present driver; answers to an earlier one's go nowhere. */
  readonly #asked = new Set<number>();
  /** Drivers that wait for the present one to say whether it is there. */
  readonly #heirs = new Map<Socket, Attach>();
  #patience: NodeJS.Timeout | null = null;
  readonly #startedAt = Date.now();
  #driver: Socket | null = null;
  #fresh = true;
  #keepAlive: number;
  // Monotonic: a clock that is set, or a machine that sleeps, ends no kernel.
  #lastWanted = performance.now();
  #detachedAt = performance.now();

  constructor(options: AttachServerOptions) {
    this.#options = options;
    // The first driver gets the time to come even when kernels are not to stay.
    this.#keepAlive = Math.max(options.keepAlive, 10_000);
    this.#folder = process.platform === 'win32' ? null : makeSocketFolder();
    this.#address =
      this.#folder === null
        ? `\\\\.\\pipe\\sglnb-${options.id}-${randomBytes(8).toString('hex')}`
        : socketIn(this.#folder);
    this.#server = createServer((socket) => this.#greet(socket));
    this.#watch = setInterval(() => this.#check(), CHECK);
  }

  /** Settles when drivers can connect and find the record. */
  async listen(): Promise<KernelRecord> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#address, resolve);
    });
    if (this.#folder !== null) void removeStaleFolders();
    return this.#writeRecord();
  }

  send(event: KernelEvent): void {
    this.#journal.event(event, this.#driver !== null);
    if (event.type === 'reply' || event.type === 'reply_error') {
      if (!this.#asked.delete(event.id)) return;
    }
    this.#driver?.write(encodeMessage(event));
  }

  keepsUp(): Promise<void> {
    if (!this.#driver?.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.add(resolve));
  }

  flushed(): Promise<void> {
    const driver = this.#driver;
    if (driver === null) return Promise.resolve();
    return new Promise((resolve) => driver.end(() => resolve()));
  }

  /** Leaves no trace; for the exit of the kernel. */
  close(): void {
    clearInterval(this.#watch);
    this.#takeHeirs();
    rmSync(this.#recordFile, { force: true });
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Written beside and renamed, so that nobody reads half of it. */
  #writeRecord(): KernelRecord {
    const record = this.#record();
    writeFileSync(`${this.#recordFile}.new`, textOf(record), { mode: 0o600 });
    renameSync(`${this.#recordFile}.new`, this.#recordFile);
    return record;
  }

  /**
   * Overwrites the file in place, with text of the same length: a record that somebody removed, even just
   * now, stays away. It told this kernel to end.
   */
  #renewRecord(): void {
    try {
      const file = openSync(this.#recordFile, 'r+');
      try {
        writeSync(file, textOf(this.#record()), 0);
      } finally {
        closeSync(file);
      }
    } catch {
      // It was removed, or the disk is full; windows can connect all the same.
    }
  }

  #record(): KernelRecord {
    return {
      id: this.#options.id,
      pid: process.pid,
      address: this.#address,
      token: this.#token,
      notebook: this.#options.notebook,
      protocolVersion: KERNEL_PROTOCOL_VERSION,
      startedAt: this.#startedAt,
      driven: this.#driver !== null,
    };
  }

  get #recordFile(): string {
    return join(this.#options.folder, `${this.#options.id}.json`);
  }

  /* ---------------------------------------------------------------- drivers */

  #greet(socket: Socket): void {
    const late = setTimeout(() => socket.destroy(), GREETING);
    const reader = new MessageReader<KernelRequest | AttachRequest>(
      (message) => {
        if (socket === this.#driver) return this.#receive(message);
        clearTimeout(late);
        return message.type === 'attach' ? this.#attach(socket, message) : socket.destroy();
      },
      () => socket.destroy(),
    );
    socket.setEncoding('utf8').on('data', (text: string) => reader.push(text));
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => this.#goOn());
    socket.on('close', () => {
      clearTimeout(late);
      this.#heirs.delete(socket);
      if (socket === this.#driver) this.#lose();
    });
  }

  #attach(socket: Socket, request: Attach): void {
    const refusal = this.#refusal(request);
    if (refusal !== null) return void socket.end(encodeMessage(refusal));
    if (this.#driver !== null && !request.takeOver) return this.#askDriver(socket, request);
    return this.#handOver(socket, request);
  }

  /** A window that crashed or was reloaded may leave an extension host that holds the kernel for minutes. */
  #askDriver(heir: Socket, request: Attach): void {
    this.#heirs.set(heir, request);
    if (this.#patience !== null) return;
    this.#driver?.write(encodeMessage({ type: 'are_you_there' }));
    this.#patience = setTimeout(() => this.#inherit(), PRESENT);
  }

  #driverIsThere(): void {
    for (const [heir] of this.#takeHeirs()) {
      heir.end(encodeMessage({ type: 'refused', reason: 'in_use' }));
    }
  }

  /** The first that asked gets the kernel. */
  #inherit(): void {
    const [first] = this.#heirs;
    if (first) this.#handOver(...first);
  }

  #takeHeirs(): [Socket, Attach][] {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    const heirs = [...this.#heirs];
    this.#heirs.clear();
    return heirs;
  }

  #handOver(socket: Socket, request: Attach): void {
    const heirs = this.#takeHeirs().filter(([heir]) => heir !== socket);
    const former = this.#driver;
    this.#driver = socket;
    this.#keepAlive = request.keepAlive;
    this.#asked.clear();
    former?.end(encodeMessage({ type: 'released' }));
    if (former !== null) this.#options.onLeft();
    this.#goOn();
    this.#renewRecord();
    const { runs } = this.#journal;
    const attached: AttachEvent = { type: 'attached', fresh: this.#fresh, runs };
    socket.write(encodeMessage(attached));
    for (const event of this.#journal.replay()) socket.write(encodeMessage(event));
    for (const heir of heirs) this.#attach(...heir);
  }

  #refusal({ token, protocolVersion }: Attach): AttachEvent | null {
    if (!isSecret(token, this.#token)) return { type: 'refused', reason: 'token' };
    return protocolVersion === KERNEL_PROTOCOL_VERSION
      ? null
      : { type: 'refused', reason: 'version' };
  }

  #receive(message: KernelRequest | AttachRequest): void {
    if (message.type === 'settled') return this.#journal.settled(message.run);
    if (message.type === 'attach') return;
    if (message.type === 'here') return this.#driverIsThere();
    if (message.type === 'initialize') this.#fresh = false;
    if (message.type === 'query') this.#asked.add(message.id);
    this.#journal.request(message);
    this.#options.receive(message);
  }

  #lose(): void {
    this.#driver = null;
    this.#renewRecord();
    this.#asked.clear();
    this.#detachedAt = performance.now();
    this.#lastWanted = performance.now();
    this.#goOn();
    this.#options.onLeft();
    if (this.#heirs.size > 0) this.#inherit();
    else if (this.#keepAlive === 0) this.#options.onAbandoned();
  }

  #goOn(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #check(): void {
    if (this.#driver !== null) return;
    const now = performance.now();
    if (this.#journal.busy) this.#lastWanted = now;
    const idleFor = now - this.#lastWanted;
    const alone = now - this.#detachedAt;
    // A kernel whose record is gone can be found by nobody.
    if (idleFor > this.#keepAlive || alone > LONGEST_RUN || !existsSync(this.#recordFile))
      this.#options.onAbandoned();
  }
}

/** JSON whose length does not depend on whether the kernel is driven. */
function textOf(record: KernelRecord): string {
  return JSON.stringify(record) + (record.driven ? ' ' : '');
}

/** Compares in a time that tells nothing about `known`. */
function isSecret(said: unknown, known: string): boolean {
  if (typeof said !== 'string') return false;
  const [left, right] = [Buffer.from(said), Buffer.from(known)];
  return left.length === right.length && timingSafeEqual(left, right);
}
