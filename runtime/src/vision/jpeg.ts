import { JpegBits } from './jpeg-bits.ts';
import { HuffmanTable } from './jpeg-huffman.ts';
import { addPlane, type Component, toPicture } from './jpeg-pixels.ts';
import { decodeScan, type ScanComponent } from './jpeg-scan.ts';
import { ZIGZAG } from './jpeg-zigzag.ts';
import { checkSize, corrupt, type Picture, PictureError } from './picture.ts';

/**
 * JPEG (ITU-T T.81): baseline, extended and progressive with Huffman coding and 8 bits; grey, YCbCr,
 * RGB, CMYK and YCCK. An orientation in EXIF data is not applied.
 */
export function decodeJpeg(bytes: Uint8Array): Picture {
  return new JpegDecoder(bytes).decode();
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly Component[];
  /** Blocks of all components that are coded together, across and down. */
  readonly unitsAcross: number;
  readonly unitsDown: number;
}

class JpegDecoder {
  readonly #view: DataView;
  #at = 2;
  #frame: Frame | null = null;
  #restartInterval = 0;
  #scans = 0;
  /** APP14: 0 as stored, 1 YCbCr, 2 YCCK; null without the marker. */
  #adobe: number | null = null;
  readonly #quantisation = new Map<number, Uint16Array>();
  readonly #huffman = new Map<number, HuffmanTable>();

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  decode(): Picture {
    for (let marker = this.#marker(); marker !== END_OF_IMAGE; marker = this.#marker()) {
      if (marker === null) throw corrupt('it ends too early');
      this.#segment(marker);
    }
    const frame = this.#frame;
    if (frame === null || this.#scans === 0) throw corrupt('there is no picture in it');
    for (const component of frame.components) addPlane(component);
    return toPicture(frame, this.#adobe);
  }

  /** The next marker's code; null at the end of the file. */
  #marker(): number | null {
    while (this.#at + 1 < this.#view.byteLength) {
      const code = this.#view.getUint8(this.#at + 1);
      const isMarker = this.#view.getUint8(this.#at) === 0xff && code !== 0 && code !== 0xff;
      this.#at += isMarker ? 2 : 1;
      if (isMarker && !(code >= 0xd0 && code <= 0xd8)) return code;
    }
    return null;
  }

  #segment(marker: number): void {
    const length = this.#view.getUint16(this.#at);
    const start = this.#at + 2;
    const end = this.#at + length;
    if (length < 2 || end > this.#view.byteLength) throw corrupt('it ends too early');
    this.#at = end;
    if (marker === 0xc4) this.#readHuffman(start, end);
    else if (marker === 0xdb) this.#readQuantisation(start, end);
    else if (marker === 0xdd) this.#restartInterval = this.#view.getUint16(start);
    else if (marker === 0xda) this.#readScan(start);
    else if (marker === 0xee) this.#readAdobe(start, end);
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xcc) this.#readFrame(marker, start);
  }

  #readAdobe(start: number, end: number): void {
    const isAdobe = ADOBE.every((code, index) => this.#view.getUint8(start + index) === code);
    if (isAdobe && end - start >= 12) this.#adobe = this.#view.getUint8(start + 11);
  }

