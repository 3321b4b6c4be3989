/**
 * Entry of the engine thread: builds the engine and its scheduler, then runs the loop
 * receive → step → post. Everything here is synchronous; an idle thread sleeps on the signal.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { CacheIntegrityError } from './cache/prefix-cache.ts';
import { HostTier } from './cache/host-tier.ts';
import { NaiveCache } from './cache/naive-cache.ts';
import { RadixCache } from './cache/radix-cache.ts';
import { createConstraintCompiler } from './constraints/compiler.ts';
import { loadWithOffload } from './devices/offload.ts';
import { EngineError } from './engine/engine.ts';
import type { NativeEngine } from './engine/llama-engine.ts';
import { loadEngine } from './engine/llama-engine.ts';
import { defaultThreads } from './engine/load-model.ts';
import { Sampler } from './sampling/sampler.ts';
import type { EngineThreadData, FromEngine, ToEngine } from './scheduler/messages.ts';
import { answerAsleep } from './scheduler/asleep.ts';
import type { LastState } from './scheduler/asleep.ts';
import { ForcedText } from './scheduler/forced-text.ts';
import { RequestFactory } from './scheduler/request-factory.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { StepLog } from './scheduler/step-log.ts';
import { TokenProcessor } from './scheduler/token-processing.ts';
import { loadClipEncoder } from './vision/clip-encoder.ts';
import { MtmdEncoder } from './vision/mtmd-encoder.ts';
import type { Picture } from './vision/picture.ts';
import { ProjectorError } from './vision/projector-error.ts';
import { ImageRows } from './vision/prompt-images.ts';
import type { VisionEncoder } from './vision/vision-encoder.ts';

/** Numbers of logits kept per step: 64 MiB of float32. */
const LOGITS_PER_STEP = 16_777_216;

/** Rows of an image that see each other, in one piece: llama.cpp's largest physical batch here. */
const MOST_WHOLE_ROWS = 512;

/** Cells that may stay cached when nothing runs; beyond, prefixes move to host memory. */
const IDLE_CELLS = 1024;
/** How long nothing must run before that, milliseconds. */
const IDLE_DELAY = 500;

if (parentPort === null) throw new Error('engine-thread runs as a worker thread only');
const port = parentPort;
// SAFETY: only engine-client.ts starts this thread, with exactly this data.
const data = workerData as EngineThreadData;
const idleUnload = data.idleUnload ?? Number.POSITIVE_INFINITY;
const post = (message: FromEngine): void => port.postMessage(message);

function hostTier(bytes: number): HostTier | null {
  return bytes > 0 ? new HostTier(bytes) : null;
}

function visionEncoder(engine: NativeEngine): VisionEncoder | null {
  const { projector } = data;
  if (projector === null) return null;
  const { file, mtmd: library } = projector;
  const threads = data.engine.threads ?? defaultThreads();
  if (library === null) return loadClipEncoder({ file, threads });
  const usesGpu = (data.engine.gpuLayers ?? 0) !== 0;
  const mostRows = Math.min(engine.limits.batchTokens, MOST_WHOLE_ROWS);
  const encoder = new MtmdEncoder({ ...engine.native, file, library, threads, usesGpu, mostRows });
  if (encoder.usesPlane) engine.usePlane();
  return encoder;
}

function imageParts(encoder: VisionEncoder | null, call: number, picture: Picture): FromEngine {
  try {
    if (!(encoder instanceof MtmdEncoder)) throw new RangeError('only libmtmd is asked');
    return { type: 'image', call, parts: encoder.parts(picture), reason: '' };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { type: 'image', call, parts: null, reason: error.message };
  }
}

function logImage(milliseconds: number): void {
  post({ type: 'log', line: `Image encoded in ${milliseconds.toFixed(1)} ms.` });
}

function buildScheduler(engine: NativeEngine, encoder: VisionEncoder | null): Scheduler {
  const images = encoder === null ? null : new ImageRows(encoder, logImage);
  const { limits, model, vocabulary } = engine;
  const shares = model.supportsPartialRemoval && !data.disableRadixCache;
  const cache = shares
    ? new RadixCache(engine, limits.sequences, hostTier(data.hostCacheBytes))
    : new NaiveCache(engine, limits.sequences);
  const forced = data.disableJumpForward ? null : new ForcedText(engine, cache);
  const sampler = new Sampler(vocabulary.size, vocabulary.endOfGeneration);
  return new Scheduler({
    engine,
    cache,
    factory: new RequestFactory(vocabulary, createConstraintCompiler(vocabulary), forced, images),
    processor: new TokenProcessor(engine, sampler, forced),
    forced,
    idleCells: IDLE_CELLS,
    log: new StepLog(
      (line) => post({ type: 'log', line }),
      () => performance.now(),
    ),
    admission: {
      prefillTokens: Math.min(data.prefillTokens, limits.batchTokens),
      maxRunning: Math.min(data.maxRunning ?? limits.sequences, limits.sequences),
      policy: data.schedulePolicy,
      logitRows: Math.max(32, Math.floor(LOGITS_PER_STEP / vocabulary.size)),
    },
  });
}

