import type { DownloadProgress } from './download.ts';
import { TransferSpeed } from './transfer-speed.ts';

/** Progress of reading several files, one after the other. */
export class CheckProgress {
  readonly #total: number;
  readonly #report: ((progress: DownloadProgress) => void) | undefined;
  readonly #speed = new TransferSpeed();
  #before = 0;
  #here = 0;

  /** @param total bytes of all files */
  constructor(total: number, report: ((progress: DownloadProgress) => void) | undefined) {
    this.#total = total;
    this.#report = report;
  }

  nextFile(): void {
    this.#before += this.#here;
    this.#here = 0;
  }

  /** @param bytes that have been read of the present file */
  readonly onBytes = (bytes: number): void => {
    this.#speed.add(bytes - this.#here, performance.now());
    this.#here = bytes;
    this.#report?.({
      phase: 'checking',
      received: this.#before + bytes,
      total: this.#total,
      bytesPerSecond: this.#speed.bytesPerSecond,
    });
  };
}
