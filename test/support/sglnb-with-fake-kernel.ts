/** The real command line over the fake kernel; started as a process by tests. */
import { fileURLToPath } from 'node:url';
import { InputPrompt } from '../../extension/cli/input-prompt.ts';
import { runProcess } from '../../extension/cli/run-process.ts';

await runProcess({
  kernelEntry: fileURLToPath(new URL('fake-kernel.ts', import.meta.url)),
  runtimeEntry: fileURLToPath(new URL('../../runtime/src/main.ts', import.meta.url)),
  version: () => '0.0.0-test',
  input: new InputPrompt(process.stdin, null),
});
