import process from 'node:process';

const PARENT_POLL = 500;

/** Ends this process when the given one has ended, so that no runtime outlives its notebook. */
export function exitWithParent(parentPid: number | null): void {
  if (parentPid === null) return;
  setInterval(() => {
    if (!isAlive(parentPid)) process.exit(0);
  }, PARENT_POLL).unref();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Calls back on SIGUSR2, where the system has it (SIGUSR1 starts Node's debugger). */
export function onDumpRequest(dump: () => void): void {
  if (process.platform !== 'win32') process.on('SIGUSR2', dump);
}

/** On the first SIGTERM or SIGINT runs `shutDown` and exits with 0; on the second exits at once. */
export function onTermination(shutDown: () => Promise<void>): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(130);
    stopping = true;
    shutDown().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
