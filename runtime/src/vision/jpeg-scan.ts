import type { JpegBits } from './jpeg-bits.ts';
import type { HuffmanTable } from './jpeg-huffman.ts';
import type { Component } from './jpeg-pixels.ts';
import { ZIGZAG } from './jpeg-zigzag.ts';
import { corrupt } from './picture.ts';

export interface ScanComponent {
  readonly component: Component;
  /** Table of the DC coefficients; null where the file defines none. */
  readonly direct: HuffmanTable | null;
  /** Table of the AC coefficients. */
  readonly alternating: HuffmanTable | null;
  /** DC coefficient of the block before. */
  predicted: number;
}

export interface Scan {
  readonly components: readonly ScanComponent[];
  readonly progressive: boolean;
  /** Coefficients [first, last] in zig-zag order. */
  readonly first: number;
  readonly last: number;
  /** Successive approximation: bits that are known, and that are known after this scan. */
  readonly high: number;
  readonly low: number;
  /** Units between restart markers; 0 for none. */
  readonly restartInterval: number;
  readonly unitsAcross: number;
  readonly unitsDown: number;
}

/** Adds a scan's coefficients to those of its components. */
export function decodeScan(bits: JpegBits, scan: Scan): void {
  const blocks = new BlockDecoder(bits, scan);
  const [only] = scan.components;
  if (only === undefined) throw corrupt('a scan has no components');
  const alone = scan.components.length === 1;
  const { ownAcross, ownDown, lineBlocks } = only.component;
  const across = alone ? ownAcross : scan.unitsAcross;
  const units = across * (alone ? ownDown : scan.unitsDown);
  for (let unit = 0; unit < units; unit += 1) {
    const { restartInterval } = scan;
    const restarts = restartInterval > 0 && unit > 0 && unit % restartInterval === 0;
    if (restarts && !blocks.restart()) return;
    const row = Math.floor(unit / across);
    const column = unit % across;
    if (alone) blocks.decode(only, (row * lineBlocks + column) * 64);
    else for (const one of scan.components) decodeUnit(blocks, one, row, column);
  }
}

/** The blocks of one component in a unit of several components. */
function decodeUnit(blocks: BlockDecoder, one: ScanComponent, row: number, column: number): void {
  const { across, down, lineBlocks } = one.component;
  for (let y = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1) {
      blocks.decode(one, ((row * down + y) * lineBlocks + column * across + x) * 64);
    }
  }
}

class BlockDecoder {
  readonly #bits: JpegBits;
  readonly #scan: Scan;
  /** Blocks that follow without coefficients in this band. */
  #emptyBlocks = 0;

  constructor(bits: JpegBits, scan: Scan) {
    this.#bits = bits;
    this.#scan = scan;
  }

  restart(): boolean {
    this.#emptyBlocks = 0;
    for (const one of this.#scan.components) one.predicted = 0;
    return this.#bits.restart();
  }

  decode(one: ScanComponent, at: number): void {
    const { first, high, last, progressive } = this.#scan;
    if (!progressive) {
      this.#directFirst(one, at);
      this.#alternatingFirst(one, at, 1, 63);
    } else if (first === 0) {
      if (high === 0) this.#directFirst(one, at);
      else this.#directRefine(one, at);
    } else if (high === 0) {
      this.#alternatingFirst(one, at, first, last);
    } else {
      this.#alternatingRefine(one, at);
    }
  }

  #directFirst(one: ScanComponent, at: number): void {
    const size = table(one.direct).next(this.#bits);
    if (size > 16) throw corrupt('a coefficient is too large');
    one.predicted += this.#bits.takeSigned(size);
    one.component.coefficients[at] = one.predicted << this.#low;
  }

  #directRefine({ component }: ScanComponent, at: number): void {
    const bit = this.#bits.take(1) << this.#scan.low;
    component.coefficients[at] = (component.coefficients[at] ?? 0) | bit;
  }

  get #low(): number {
    return this.#scan.progressive ? this.#scan.low : 0;
  }

  #alternatingFirst(one: ScanComponent, at: number, first: number, last: number): void {
    if (this.#emptyBlocks > 0) {
      this.#emptyBlocks -= 1;
      return;
    }
    const codes = table(one.alternating);
    for (let k = first; k <= last; k += 1) {
      const code = codes.next(this.#bits);
      const run = code >> 4;
      const size = code & 15;
      if (size === 0 && run < 15) {
        this.#emptyBlocks = this.#runOfBlocks(run) - 1;
        return;
      }
      k += run;
      if (size === 0) continue;
      const value = this.#bits.takeSigned(size);
      one.component.coefficients[at + zigzag(k)] = value * (1 << this.#low);
    }
  }

  /** Baseline files only end the block; progressive ones end up to 32,767 (G.1.2.2). */
  #runOfBlocks(run: number): number {
    return this.#scan.progressive ? (1 << run) + this.#bits.take(run) : 1;
  }

  /** One more bit of known coefficients, and new ones of one bit (G.1.2.3). */
  #alternatingRefine(one: ScanComponent, at: number): void {
    const { first, last, low } = this.#scan;
    let k = first;
    if (this.#emptyBlocks === 0) {
      const codes = table(one.alternating);
      while (k <= last) {
        const code = codes.next(this.#bits);
        const size = code & 15;
        let run = code >> 4;
        if (size === 0 && run < 15) {
          this.#emptyBlocks = this.#runOfBlocks(run);
          break;
        }
        const value = size === 0 ? 0 : (this.#bits.take(1) === 1 ? 1 : -1) * (1 << low);
        k = this.#refineUntilZero(one, at, k, run);
        if (value !== 0) one.component.coefficients[at + zigzag(k)] = value;
        k += 1;
        run = 0;
      }
    }
    if (this.#emptyBlocks > 0) {
      this.#refineUntilZero(one, at, k, Number.POSITIVE_INFINITY);
      this.#emptyBlocks -= 1;
    }
  }

  /** Refines from `k` on, past `run` coefficients that are zero; returns the index of the next zero. */
  #refineUntilZero({ component }: ScanComponent, at: number, k: number, run: number): number {
    const { last, low } = this.#scan;
    let zeros = run;
    let index = k;
    for (; index <= last; index += 1) {
      const place = at + zigzag(index);
      const value = component.coefficients[place] ?? 0;
      if (value === 0) {
        if (zeros === 0) break;
        zeros -= 1;
      } else if (this.#bits.take(1) === 1 && (Math.abs(value) & (1 << low)) === 0) {
        component.coefficients[place] = value + Math.sign(value) * (1 << low);
      }
    }
    return index;
  }
}

function table(found: HuffmanTable | null): HuffmanTable {
  if (found === null) throw corrupt('a Huffman table is missing');
  return found;
}

function zigzag(k: number): number {
  const place = ZIGZAG[k];
  if (place === undefined) throw corrupt('a block has more than 64 coefficients');
  return place;
}
