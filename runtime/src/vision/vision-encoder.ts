import type { TowerPicture } from './image-parts.ts';

/** What the scheduler needs to turn pictures into rows of the language model's input. */
export interface VisionEncoder {
  /**
   * Rows of a part of a prepared picture: one Float32Array for each image token, of the language
   * model's embedding length. Synchronous; throws `EngineError`.
   */
  encode(picture: TowerPicture, part: number): readonly Float32Array[];
  dispose(): void;
}
