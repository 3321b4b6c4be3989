import { readSync } from 'node:fs';

const CHUNK = 1 << 20;

/** Thrown when a read would go past the end of the file. */
export class EndOfFile extends Error {
  constructor() {
    super('end of file');
    this.name = 'EndOfFile';
  }
}

/** Little-endian reads from an open file, in chunks; never beyond its size. */
export class FileCursor {
  readonly size: number;
  readonly #file: number;
  #buffer = Buffer.alloc(0);
  /** File offset of the buffer's first byte. */
  #start = 0;
  #position = 0;

  constructor(file: number, size: number) {
    this.#file = file;
    this.size = size;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.size - this.#position;
  }

  skip(count: number): void {
    if (!(count >= 0 && count <= this.remaining)) throw new EndOfFile();
    this.#position += count;
  }

  uint8(): number {
    return this.#take(1, (buffer, at) => buffer.readUInt8(at));
  }

  uint32(): number {
    return this.#take(4, (buffer, at) => buffer.readUInt32LE(at));
  }

  int32(): number {
    return this.#take(4, (buffer, at) => buffer.readInt32LE(at));
  }

  float32(): number {
    return this.#take(4, (buffer, at) => buffer.readFloatLE(at));
  }

  /** Rounded above 2^53, which no size in a real file reaches. */
  uint64(): number {
    return this.#take(8, (buffer, at) => Number(buffer.readBigUInt64LE(at)));
  }

  /** A copy of the next bytes. The caller bounds `count`. */
  bytes(count: number): Buffer {
    if (!(count >= 0 && count <= this.remaining)) throw new EndOfFile();
    if (count > CHUNK) return this.#large(count);
    return this.#take(count, (buffer, at) => Buffer.from(buffer.subarray(at, at + count)));
  }

  #take<T>(count: number, read: (buffer: Buffer, at: number) => T): T {
    if (count > this.remaining) throw new EndOfFile();
    const at = this.#position - this.#start;
    if (at < 0 || at + count > this.#buffer.length) return this.#refill(count, read);
    this.#position += count;
    return read(this.#buffer, at);
  }

  #refill<T>(count: number, read: (buffer: Buffer, at: number) => T): T {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, this.remaining));
    const got = readSync(this.#file, buffer, 0, buffer.length, this.#position);
    if (got < count) throw new EndOfFile();
    this.#buffer = buffer.subarray(0, got);
    this.#start = this.#position;
    this.#position += count;
    return read(this.#buffer, 0);
  }

  #large(count: number): Buffer {
    const buffer = Buffer.allocUnsafe(count);
    const got = readSync(this.#file, buffer, 0, count, this.#position);
    if (got < count) throw new EndOfFile();
    this.#position += count;
    return buffer;
  }
}
