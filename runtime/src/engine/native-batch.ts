import * as koffi from 'koffi';
import type { NativeBatch } from './llama-layout.ts';
import type { NativeToken } from './plane-positions.ts';

/**
 * A `llama_batch` over arrays that live as long as the context, so that a step allocates nothing.
 * The arrays have buffers of their own: V8 never moves those.
 */
export class BatchBuffers {
  readonly #native: NativeBatch & { readonly token: Int32Array };
  readonly #sequences: Int32Array;

  constructor(capacity: number) {
    const int32 = (): Int32Array => new Int32Array(new ArrayBuffer(capacity * 4));
    this.#sequences = int32();
    const addresses = new BigUint64Array(new ArrayBuffer(capacity * 8));
    const first = koffi.address(this.#sequences);
    for (let index = 0; index < capacity; index += 1) addresses[index] = first + BigInt(index * 4);
    this.#native = {
      n_tokens: 0,
      token: int32(),
      embd: null,
      pos: int32(),
      n_seq_id: int32().fill(1),
      seq_id: addresses,
      logits: new Int8Array(new ArrayBuffer(capacity)),
    };
  }

  fill(batch: readonly NativeToken[]): NativeBatch {
    const native = this.#native;
    batch.forEach((item, index) => {
      native.token[index] = item.token;
      native.pos[index] = item.position;
      this.#sequences[index] = item.sequence;
      native.logits[index] = item.wantsLogits ? 1 : 0;
    });
    native.n_tokens = batch.length;
    return native;
  }

  /** A batch whose items all have embeddings, of `length` numbers each. */
  fillEmbeddings(batch: readonly NativeToken[], length: number): NativeBatch {
    const rows = new Float32Array(new ArrayBuffer(batch.length * length * 4));
    batch.forEach(({ embedding }, index) => rows.set(embedding ?? [], index * length));
    const native = { ...this.fill(batch), token: null, embd: rows };
    return batch[0]?.place === undefined ? native : { ...native, pos: placesOf(batch) };
  }
}

/** M-RoPE's four numbers of each row, number by number: position, row, column, and one without use. */
function placesOf(batch: readonly NativeToken[]): Int32Array {
  const count = batch.length;
  const places = new Int32Array(new ArrayBuffer(count * 16));
  batch.forEach(({ place, position }, index) => {
    places[index] = position;
    places[count + index] = place?.row ?? position;
    places[count * 2 + index] = place?.column ?? position;
  });
  return places;
}
