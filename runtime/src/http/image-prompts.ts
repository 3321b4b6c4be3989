import { ImageLoader } from '../vision/image-loader.ts';
import type { LoadedImage } from '../vision/image-loader.ts';
import { PictureError } from '../vision/picture.ts';
import type { PromptImage } from '../vision/prompt-images.ts';
import type { PreparePicture } from '../vision/image-parts.ts';
import { nativeError } from './errors.ts';

/** Where an image stands in a prompt made of chat messages; nothing that people write. */
export const CHAT_IMAGE_MARK = '<|sglang-notebooks-image|>';

/** The image tokens of SGLang's chat templates; programs write one where an image stands. */
const MARKS =
  /<\|vision_start\|><\|image_pad\|><\|vision_end\|>|\(<image>\.\/<\/image>\)|<image_placeholder>|<image>|<start_of_image>|<\|image\|>|\[IMG\]/;

export interface ImagePrompt {
  readonly inputIds: number[];
  readonly images: PromptImage[];
}

/** Prompts with images: loads them, and puts their tokens where the prompt has its marks. */
export class ImagePrompts {
  readonly #loader: ImageLoader;

  constructor(prepare: PreparePicture) {
    this.#loader = new ImageLoader(prepare);
  }

  /** Pixels of all sources; a 400 names the one that cannot be read. */
  async load(sources: readonly string[], signal: AbortSignal): Promise<readonly LoadedImage[]> {
    const loaded: LoadedImage[] = [];
    for (const [index, source] of sources.entries()) {
      try {
        loaded.push(await this.#loader.load(source, signal));
      } catch (error) {
        if (!(error instanceof PictureError)) throw error;
        const which = sources.length === 1 ? '' : `Image ${index + 1} of ${sources.length}: `;
        throw nativeError(400, which + error.message);
      }
    }
    return loaded;
  }

  /**
   * Token ids of a prompt with one mark for each image. Text between marks is tokenised on its own.
   * `tokenize` gets each piece, and whether it is the first.
   */
  place(
    text: string,
    loaded: readonly LoadedImage[],
    tokenize: (piece: string, isFirst: boolean) => readonly number[],
  ): ImagePrompt {
    const pieces = text.includes(CHAT_IMAGE_MARK)
      ? text.split(CHAT_IMAGE_MARK)
      : text.split(new RegExp(MARKS, 'g'));
    if (pieces.length - 1 !== loaded.length) {
      throw nativeError(
        400,
        `The prompt has ${count(pieces.length - 1, 'place')} for images ("<image>") and image_data has ${count(loaded.length, 'image')}. Write "<image>" once for each image.`,
      );
    }
    const inputIds: number[] = [];
    const images: PromptImage[] = [];
    for (const [index, piece] of pieces.entries()) {
      if (piece !== '') inputIds.push(...tokenize(piece, index === 0));
      const image = loaded[index];
      if (image === undefined) continue;
      placeParts(image, inputIds, images);
    }
    return { inputIds, images };
  }
}

/** Appends what stands for the image in the prompt. */
function placeParts(
  { parts, picture, tokens }: LoadedImage,
  inputIds: number[],
  images: PromptImage[],
): void {
  for (const [part, content] of parts.entries()) {
    if (content.kind === 'text') {
      inputIds.push(...content.tokens);
      continue;
    }
    const { count: length, isWhole, layout } = content;
    const token = tokens[part] ?? 0;
    images.push({ token, picture, part, layout, isWhole, start: inputIds.length, length });
    for (let offset = 0; offset < length; offset += 1) inputIds.push(token);
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
