#!/usr/bin/env node
/** Entry of the command line: binds the program to this process. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InputPrompt } from './input-prompt.ts';
import { nodeComplaint } from './oldest-node.ts';
import { runProcess } from './run-process.ts';
import { EXIT } from './usage-error.ts';

// From source the kernel is a sibling folder, from the bundle a sibling file.
const fromSource = import.meta.url.endsWith('.ts');
const kernel = new URL(fromSource ? '../kernel/main.ts' : 'kernel.mjs', import.meta.url);
const runtime = new URL(fromSource ? '../../runtime/src/main.ts' : 'runtime.mjs', import.meta.url);
const manifest = new URL(fromSource ? '../../package.json' : '../package.json', import.meta.url);

function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  const known = typeof parsed === 'object' && parsed !== null && 'version' in parsed;
  return known ? String(parsed.version) : 'unknown';
}

const complaint = nodeComplaint(process.versions.node, process.argv[2]);
if (complaint !== null) {
  process.stderr.write(complaint);
  process.exit(EXIT.usage);
}
await runProcess({
  kernelEntry: fileURLToPath(kernel),
  runtimeEntry: fileURLToPath(runtime),
  version,
  input: new InputPrompt(process.stdin, process.stdin.isTTY ? process.stdout : null),
});
