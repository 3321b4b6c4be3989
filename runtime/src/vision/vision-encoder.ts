/** What the scheduler needs to turn pictures into rows of the language model's input. */
export interface VisionEncoder {
  /**
   * Rows of `rgb`, `imageSize` × `imageSize` × 3 bytes: one Float32Array for each image token, of the
   * language model's embedding length. Synchronous; throws `EngineError`.
   */
  encode(rgb: Uint8Array): readonly Float32Array[];
  dispose(): void;
}
