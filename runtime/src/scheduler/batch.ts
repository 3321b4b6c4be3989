import type { BatchToken } from '../engine/engine.ts';
import type { Request } from './request.ts';

/** Part of a batch: `count` pending tokens of a request, at batch indices from `first` on. */
export interface Slice {
  readonly request: Request;
  readonly first: number;
  readonly count: number;
  /** The slice ends with the request's last known token: a new one is sampled behind it. */
  readonly reachesEnd: boolean;
}

/** Tokens of one forward pass, of several requests; decoding requests contribute one each. */
export class Batch {
  readonly tokens: BatchToken[] = [];
  readonly slices: Slice[] = [];

  add(request: Request, count: number): void {
    const { lease, computed } = request;
    if (lease === null || count <= 0) return;
    const first = this.tokens.length;
    const reachesEnd = count === request.pending;
    const last = computed + count - 1;
    for (let position = computed; position <= last; position += 1) {
      this.tokens.push({
        token: request.tokens[position] ?? 0,
        embedding: request.embeddings?.at(position),
        image: request.embeddings?.imageAt(position),
        position,
        sequence: lease.sequence,
        wantsLogits: (reachesEnd && position === last) || request.scoresAfter(position),
      });
    }
    this.slices.push({ request, first, count, reachesEnd });
  }
}
