import type { Vocabulary } from '../engine/engine.ts';
import type { GenerationRequest, LogprobOptions } from '../scheduler/messages.ts';
import type { LoadedImage } from '../vision/image-loader.ts';
import type { PreparePicture } from '../vision/image-parts.ts';
import { nativeError } from './errors.ts';
import type { GenerateCall, GenerateItem, Prompt } from './generate-request.ts';
import { Generation } from './generation.ts';
import { ImagePrompts } from './image-prompts.ts';

export interface PromptLimits {
  /** Prompt and answer of one request, tokens. */
  readonly contextLength: number;
  /** `--random-seed`: requests without a seed get one derived from it and their number. */
  readonly randomSeed: number | null;
  /** What the vision tower sees of a picture; null for models that read text only. */
  readonly vision: PreparePicture | null;
}

/** Texts to token ids, checked against the model: what comes out can always run. */
export class Preparer {
  readonly #vocabulary: Vocabulary;
  readonly #limits: PromptLimits;
  readonly #longestToken: number;
  readonly #images: ImagePrompts | null;
  #nextId = 1;

  constructor(vocabulary: Vocabulary, limits: PromptLimits) {
    this.#vocabulary = vocabulary;
    this.#limits = limits;
    this.#longestToken = longestTokenBytes(vocabulary);
    this.#images = limits.vision === null ? null : new ImagePrompts(limits.vision);
  }

  /** All generations of a call. Items with images wait for these to be loaded. */
  async prepareAll(
    { items, stream }: Pick<GenerateCall, 'items' | 'stream'>,
    signal: AbortSignal,
  ): Promise<Generation[]> {
    const generations: Generation[] = [];
    for (const item of items) {
      const loaded = item.images.length === 0 ? [] : await this.#load(item, signal);
      generations.push(new Generation(this.#prepare(item, stream, loaded)));
    }
    return generations;
  }

  async #load({ images, prompt }: GenerateItem, signal: AbortSignal) {
    if (this.#images === null) {
      throw nativeError(
        400,
        'image_data was sent, but the model that is running reads text only. Launch a model with vision support: a GGUF model with its mmproj file.',
      );
    }
    if (prompt.kind === 'ids') {
      throw nativeError(400, 'image_data needs a prompt as text: write "<image>" for each image.');
    }
    return this.#images.load(images, signal);
  }

  #prepare(item: GenerateItem, stream: boolean, loaded: readonly LoadedImage[]): GenerationRequest {
    const { inputIds, images } = this.#place(item.prompt, loaded);
    const ofImages = images.reduce((sum, image) => sum + image.length, 0);
    this.#checkLength(inputIds.length, ofImages);
    const start = item.logprobs?.start ?? -1;
    if (start >= inputIds.length) {
      throw nativeError(
        400,
        `logprob_start_len (${start}) is higher than the number of input tokens (${inputIds.length}).`,
      );
    }
    this.#checkIds('token_ids_logprob', item.logprobs?.tokenIds ?? []);
    this.#checkIds('stop_token_ids', item.sampling.stopTokenIds);
    this.#checkIds(
      'logit_bias',
      item.sampling.logitBias.map(([token]) => token),
    );
    const room = this.#limits.contextLength - inputIds.length;
    const maxNewTokens = Math.min(item.sampling.maxNewTokens, room);
    const id = this.#nextId;
    this.#nextId += 1;
    const { randomSeed } = this.#limits;
    const seed = item.sampling.seed ?? (randomSeed === null ? null : randomSeed + id);
    return {
      id,
      inputIds,
      ...(images.length === 0 ? {} : { images }),
      sampling: { ...item.sampling, maxNewTokens, seed },
      logprobs: logprobOptions(item, start),
      stream,
    };
  }

  #place(prompt: Prompt, loaded: readonly LoadedImage[]) {
    if (this.#images === null || loaded.length === 0 || prompt.kind === 'ids') {
      return { inputIds: this.#tokenize(prompt), images: [] };
    }
    this.#refuseHopelesslyLong(prompt.text);
    return this.#images.place(prompt.text, loaded, (text, isFirst) =>
      this.#vocabulary.tokenize(text, { addSpecial: isFirst, parseSpecial: true }),
    );
  }

  #tokenize(prompt: Prompt): readonly number[] {
    if (prompt.kind === 'ids') {
      this.#checkIds('input_ids', prompt.ids);
      return prompt.ids;
    }
    this.#refuseHopelesslyLong(prompt.text);
    const ids = this.#vocabulary.tokenize(prompt.text, { addSpecial: true, parseSpecial: true });
    if (ids.length > 0) return ids;
    // A model continues something: an empty prompt starts like a document.
    const start = this.#vocabulary.beginOfSequence ?? this.#vocabulary.endOfGeneration[0];
    if (start === undefined) throw nativeError(400, 'The prompt is empty.');
    return [start];
  }

  /** Texts that are too long however they are cut into tokens need not be cut to know. */
  #refuseHopelesslyLong(text: string): void {
    const least = Math.ceil(text.length / this.#longestToken);
    if (least >= this.#limits.contextLength) throw this.#tooLong(`at least ${least}`);
  }

  #checkLength(length: number, ofImages: number): void {
    if (length < this.#limits.contextLength) return;
    const share = ofImages === 0 ? '' : `, ${ofImages} of them for images`;
    throw this.#tooLong(String(length), share);
  }

  #tooLong(tokens: string, share = ''): Error {
    return nativeError(
      400,
      `The input (${tokens} tokens${share}) is longer than the model's context length (${this.#limits.contextLength} tokens).`,
    );
  }

  #checkIds(name: string, ids: readonly number[]): void {
    const { size } = this.#vocabulary;
    const wrong = ids.find((id) => id < 0 || id >= size);
    if (wrong === undefined) return;
    throw nativeError(
      400,
      `${name}: ${wrong} is not a token of this model, whose ids are 0 to ${size - 1}.`,
    );
  }
}

function logprobOptions({ logprobs }: GenerateItem, start: number): LogprobOptions | null {
  if (logprobs === null) return null;
  const { top, tokenIds } = logprobs;
  return { start, top, ...(tokenIds === undefined ? {} : { tokenIds }) };
}

/** Every UTF-16 unit of a text needs at least one byte of a token. */
function longestTokenBytes(vocabulary: Vocabulary): number {
  let longest = 1;
  for (let token = 0; token < vocabulary.size; token += 1) {
    longest = Math.max(longest, vocabulary.bytes(token, true).length);
  }
  return longest;
}
