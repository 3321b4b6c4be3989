import { EngineError } from '../engine/engine.ts';
import type { LlamaBinding } from '../engine/llama-binding.ts';
import type { Pointer } from '../engine/llama-layout.ts';
import type { ImagePart } from './image-parts.ts';
import { IMAGE_CHUNK, loadMtmd, type MtmdBinding, TEXT_CHUNK } from '../engine/mtmd-binding.ts';
import type { Picture } from './picture.ts';
import type { VisionEncoder } from './vision-encoder.ts';

export interface MtmdOptions {
  /** The mmproj file. */
  readonly file: string;
  /** libmtmd. */
  readonly library: string;
  readonly llama: LlamaBinding;
  /** llama.cpp's model, which has the vocabulary and the length of rows. */
  readonly model: Pointer;
  /** Length of a row of the model's input. */
  readonly rowLength: number;
  readonly threads: number;
  readonly usesGpu: boolean;
  /** Rows that a batch can have. */
  readonly mostRows: number;
}

/** Any vision tower that llama.cpp knows, by its own library for them. */
export class MtmdEncoder implements VisionEncoder {
  /** Rows stand on a plane: M-RoPE. */
  readonly usesPlane: boolean;
  readonly #mtmd: MtmdBinding;
  readonly #options: MtmdOptions;
  readonly #context: Pointer;
  /** Of the picture that was last asked about; its parts come one after the other. */
  #latest: { readonly picture: Picture; readonly chunks: Pointer } | null = null;

  /** Throws `EngineError`. */
  constructor(options: MtmdOptions) {
    const { file, library, llama, model, threads, usesGpu } = options;
    const engine = [llama.library.base, llama.library.ggml, llama.library.llama];
    this.#options = options;
    this.#mtmd = loadMtmd(library, engine);
    this.#mtmd.logSet(llama.silentFunction, null);
    const params = {
      ...this.#mtmd.defaults(),
      use_gpu: usesGpu,
      print_timings: false,
      n_threads: threads,
      warmup: false,
    };
    this.#context = this.#mtmd.open(file, model, params);
    if (this.#context === null) {
      throw new EngineError(
        'MODEL_INVALID',
        `llama.cpp cannot load the vision projector ${file}: it is damaged, of an architecture that this version does not know, or belongs to another model.`,
      );
    }
    if (!this.#mtmd.seesImages(this.#context)) {
      this.#mtmd.close(this.#context);
      throw new EngineError('MODEL_UNSUPPORTED', `${file} is no projector of images.`);
    }
    this.usesPlane = this.#mtmd.usesPlane(this.#context);
  }

  get native(): { readonly mtmd: MtmdBinding; readonly context: Pointer } {
    return { mtmd: this.#mtmd, context: this.#context };
  }

  /** What stands for the picture in a prompt. Throws `EngineError`. */
  parts(picture: Picture): readonly ImagePart[] {
    const chunks = this.#chunks(picture);
    const count = Number(this.#mtmd.chunkCount(chunks));
    return Array.from({ length: count }, (_, index) =>
      this.#part(this.#mtmd.chunkAt(chunks, index)),
    );
  }

  encode(picture: Picture, part: number): readonly Float32Array[] {
    const chunk = this.#mtmd.chunkAt(this.#chunks(picture), part);
    const status = this.#mtmd.encode(this.#context, chunk);
    if (status !== 0) throw failed(`mtmd_encode_chunk answered ${status} for an image`);
    const { llama, rowLength } = this.#options;
    const count = Number(this.#mtmd.chunkTokens(chunk));
    const all = new Float32Array(new ArrayBuffer(count * rowLength * 4));
    llama.copyMemory(all, this.#mtmd.output(this.#context), all.byteLength);
    return Array.from({ length: count }, (_, row) =>
      all.subarray(row * rowLength, (row + 1) * rowLength),
    );
  }

  dispose(): void {
    this.#forget();
    this.#mtmd.close(this.#context);
  }

  #part(chunk: Pointer): ImagePart {
    const count = Number(this.#mtmd.chunkTokens(chunk));
    switch (this.#mtmd.chunkType(chunk)) {
      case TEXT_CHUNK:
        return { kind: 'text', tokens: this.#text(chunk, count) };
      case IMAGE_CHUNK: {
        const columns = Number(this.#mtmd.imageColumns(this.#mtmd.chunkImage(chunk)));
        const positions = this.#mtmd.chunkPositions(chunk);
        const layout = this.usesPlane ? { positions, columns } : null;
        const isWhole = this.#mtmd.looksAhead(this.#context, chunk);
        if (isWhole && count > this.#options.mostRows) {
          throw failed(`an image has ${count} rows, more than one step of this runtime computes`);
        }
        return { kind: 'rows', count, layout, isWhole };
      }
      default:
        throw failed('an image became something else than rows');
    }
  }

  #text(chunk: Pointer, count: number): number[] {
    const address = this.#mtmd.chunkText(chunk, new BigUint64Array(new ArrayBuffer(8)));
    const tokens = new Int32Array(new ArrayBuffer(count * 4));
    this.#options.llama.copyMemory(tokens, address, tokens.byteLength);
    // libmtmd's answer where the vocabulary has no token for a mark of this architecture.
    if (tokens.some((token) => token < 0)) {
      throw failed('the model has no tokens for the marks that this vision projector sets');
    }
    return [...tokens];
  }

  #chunks(picture: Picture): Pointer {
    if (this.#latest?.picture === picture) return this.#latest.chunks;
    this.#forget();
    const chunks = this.#mtmd.newChunks();
    const bitmap = this.#mtmd.bitmap(picture.width, picture.height, picture.rgb);
    const text = this.#mtmd.marker();
    const input = { text, text_len: text.length, add_special: false, parse_special: true };
    const bitmaps = new BigUint64Array(new ArrayBuffer(8)).fill(bitmap ?? 0n);
    const status = this.#mtmd.tokenize(this.#context, chunks, input, bitmaps, 1);
    this.#mtmd.freeBitmap(bitmap);
    if (status !== 0) {
      this.#mtmd.freeChunks(chunks);
      throw failed(
        `llama.cpp cannot prepare an image of ${picture.width} × ${picture.height} pixels for this model`,
      );
    }
    this.#latest = { picture, chunks };
    return chunks;
  }

  #forget(): void {
    if (this.#latest !== null) this.#mtmd.freeChunks(this.#latest.chunks);
    this.#latest = null;
  }
}

function failed(message: string): EngineError {
  return new EngineError('DECODE_FAILED', message);
}
