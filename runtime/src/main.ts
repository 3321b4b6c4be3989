/** Entry of the runtime process: options → model → engine thread → HTTP. Only wires. */
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { chooseDevice, usableDevices } from './devices/choose-device.ts';
import { runProbe } from './devices/probe-library.ts';
import { listDevices } from './engine/device-list.ts';
import { EngineError } from './engine/engine.ts';
import { loadLlama } from './engine/llama-binding.ts';
import { openVocabulary } from './engine/llama-vocabulary.ts';
import type { NativeLibraryOptions } from './engine/native-library.ts';
import { checkModelFile } from './engine/model-file.ts';
import { checkPortFree, listen } from './http/server.ts';
import { createRuntimeServer } from './http/runtime-server.ts';
import { exitWithParent, onDumpRequest, onTermination } from './life-cycle.ts';
import { Log } from './log.ts';
import { chooseLimits } from './model/limits.ts';
import { modelDirectories, ModelError, resolveModel } from './model/resolve-model.ts';
import { askParentAboutPeers, takeParentKey } from './parent-process.ts';
import { HELP, OptionsError, parseOptions } from './options.ts';
import type { RuntimeOptions } from './options.ts';
import { EngineClient, EngineThreadError } from './scheduler/engine-client.ts';
import { findMtmd, MTMD_ADVICE } from './vision/find-mtmd.ts';
import { findProjector, type FoundProjector } from './vision/find-projector.ts';
import { preparePicture } from './vision/prepare-picture.ts';
import { ProjectorError } from './vision/projector-error.ts';

const VERSION = '0.1.0';

