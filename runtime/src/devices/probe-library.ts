/**
 * Tries a build of llama.cpp in a child process, so that a crash of a driver ends that one only: loads
 * it, lists its devices, and computes one token on them.
 */
import { spawn } from 'node:child_process';
import { EngineError } from '../engine/engine.ts';
import { isGpu, listDevices, type Device } from '../engine/device-list.ts';
import { gpuBackendFailure } from '../engine/gpu-backends.ts';
import { loadLlama } from '../engine/llama-binding.ts';
import { loadEngine } from '../engine/llama-engine.ts';
import type { NativeLibraryOptions } from '../engine/native-library.ts';
import type { LibraryProbe } from './choose-library.ts';

/** Before the answer on stdout, where libraries print too. */
const MARK = 'SGLNB_PROBE ';
/** Why there is no GPU. */
const LACKS = 'SGLNB_PROBE_LACKS ';
/** Milliseconds; the first use of a Vulkan driver compiles its shaders. */
const PATIENCE = 30_000;

/** In the child: prints the devices, or fails as the library does. */
export function runProbe(library: NativeLibraryOptions, model: string | null): void {
  try {
    const llama = loadLlama(library);
    const devices = listDevices(llama);
    const hasGpu = devices.some(isGpu);
    if (model !== null && hasGpu) computeOneToken(library, model);
    const lacks =
      hasGpu || library.cpuOnly === true ? null : gpuBackendFailure(llama.library.directory);
    if (lacks !== null) process.stdout.write(`${LACKS}${lacks.replaceAll('\n', ' ')}\n`);
    process.stdout.write(`${MARK}${JSON.stringify(devices)}\n`);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 3;
  }
}

function computeOneToken(library: NativeLibraryOptions, model: string): void {
  const engine = loadEngine({
    modelPath: model,
    cells: 256,
    sequences: 1,
    batchTokens: 32,
    gpuLayers: -1,
    library,
  });
  engine.forward([{ token: 0, position: 0, sequence: 0, wantsLogits: true }]);
  engine.logits(0);
  engine.dispose();
}

/** @param program arguments of Node that run the runtime */
export async function probeInChild(
  program: readonly string[],
  library: NativeLibraryOptions,
): Promise<LibraryProbe> {
  const flags = [
    ...(library.directory === undefined ? [] : ['--llama-library', library.directory]),
    ...(library.cpuOnly === true ? ['--device', 'cpu'] : []),
  ];
  const child = spawn(process.execPath, [...program, '--probe-library', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let late = '';
  const timer = setTimeout(() => {
    late = `it did not answer within ${PATIENCE / 1000} s: a driver may compile its programs that long the first time, and the next start tries it again (--device cpu leaves the GPU alone)`;
    child.kill('SIGKILL');
  }, PATIENCE);
  const end = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) =>
      resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`),
    );
  });
  clearTimeout(timer);
  const answer = new RegExp(`^${MARK}(.*)$`, 'm').exec(stdout)?.[1];
  const lacks = new RegExp(`^${LACKS}(.*)$`, 'm').exec(stdout)?.[1] ?? null;
  if (answer !== undefined) return { kind: 'works', devices: parseDevices(answer), lacks };
  return { kind: 'fails', reason: late || reasonFor(end, stderr) };
}

function parseDevices(text: string): readonly Device[] {
  // SAFETY: only `runProbe` of this file writes the line.
  return JSON.parse(text) as readonly Device[];
}

/** Our own words if there are any, else how it ended and what was printed last. */
function reasonFor(end: string, stderr: string): string {
  const said = /^error: (.*)$/m.exec(stderr)?.[1];
  if (said !== undefined) return said;
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return last === '' ? end : `${end} (${last.slice(0, 200)})`;
}
