/** A failure of a process call, as the Python exception that the cell sees. */
export class ProcessError extends Error {
  readonly code = 'PROCESS';
  readonly pythonType: string;

  constructor(pythonType: string, message: string) {
    super(message);
    this.name = 'ProcessError';
    this.pythonType = pythonType;
  }
}