const STARTER_FILES = ['./starter.gguf', '../starter-model/starter.gguf'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** After this long without a request, a model on a GPU is unloaded. */
const GPU_IDLE_SECONDS = 1800;

/** How the engine thread marks lines that are for the user. */
const NOTICE = 'NOTICE: ';

/** How long requests may go on after SIGTERM, milliseconds. */
const DRAIN = 5_000;

async function run(options: RuntimeOptions): Promise<void> {
  const parentKey = takeParentKey(process.env);
  const log = new Log(options.logLevel, (text) => process.stdout.write(text));
  for (const notice of options.notices) log.notice(notice);
  exitWithParent(options.parentPid);
  // Before the model is loaded: who waits for this server must not wait for somebody else's.
  await checkPortFree(options.port);

  const model = resolveModel(options.modelPath, {
    modelDirectories: modelDirectories(process.env, process.platform),
    starterFiles: STARTER_FILES,
  });
  if (model.notice !== null) log.notice(model.notice);

  const header = checkModelFile(model.file);
  const limits = chooseLimits(options, header.contextLength);
  for (const notice of limits.notices) log.notice(notice);
  const embeddingLength = header.metadata.get(`${header.architecture}.embedding_length`);
  const found = findProjector(
    model.file,
    typeof embeddingLength === 'number' ? embeddingLength : null,
    options.projectorPath,
  );
  const maxRunning = options.maxRunningRequests ?? limits.maxRunning;
  const device = await chooseDevice(options, model.file, header, limits.engine);
  for (const notice of device.notices) log.notice(notice);
  const { mtmd, projector } = withMtmd(found, options, device.library);
  if (projector.kind === 'none' && projector.notice !== null) log.notice(projector.notice);
  const engine = await EngineClient.start({
    data: {
      engine: {
        modelPath: model.file,
        threads: options.threads ?? undefined,
        gpuLayers: device.gpuLayers,
        library: device.library,
        ...limits.engine,
      },
      idleUnload: idleUnload(options, device.gpuLayers),
      layers: device.layers,
      projector: projectorData(projector, mtmd),
      prefillTokens: options.chunkedPrefillSize,
      maxRunning,
      disableRadixCache: options.disableRadixCache,
      disableJumpForward: options.disableJumpForward,
      hostCacheBytes: options.hostCacheBytes,
      schedulePolicy: options.schedulePolicy,
    },
    onLog: (line) =>
      line.startsWith(NOTICE) ? log.notice(line.slice(NOTICE.length)) : log.scheduler(line),
  });
  const runtime = createRuntimeServer({
    engine,
    vocabulary: openVocabulary(model.file, device.library),
    devices: () => listDevices(loadLlama(device.library)),
    log,
    options,
    // A key that the command line gives is for everybody who knows it.
    apiKey: options.apiKey ?? parentKey,
    admitsPeer: options.apiKey === null && parentKey !== null ? askParentAboutPeers() : null,
    modelPath: model.reportedPath,
    vision: preparePicture(projector, engine),
    chatTemplate: readChatTemplate(options.chatTemplate) ?? header.chatTemplate,
    contextLength: Math.min(limits.contextLength, engine.limits.cells),
    maxRunning,
    version: VERSION,
  });
  const port = await listen(runtime.server, options.port);
  // Before anybody is told: a signal that nobody handles ends the process at once.
  onDumpRequest(() => {
    void engine.dump().then(
      (dump) => process.stdout.write(`SGLNB_STATE ${JSON.stringify(dump)}\n`),
      () => log.error('The engine has stopped: there is no state to show.'),
    );
  });
  onTermination(async () => {
    log.info('Shutting down: no new requests, running ones may finish.');
    await runtime.drain(DRAIN);
    await engine.stop();
  });
  log.access(`INFO:     Started server process [${process.pid}]`);
  log.access(`INFO:     Uvicorn running on http://127.0.0.1:${port} (Press CTRL+C to quit)`);
  log.info('The server is fired up and ready to roll!');
  device.worked();
  process.send?.('ready');
  if (options.port === 0)
    process.stdout.write(`SGLNB_RUNTIME ${JSON.stringify({ port, pid: process.pid })}\n`);
  const error = await engine.broken;
  log.error(`The engine stopped: ${error.message}`);
  await runtime.drain(1_000);
  process.exit(1);
}

/** A projector of another kind stays what was found only where libmtmd is. */
function withMtmd(
  found: FoundProjector,
  options: RuntimeOptions,
  engine: NativeLibraryOptions,
): { readonly projector: FoundProjector; readonly mtmd: string | null } {
  if (found.kind !== 'other') return { projector: found, mtmd: null };
  const mtmd = mtmdFor(options, engine);
  if (mtmd !== null) return { projector: found, mtmd };
  const message = `${found.reason} ${MTMD_ADVICE}`;
  if (found.isNamed) throw new ProjectorError('UNSUPPORTED', message);
  return { projector: { kind: 'none', notice: `Images are refused: ${message}` }, mtmd };
}

function mtmdFor({ mtmdLibrary }: RuntimeOptions, engine: NativeLibraryOptions): string | null {
  return findMtmd(mtmdLibrary ?? (process.env['SGLNB_MTMD_LIBRARY'] || null), engine);
}

function projectorData(projector: FoundProjector, mtmd: string | null) {
  if (projector.kind === 'none') return null;
  return { file: projector.kind === 'clip' ? projector.shape.file : projector.file, mtmd };
}

/** Milliseconds. A GPU is for other programs too; main memory is given away by the system itself. */
function idleUnload({ idleUnload: chosen }: RuntimeOptions, gpuLayers: number): number {
  const seconds = chosen ?? (gpuLayers === 0 ? 0 : GPU_IDLE_SECONDS);
  return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

/** `--chat-template`: a file, or the template itself. */
function readChatTemplate(given: string | null): string | null {
  if (given === null || given.includes('{')) return given;
  if (existsSync(given)) return readFileSync(given, 'utf8');
  throw new OptionsError(`--chat-template: ${given} is neither a file nor a Jinja template`);
}

/** A line for the user instead of a stack, for everything that can be his to repair. */
function explain(error: unknown): { readonly line: string; readonly exitCode: number } {
  if (error instanceof OptionsError) return { line: error.message, exitCode: 2 };
  const known =
    error instanceof ModelError ||
    error instanceof EngineError ||
    error instanceof ProjectorError ||
    error instanceof EngineThreadError;
  if (known) return { line: error.message, exitCode: 3 };
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    const port = 'port' in error ? String(error.port) : 'the port';
    return {
      line: `Port ${port} on 127.0.0.1 is taken by another program. Stop it or choose another --port.`,
      exitCode: 4,
    };
  }
  return {
    line: error instanceof Error ? (error.stack ?? error.message) : String(error),
    exitCode: 1,
  };
}

// The reader of the log may go away; the runtime does not depend on it.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(`${HELP}\n`);
  else if (options.probeLibrary) {
    const library = {
      directory: options.llamaLibrary ?? undefined,
      cpuOnly: options.device === 'cpu',
    };
    process.stdout.write(`SGLNB_PROBE_MTMD ${mtmdFor(options, library) ?? ''}\n`);
    runProbe(library, STARTER_FILES.find((path) => existsSync(path)) ?? null);
  } else if (options.listDevices) {
    process.stdout.write(`SGLNB_DEVICES ${JSON.stringify(await usableDevices(options))}\n`);
  } else await run(options);
} catch (error) {
  const { line, exitCode } = explain(error);
  process.stderr.write(`error: ${line}\n`);
  // The engine thread may be running: do not wait for it.
  process.exit(exitCode);
}