  #readQuantisation(from: number, end: number): void {
    for (let at = from; at < end;) {
      const info = this.#view.getUint8(at);
      const wide = info >> 4 !== 0;
      const table = new Uint16Array(64);
      ZIGZAG.forEach((place, index) => {
        table[place] = wide
          ? this.#view.getUint16(at + 1 + index * 2)
          : this.#view.getUint8(at + 1 + index);
      });
      this.#quantisation.set(info & 15, table);
      at += wide ? 129 : 65;
    }
  }

  #readHuffman(from: number, end: number): void {
    for (let at = from; at < end;) {
      const counts = Array.from({ length: 16 }, (_, i) => this.#view.getUint8(at + 1 + i));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const symbols = Array.from({ length: total }, (_, i) => this.#view.getUint8(at + 17 + i));
      this.#huffman.set(this.#view.getUint8(at), new HuffmanTable(counts, symbols));
      at += 17 + total;
    }
  }

  #readFrame(marker: number, start: number): void {
    if (marker > 0xc2 || this.#view.getUint8(start) !== 8) {
      throw new PictureError(
        'FORMAT',
        'The image is a lossless, arithmetic or 12-bit JPEG, which is not read here. Save it as PNG.',
      );
    }
    if (this.#frame !== null) throw corrupt('it holds two pictures');
    const height = this.#view.getUint16(start + 1);
    const width = this.#view.getUint16(start + 3);
    checkSize(width, height);
    const count = this.#view.getUint8(start + 5);
    if (![1, 3, 4].includes(count)) throw corrupt(`it has ${count} colour components`);
    const raw = Array.from({ length: count }, (_, index) => {
      const at = start + 6 + index * 3;
      const sampling = this.#view.getUint8(at + 1);
      return {
        id: this.#view.getUint8(at),
        across: sampling >> 4,
        down: sampling & 15,
        table: this.#view.getUint8(at + 2),
      };
    });
    if (raw.some(({ across, down }) => across < 1 || across > 4 || down < 1 || down > 4)) {
      throw corrupt('its colours are sampled in an impossible way');
    }
    const mostAcross = Math.max(...raw.map(({ across }) => across));
    const mostDown = Math.max(...raw.map(({ down }) => down));
    const unitsAcross = Math.ceil(width / 8 / mostAcross);
    const unitsDown = Math.ceil(height / 8 / mostDown);
    const components = raw.map((one): Component => {
      const lineBlocks = unitsAcross * one.across;
      const columnBlocks = unitsDown * one.down;
      return {
        ...one,
        lineBlocks,
        columnBlocks,
        ownAcross: Math.ceil(Math.ceil((width * one.across) / mostAcross) / 8),
        ownDown: Math.ceil(Math.ceil((height * one.down) / mostDown) / 8),
        scaleX: one.across / mostAcross,
        scaleY: one.down / mostDown,
        coefficients: new Int16Array(lineBlocks * columnBlocks * 64),
        quantisation: null,
        plane: null,
      };
    });
    const progressive = marker === 0xc2;
    this.#frame = { width, height, progressive, components, unitsAcross, unitsDown };
  }

  #readScan(start: number): void {
    const frame = this.#frame;
    if (frame === null) throw corrupt('its data come before their description');
    this.#scans += 1;
    // Progressive files have some ten; thousands would keep the process busy.
    if (this.#scans > 128) throw corrupt('it has too many scans');
    const count = this.#view.getUint8(start);
    const scanned = Array.from({ length: count }, (_, index): ScanComponent => {
      const id = this.#view.getUint8(start + 1 + index * 2);
      const tables = this.#view.getUint8(start + 2 + index * 2);
      const component = frame.components.find((one) => one.id === id);
      if (component === undefined) throw corrupt('its data are of an unknown colour');
      component.quantisation = this.#quantisation.get(component.table) ?? component.quantisation;
      return {
        component,
        direct: this.#huffman.get(tables >> 4) ?? null,
        alternating: this.#huffman.get(16 + (tables & 15)) ?? null,
        predicted: 0,
      };
    });
    const at = start + 1 + count * 2;
    const bits = new JpegBits(this.#view, this.#at);
    decodeScan(bits, {
      components: scanned,
      progressive: frame.progressive,
      first: this.#view.getUint8(at),
      last: Math.min(63, this.#view.getUint8(at + 1)),
      high: this.#view.getUint8(at + 2) >> 4,
      low: this.#view.getUint8(at + 2) & 15,
      restartInterval: this.#restartInterval,
      unitsAcross: frame.unitsAcross,
      unitsDown: frame.unitsDown,
    });
    this.#at = bits.position;
  }
}

const END_OF_IMAGE = 0xd9;
/** The letters of "Adobe". */
const ADOBE = [0x41, 0x64, 0x6f, 0x62, 0x65];
