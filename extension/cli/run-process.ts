/** Signals, streams and the exit code of the process around one invocation of `sglnb`. */
import type { InputPrompt } from './input-prompt.ts';
import { sglnb } from './sglnb.ts';
import type { Terminal } from './terminal.ts';
import { EXIT } from './usage-error.ts';

export interface ProcessParts {
  readonly kernelEntry: string;
  readonly runtimeEntry: string;
  readonly version: () => string;
  readonly input: InputPrompt;
}

function terminalOf(stream: NodeJS.WriteStream): Terminal {
  const isTty = stream.isTTY;
  const noColour = (process.env['NO_COLOR'] ?? '') !== '';
  return {
    isTty,
    colour: isTty && !noColour && process.env['TERM'] !== 'dumb',
    get columns() {
      return stream.columns || 80;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}

/** Sets the exit code; leaves no signal handler, child process or open handle behind. */
export async function runProcess(parts: ProcessParts): Promise<void> {
  const interrupt = new AbortController();
  const kill = new AbortController();
  const onInterrupt = () => (interrupt.signal.aborted ? kill : interrupt).abort('interrupt');
  const onTerminate = () => {
    interrupt.abort('terminate');
    kill.abort('terminate');
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  process.on('SIGHUP', onTerminate);
  // The reader of our output has gone (`sglnb run … | head`): stop like after SIGTERM.
  process.stdout.on('error', onTerminate);
  try {
    process.exitCode = await sglnb(process.argv.slice(2), {
      stdout: terminalOf(process.stdout),
      stderr: terminalOf(process.stderr),
      input: parts.input,
      kernelEntry: parts.kernelEntry,
      runtimeEntry: parts.runtimeEntry,
      version: parts.version(),
      interrupt: interrupt.signal,
      kill: kill.signal,
    });
  } catch (error) {
    // A defect of this program: say all of it.
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = EXIT.failed;
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
    process.off('SIGHUP', onTerminate);
    parts.input.close();
  }
}
