import { corrupt } from './picture.ts';

/** Bytes that may be missing at the end of a scan: the last code needs fewer than are looked at. */
const TOLERANCE = 64;

/** Entropy-coded bits (T.81, F.2.2.5): most significant first, `FF 00` is the byte FF. */
export class JpegBits {
  readonly #view: DataView;
  #at: number;
  #buffer = 0;
  #count = 0;
  #missing = 0;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  /** Where the scan's data end: the next marker, or the end of the file. */
  get position(): number {
    return this.#at;
  }

  /** The next 16 bits, without taking them; zeros behind the end. */
  peek(): number {
    while (this.#count < 16) this.#fill();
    return (this.#buffer >>> (this.#count - 16)) & 0xffff;
  }

  skip(count: number): void {
    this.#count -= count;
  }

  /** 0 to 16 bits as a number. */
  take(count: number): number {
    if (count === 0) return 0;
    const value = this.peek() >>> (16 - count);
    this.#count -= count;
    return value;
  }

  /** A number of `count` bits whose lower half is negative (F.2.2.1, EXTEND). */
  takeSigned(count: number): number {
    const value = this.take(count);
    return count > 0 && value < 1 << (count - 1) ? value - (1 << count) + 1 : value;
  }

  /** Drops the rest of the byte and goes behind a restart marker; false if there is none. */
  restart(): boolean {
    this.#buffer = 0;
    this.#count = 0;
    this.#missing = 0;
    if (this.#at + 1 >= this.#view.byteLength) return false;
    const code = this.#view.getUint8(this.#at + 1);
    if (this.#view.getUint8(this.#at) !== 0xff || code < 0xd0 || code > 0xd7) return false;
    this.#at += 2;
    return true;
  }

  #fill(): void {
    this.#buffer = ((this.#buffer & 0xff_ffff) << 8) | this.#byte();
    this.#count += 8;
  }

  #byte(): number {
    if (this.#at < this.#view.byteLength) {
      const value = this.#view.getUint8(this.#at);
      if (value !== 0xff) {
        this.#at += 1;
        return value;
      }
      const next = this.#at + 1 < this.#view.byteLength ? this.#view.getUint8(this.#at + 1) : 0xd9;
      if (next === 0) {
        this.#at += 2;
        return value;
      }
    }
    this.#missing += 1;
    if (this.#missing > TOLERANCE) throw corrupt('it ends too early');
    return 0;
  }
}
