// node test/runtime/vision/llava/record.ts LIBMTMD
//
// Writes reference.json: what llama.cpp's own image code computes for the towers and pictures of cases.ts,
// and what a model writes behind them. LIBMTMD is the library of runtime/mtmd/build.ts --helpers, of a source
// tree with two lines of tools/mtmd/models/llava.cpp repaired, by which llama.cpp v0.4 differs from what LLaVA's
// towers were trained to do: the class token goes first (issue 25814), all stored blocks are computed
// (issue 25817).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as koffi from 'koffi';
import { loadEngine, type NativeEngine } from '../../../../runtime/src/engine/llama-engine.ts';
import { MtmdEncoder } from '../../../../runtime/src/vision/mtmd-encoder.ts';
import type { Picture } from '../../../../runtime/src/vision/picture.ts';
import { type RandomModelOptions, writeRandomModel } from '../../../support/gguf/random-model.ts';
import {
  type RandomProjectorOptions,
  writeRandomProjector,
} from '../../../support/gguf/random-projector.ts';
import { drawn, OTHERS, PROMPT, type Reference, sample, SIZES, TOWERS } from './cases.ts';

const [, , library] = process.argv;
if (library === undefined) throw new Error('which libmtmd?');
const folder = mkdtempSync(join(tmpdir(), 'llava-'));
const references: Reference[] = [];
for (const [tower, options] of Object.entries(TOWERS)) record(tower, options, {});
for (const [tower, other] of Object.entries(OTHERS)) record(tower, other.tower, other.model);
rmSync(folder, { recursive: true });
const lines = references.map((reference) => JSON.stringify(reference));
writeFileSync(join(import.meta.dirname, 'reference.json'), `[\n${lines.join(',\n')}\n]\n`);
process.exit(0);

function record(tower: string, options: RandomProjectorOptions, beside: RandomModelOptions): void {
  const [modelPath, file] = [join(folder, 'model.gguf'), join(folder, 'mmproj.gguf')];
  writeRandomModel(modelPath, beside);
  writeRandomProjector(file, options);
  const engine = loadEngine({ modelPath, cells: 2048, threads: 1, library: { cpuOnly: true } });
  const { llama, model, rowLength } = engine.native;
  const encoder = new MtmdEncoder({
    file,
    library: library ?? '',
    llama,
    model,
    rowLength,
    threads: 1,
    usesGpu: false,
    mostRows: 512,
  });
  for (const size of SIZES) {
    const picture = drawn(size[0], size[1]);
    const chunks = encoder
      .parts(picture)
      .map((part, index) => (part.kind === 'rows' ? sample(encoder.encode(picture, index)) : []));
    const output = options.grids === undefined ? generate(engine, encoder, picture) : null;
    references.push({ tower, size, chunks, output });
  }
  encoder.dispose();
  engine.dispose();
}

/** By llama.cpp's own helper for prompts with images. */
function generate(on: NativeEngine, { native }: MtmdEncoder, picture: Picture): number[] {
  const { context, mtmd } = native;
  const evaluate = koffi
    .load(library ?? '')
    .func(
      'int mtmd_helper_eval_chunks(void *ctx, void *lctx, void *chunks, int32 past, int32 sequence, int32 batch, bool logits, void *newPast)',
    );
  on.clear();
  const chunks = mtmd.newChunks();
  const bitmap = mtmd.bitmap(picture.width, picture.height, picture.rgb);
  const text = PROMPT.before + mtmd.marker() + PROMPT.after;
  const input = { text, text_len: text.length, add_special: true, parse_special: true };
  const bitmaps = new BigUint64Array([bitmap ?? 0n]);
  if (mtmd.tokenize(context, chunks, input, bitmaps, 1) !== 0) throw new Error('not tokenised');
  const past = new Int32Array(1);
  if (evaluate(context, on.native.context, chunks, 0, 0, 512, true, past) !== 0)
    throw new Error('not computed');
  const row = new Float32Array(on.vocabulary.size);
  const output: number[] = [];
  let position = past[0] ?? 0;
  const { llama } = on.native;
  llama.copyMemory(row, llama.logitsAt(on.native.context, -1), row.byteLength);
  for (;;) {
    const token = row.indexOf(Math.max(...row));
    output.push(token);
    if (output.length === PROMPT.tokens) break;
    on.forward([{ token, position, sequence: 0, wantsLogits: true }]);
    row.set(on.logits(0));
    position += 1;
  }
  mtmd.freeBitmap(bitmap);
  mtmd.freeChunks(chunks);
  return output;
}
