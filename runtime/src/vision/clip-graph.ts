import type { GgmlBinding } from '../engine/ggml-binding.ts';
import { F32, I32 } from '../engine/ggml-binding.ts';
import type { Pointer } from '../engine/llama-layout.ts';
import type { ProjectorShape } from './projector-file.ts';

/** A graph that is computed again and again on other input. */
export interface ClipGraph {
  readonly graph: Pointer;
  /** Pixels by patch, (3 · patch², patches), and indices of the rows that are patches. */
  readonly input: Pointer;
  readonly picked: Pointer;
  /** (output length, patches). */
  readonly output: Pointer;
}

/**
 * LLaVA 1.5's vision tower as a ggml graph: CLIP's vision transformer and an MLP with one hidden
 * layer. The order of operations is that of llama.cpp's `tools/mtmd/models/llava.cpp`, except that the
 * class token comes first, as CLIP was trained (llama.cpp v0.4 has it last: its issue 25814).
 */
export class ClipGraphBuilder {
  readonly #ggml: GgmlBinding;
  readonly #context: Pointer;
  readonly #shape: ProjectorShape;
  readonly #weights: ReadonlyMap<string, Pointer>;

  constructor(
    ggml: GgmlBinding,
    context: Pointer,
    shape: ProjectorShape,
    weights: ReadonlyMap<string, Pointer>,
  ) {
    this.#ggml = ggml;
    this.#context = context;
    this.#shape = shape;
    this.#weights = weights;
  }

  build(): ClipGraph {
    const { blocks, hasClassToken, patchSize, tokensPerTile } = this.#shape;
    const ggml = this.#ggml;
    const input = this.#input(F32, 3 * patchSize * patchSize, tokensPerTile);
    let rows = this.#linear(input, 'v.patch_embd');
    const classRow = this.#weights.get('v.class_embd') ?? null;
    if (hasClassToken) rows = ggml.concat(this.#context, classRow, rows, 1);
    rows = ggml.add(this.#context, rows, this.#weight('v.position_embd.weight'));
    if (this.#weights.has('v.pre_ln.weight')) rows = this.#norm(rows, 'v.pre_ln');
    for (let block = 0; block < blocks; block += 1) rows = this.#block(rows, `v.blk.${block}.`);
    if (this.#weights.has('v.post_ln.weight')) rows = this.#norm(rows, 'v.post_ln');
    const picked = this.#input(I32, tokensPerTile, 1);
    rows = ggml.rows(this.#context, rows, picked);
    const inner = ggml.gelu(this.#context, this.#linear(rows, 'mm.0'));
    const output = this.#linear(inner, 'mm.2');
    ggml.setOutput(output);
    const graph = ggml.newGraph(this.#context);
    ggml.expand(graph, output);
    return { graph, input, picked, output };
  }

  #block(rows: Pointer, prefix: string): Pointer {
    const ggml = this.#ggml;
    const seen = this.#attention(this.#norm(rows, `${prefix}ln1`), prefix);
    const middle = ggml.add(this.#context, rows, seen);
    const up = this.#linear(this.#norm(middle, `${prefix}ln2`), `${prefix}ffn_up`);
    const down = this.#linear(this.#activate(up), `${prefix}ffn_down`);
    return ggml.add(this.#context, middle, down);
  }

  #attention(rows: Pointer, prefix: string): Pointer {
    const ggml = this.#ggml;
    const { heads, width } = this.#shape;
    const count = this.#rowCount;
    const split = (name: string): Pointer =>
      ggml.reshape(
        this.#context,
        this.#linear(rows, `${prefix}${name}`),
        width / heads,
        heads,
        count,
      );
    const query = ggml.permute(this.#context, split('attn_q'), 0, 2, 1, 3);
    const key = ggml.permute(this.#context, split('attn_k'), 0, 2, 1, 3);
    const value = ggml.contiguous(
      this.#context,
      ggml.permute(this.#context, split('attn_v'), 1, 2, 0, 3),
    );
    const scores = ggml.multiply(this.#context, key, query);
    const scale = 1 / Math.sqrt(width / heads);
    const weights = ggml.softMax(this.#context, scores, null, scale, 0);
    const mixed = ggml.permute(
      this.#context,
      ggml.multiply(this.#context, value, weights),
      0,
      2,
      1,
      3,
    );
    const joined = ggml.contiguousMatrix(this.#context, mixed, width, count);
    return this.#linear(joined, `${prefix}attn_out`);
  }

  #activate(rows: Pointer): Pointer {
    switch (this.#shape.activation) {
      case 'gelu':
        return this.#ggml.gelu(this.#context, rows);
      case 'silu':
        return this.#ggml.silu(this.#context, rows);
      case 'quick-gelu':
        return this.#ggml.geluQuick(this.#context, rows);
    }
  }

  get #rowCount(): number {
    return this.#shape.tokensPerTile + (this.#shape.hasClassToken ? 1 : 0);
  }

  #linear(rows: Pointer, name: string): Pointer {
    const product = this.#ggml.multiply(this.#context, this.#weight(`${name}.weight`), rows);
    const bias = this.#weights.get(`${name}.bias`);
    return bias === undefined ? product : this.#ggml.add(this.#context, product, bias);
  }

  #norm(rows: Pointer, name: string): Pointer {
    const ggml = this.#ggml;
    const normal = ggml.norm(this.#context, rows, this.#shape.epsilon);
    const scaled = ggml.scaleBy(this.#context, normal, this.#weight(`${name}.weight`));
    return ggml.add(this.#context, scaled, this.#weight(`${name}.bias`));
  }

  #input(type: number, x: number, y: number): Pointer {
    const tensor = this.#ggml.newTensor(this.#context, type, x, y, 1, 1);
    this.#ggml.setInput(tensor);
    return tensor;
  }

  #weight(name: string): Pointer {
    const tensor = this.#weights.get(name);
    if (tensor === undefined) throw new RangeError(`the projector has no ${name}`);
    return tensor;
  }
}
