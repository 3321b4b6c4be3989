import type { Questions } from './questions.ts';

/** What a view may ask of the window around it. What is `null` is missing where a saved file is only shown. */
export interface Host {
  /** Runs the cell of this output again; `null` where nothing can run. */
  readonly retry: (() => void) | null;
  /** Questions of running cells. */
  readonly questions: Questions | null;
  /** Puts text on the clipboard. */
  readonly copy: (text: string) => void;
}
