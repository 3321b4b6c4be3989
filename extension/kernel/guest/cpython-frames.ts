/** Frames of the CPython guest's pipe: a little-endian 32-bit length, then that many bytes of JSON. */
const LENGTH_BYTES = 4;

export function encodeFrame(json: string): Buffer {
  const body = Buffer.from(json);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32LE(body.length);
  body.copy(frame, LENGTH_BYTES);
  return frame;
}

export class FrameReader {
  readonly #onFrame: (json: string) => void;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes needed before something can be taken. */
  #needed = LENGTH_BYTES;

  constructor(onFrame: (json: string) => void) {
    this.#onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    // Joining only when a whole frame is there keeps large frames linear.
    if (this.#size < this.#needed) return;
    let data = Buffer.concat(this.#chunks);
    while (data.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + data.readUInt32LE();
      if (data.length < end) break;
      const json = data.toString('utf8', LENGTH_BYTES, end);
      data = data.subarray(end);
      this.#onFrame(json);
    }
    this.#chunks = [data];
    this.#size = data.length;
    this.#needed = data.length >= LENGTH_BYTES ? LENGTH_BYTES + data.readUInt32LE() : LENGTH_BYTES;
  }
}
