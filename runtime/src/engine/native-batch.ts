import * as koffi from 'koffi';
import type { BatchToken } from './engine.ts';
import type { NativeBatch } from './llama-layout.ts';

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

  fill(batch: readonly BatchToken[]): NativeBatch {
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
  fillEmbeddings(batch: readonly BatchToken[], length: number): NativeBatch {
    const rows = new Float32Array(new ArrayBuffer(batch.length * length * 4));
    batch.forEach(({ embedding }, index) => rows.set(embedding ?? [], index * length));
    return { ...this.fill(batch), token: null, embd: rows };
  }
}
