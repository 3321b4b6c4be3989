/** Requests and notifications beyond the standard protocol. Types only; both ends are ours. */
import type { Range } from 'vscode-languageserver';

/** Client → server request: programs of a cell or file, for run lenses. Answer: `ProgramsResult`. */
export const PROGRAMS_REQUEST = 'sglang/programs';
export interface ProgramsParams {
  readonly uri: string;
}
export interface ProgramsResult {
  readonly programs: readonly {
    readonly name: string;
    readonly range: Range;
    readonly runnable: boolean;
    /** Parameters after `s`: source text of annotation and default, `null` if there is none. */
    readonly parameters: readonly {
      readonly name: string;
      readonly annotation: string | null;
      readonly defaultText: string | null;
    }[];
  }[];
}

/** Server → client notification: the type engine ended too often, and is not started again. */
export const NO_TYPES_NOTIFICATION = 'sglang/noTypes';

/** Client → server notification: values a kernel has just generated, for hovers. */
export const VALUES_NOTIFICATION = 'sglang/generatedValues';
export interface ValuesParams {
  /** Uri of the notebook. */
  readonly notebook: string;
  readonly values: readonly {
    readonly program: string | null;
    readonly name: string;
    readonly value: string | readonly string[];
    readonly probability: number | null;
    readonly tokens: number | null;
    readonly milliseconds: number | null;
    /** Command or document link that shows the output. */
    readonly output: string | null;
  }[];
}
