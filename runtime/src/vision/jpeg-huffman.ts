import type { JpegBits } from './jpeg-bits.ts';
import { corrupt } from './picture.ts';

/** A Huffman code of up to 16 bits (T.81, annex C), looked up by the next 16 bits. */
export class HuffmanTable {
  /** Length in the upper byte, symbol in the lower; 0 where no code begins. */
  readonly #entries = new Uint16Array(65_536);

  /** `counts[n]` codes have n + 1 bits; symbols in the order of their codes. */
  constructor(counts: readonly number[], symbols: readonly number[]) {
    let code = 0;
    let index = 0;
    counts.forEach((count, position) => {
      const length = position + 1;
      const span = 1 << (16 - length);
      for (let each = 0; each < count; each += 1) {
        const start = code * span;
        if (start + span > 65_536) throw corrupt('it has an impossible Huffman table');
        this.#entries.fill((length << 8) | (symbols[index] ?? 0), start, start + span);
        code += 1;
        index += 1;
      }
      code *= 2;
    });
  }

  next(bits: JpegBits): number {
    const entry = this.#entries[bits.peek()] ?? 0;
    if (entry === 0) throw corrupt('its data fit no Huffman code');
    bits.skip(entry >> 8);
    return entry & 0xff;
  }
}
