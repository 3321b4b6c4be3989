/** Bytes per second over the last seconds, so that a pause shows soon and a burst does not jump. */
export class TransferSpeed {
  readonly #windowMilliseconds: number;
  readonly #samples: { readonly time: number; readonly bytes: number }[] = [];

  constructor(windowMilliseconds = 5000) {
    this.#windowMilliseconds = windowMilliseconds;
  }

  /** @param time milliseconds, growing */
  add(bytes: number, time: number): void {
    this.#samples.push({ time, bytes });
    while ((this.#samples[0]?.time ?? time) < time - this.#windowMilliseconds)
      this.#samples.shift();
  }

  /** 0 until there are two samples. */
  get bytesPerSecond(): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.time <= first.time) return 0;
    const bytes = this.#samples.slice(1).reduce((sum, sample) => sum + sample.bytes, 0);
    return (bytes / (last.time - first.time)) * 1000;
  }
}
