export type NotebookFormatErrorCode =
  | 'unsupported-version'
  | 'invalid-header'
  | 'unterminated-header'
  | 'is-ipynb'
  | 'invalid-json'
  | 'invalid-ipynb'
  | 'unsupported-nbformat';

/** The text is no notebook that can be shown without losing something. */
export class NotebookFormatError extends Error {
  override readonly name = 'NotebookFormatError';
  readonly code: NotebookFormatErrorCode;
  /** 1-based line of the file; 1 where no line can be named. */
  readonly line: number;

  constructor(code: NotebookFormatErrorCode, line: number, message: string) {
    super(message);
    this.code = code;
    this.line = line;
  }
}

export type NotebookWarningCode =
  | 'merge-conflict'
  | 'conflicting-outputs'
  | 'invalid-marker'
  | 'invalid-id'
  | 'duplicate-id'
  | 'unknown-header-line'
  | 'unknown-section'
  | 'unknown-line'
  | 'outputs-without-cell';

/** Something that the reader kept but could not use. `line` is 1-based. */
export interface NotebookWarning {
  readonly code: NotebookWarningCode;
  readonly line: number;
  readonly message: string;
}