/** A loaded model. */
interface Life {
  readonly scheduler: Scheduler;
  readonly encoder: VisionEncoder | null;
}

/** Handles one message; false ends the thread. */
function receive({ encoder, scheduler }: Life, message: ToEngine): boolean {
  switch (message.type) {
    case 'generate':
      scheduler.receive(message.requests);
      break;
    case 'image':
      post(imageParts(encoder, message.call, message.picture));
      break;
    case 'abort':
      scheduler.abort(message.ids);
      break;
    case 'flush':
      post({ type: 'flushed', call: message.call, done: scheduler.flushCache() });
      break;
    case 'state':
      reportIntegrity(scheduler);
      post({ type: 'state', call: message.call, state: scheduler.state });
      break;
    case 'dump':
      post({ type: 'dump', call: message.call, dump: scheduler.dump() });
      break;
    case 'stop':
      return false;
  }
  return true;
}

/** Wrong bookkeeping is a bug to report, not a reason to drop what runs. */
function reportIntegrity(scheduler: Scheduler): void {
  try {
    scheduler.checkIntegrity();
  } catch (error) {
    if (!(error instanceof CacheIntegrityError)) throw error;
    post({ type: 'log', line: `ERROR: ${error.message}` });
  }
}

/** Runs until the thread shall stop, or until nothing was asked for so long that the model may go. */
function loop(life: Life): 'stop' | 'idle' {
  const { scheduler } = life;
  /** When housekeeping may begin; questions about the state do not put it off. */
  let idleAt = performance.now() + IDLE_DELAY;
  let unloadAt = performance.now() + idleUnload;
  for (;;) {
    const seen = Atomics.load(data.signal, 0);
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
      // SAFETY: engine-client.ts posts `ToEngine` only.
      if (!receive(life, next.message as ToEngine)) return 'stop';
    }
    if (scheduler.hasWork) {
      idleAt = performance.now() + IDLE_DELAY;
      const progress = scheduler.step();
      if (progress.length > 0) post({ type: 'progress', progress });
      unloadAt = performance.now() + idleUnload;
    } else {
      const next = Math.min(idleAt, unloadAt) - performance.now();
      // Returns at once if a message was posted since `seen` was read.
      Atomics.wait(data.signal, 0, seen, Math.max(0, next));
      if (performance.now() >= idleAt && !scheduler.idle()) idleAt = Number.POSITIVE_INFINITY;
      const isQuiet = Atomics.load(data.signal, 0) === seen && !scheduler.hasWork;
      if (isQuiet && performance.now() >= unloadAt) return 'idle';
    }
  }
}

/** Without a model, until there is work: its message, or `null` when the thread shall stop. */
function sleep(last: LastState): ToEngine | null {
  for (;;) {
    const seen = Atomics.load(data.signal, 0);
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
      // SAFETY: as above.
      const message = next.message as ToEngine;
      const answer = answerAsleep(message, last, post);
      if (answer !== 'asleep') return answer === 'work' ? message : null;
    }
    Atomics.wait(data.signal, 0, seen);
  }
}

function load(): NativeEngine {
  return loadWithOffload(
    data.engine.gpuLayers ?? 0,
    data.layers ?? 0,
    (gpuLayers) => loadEngine({ ...data.engine, gpuLayers }),
    (gpuLayers, reason) =>
      post({ type: 'log', line: `NOTICE: ${gpuLayers} layers on the GPU now: ${reason}` }),
  );
}

/** One life of the model. `work` woke it; the first life has none. Answers `null` to stop. */
function serve(work: ToEngine | null): LastState | null {
  const engine = load();
  let encoder: VisionEncoder | null = null;
  try {
    encoder = visionEncoder(engine);
    const scheduler = buildScheduler(engine, encoder);
    if (work === null) post({ type: 'ready', model: engine.model, limits: engine.limits });
    else receive({ scheduler, encoder }, work);
    if (loop({ scheduler, encoder }) === 'stop') return null;
    return { state: scheduler.state, dump: scheduler.dump() };
  } finally {
    encoder?.dispose();
    engine.dispose();
  }
}

try {
  for (let last = serve(null); last !== null;) {
    post({
      type: 'log',
      line: `The model was unloaded: nothing was asked for ${idleUnload / 1000} s.`,
    });
    const work = sleep(last);
    last = work === null ? null : serve(work);
  }
} catch (error) {
  const known = error instanceof EngineError || error instanceof ProjectorError;
  const code = known ? error.code : 'INTERNAL';
  post({ type: 'failed', code, message: error instanceof Error ? error.message : String(error) });
}
port.close();
