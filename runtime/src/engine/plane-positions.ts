import type { BatchToken, ImageRowsInfo } from './engine.ts';

/** A token as llama.cpp gets it: with its position there, which may not be its index. */
export interface NativeToken extends BatchToken {
  /** Of a row of an image on a plane. */
  readonly place?: { readonly row: number; readonly column: number };
}

interface Span {
  readonly start: number;
  readonly length: number;
  readonly positions: number;
}

/**
 * Indices to llama.cpp's positions, for models with M-RoPE: an image of `length` rows stands on a plane
 * at one position and takes only as many as its longer side. Everybody else counts tokens.
 * **Invariant:** a sequence is cut, shared and continued at the edges of images only.
 */
export class PlanePositions {
  /** The images of each sequence, in order. */
  readonly #spans = new Map<number, readonly Span[]>();
  /** Tokens of each sequence. */
  readonly #lengths = new Map<number, number>();

  length(sequence: number): number {
    return this.#lengths.get(sequence) ?? 0;
  }

  /** Where the token at `index` of a sequence stands; −1, the end, stays. */
  positionOf(sequence: number, index: number): number {
    if (index < 0) return index;
    return this.#of(sequence)
      .filter(({ start }) => start < index)
      .reduce(
        (position, span) =>
          position - Math.min(span.length, index - span.start) + taken(span, index),
        index,
      );
  }

  /** Notes the tokens of a batch, and gives them their positions. */
  place(batch: readonly BatchToken[]): NativeToken[] {
    return batch.map((token) => {
      const { image, position: index, sequence } = token;
      const layout = image?.layout ?? null;
      this.#lengths.set(sequence, Math.max(index + 1, this.length(sequence)));
      if (image === undefined || layout === null) {
        return { ...token, position: this.positionOf(sequence, index) };
      }
      this.#note(sequence, image, layout.positions);
      const position = this.positionOf(sequence, image.start);
      const offset = index - image.start;
      const row = position + Math.floor(offset / layout.columns);
      return { ...token, position, place: { row, column: position + (offset % layout.columns) } };
    });
  }

  /** `target` got tokens of `source` up to `to`; what it has before those is the same, or nothing. */
  copy(source: number, target: number, to: number): void {
    const before = this.#of(source).filter(({ start }) => start < to);
    const behind = this.#of(target).filter(({ start }) => start >= to);
    this.#spans.set(target, [...before, ...behind]);
    this.#lengths.set(target, Math.max(Math.min(to, this.length(source)), this.length(target)));
  }

  remove(sequence: number, from: number, to: number): void {
    if (to >= 0 && to < this.length(sequence)) return;
    this.#spans.set(
      sequence,
      this.#of(sequence).filter(({ start }) => start < from),
    );
    this.#lengths.set(sequence, Math.min(this.length(sequence), Math.max(0, from)));
  }

  /** What `restore` needs, in a list of numbers: the tokens, then each image. */
  save(sequence: number): number[] {
    const images = this.#of(sequence).map(({ start, length, positions }) => [
      start,
      length,
      positions,
    ]);
    return [this.length(sequence), ...images.flat()];
  }

  restore(sequence: number, [tokens = 0, ...numbers]: readonly number[]): void {
    const images = Array.from({ length: numbers.length / 3 }, (_, index) => {
      const [start = 0, length = 0, positions = 0] = numbers.slice(index * 3);
      return { start, length, positions };
    });
    this.#spans.set(sequence, images);
    this.#lengths.set(sequence, tokens);
  }

  clear(): void {
    this.#spans.clear();
    this.#lengths.clear();
  }

  #note(sequence: number, { length, start }: ImageRowsInfo, positions: number): void {
    const known = this.#of(sequence);
    if (known.at(-1)?.start === start) return;
    this.#spans.set(sequence, [...known, { start, length, positions }]);
  }

  #of(sequence: number): readonly Span[] {
    return this.#spans.get(sequence) ?? [];
  }
}

/** Positions that an image takes before `index`: none while it is not over. */
function taken({ length, positions, start }: Span, index: number): number {
  return index >= start + length ? positions : 0;
}
