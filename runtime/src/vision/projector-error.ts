/** An mmproj file that cannot be used; the message says why. */
export class ProjectorError extends Error {
  readonly code: 'NOT_FOUND' | 'INVALID' | 'UNSUPPORTED' | 'MISMATCH';

  constructor(code: ProjectorError['code'], message: string) {
    super(message);
    this.name = 'ProjectorError';
    this.code = code;
  }
}
