import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Device } from '../engine/device-list.ts';
import type { OpenVocabulary } from '../engine/llama-vocabulary.ts';
import type { Log } from '../log.ts';
import type { RuntimeOptions } from '../options.ts';
import type { AdmitsPeer } from '../parent-process.ts';
import type { EngineClient } from '../scheduler/engine-client.ts';
import type { Routes } from './answer.ts';
import { ChatTemplate } from './chat-template.ts';
import { ResultFormat } from './generate-response.ts';
import { GenerateRoute } from './generate-route.ts';
import type { GenerateParts } from './generate-route.ts';
import { RunningRequests } from './generation.ts';
import { infoRoutes } from './info-routes.ts';
import { openAiRoutes } from './openai-routes.ts';
import { Preparer } from './prepare.ts';
import type { PreparePicture } from '../vision/image-parts.ts';
import { RequestMetrics } from './request-metrics.ts';
import { createHttpServer } from './server.ts';
import { tokenRoutes } from './token-routes.ts';

export interface RuntimeServerParts {
  readonly engine: EngineClient;
  readonly vocabulary: OpenVocabulary;
  readonly log: Log;
  readonly options: RuntimeOptions;
  /** What requests must carry; null: nothing. */
  readonly apiKey: string | null;
  /** Connections that need no key; null: none. */
  readonly admitsPeer: AdmitsPeer | null;
  /** What `/get_model_info` names. */
  readonly modelPath: string;
  /** What the vision tower sees of a picture; null for models that read text only. */
  readonly vision: PreparePicture | null;
  /** The model's own Jinja template. */
  readonly chatTemplate: string | null;
  readonly contextLength: number;
  readonly maxRunning: number;
  readonly version: string;
  /** The devices and their memory at this moment. */
  readonly devices: () => readonly Device[];
}

export interface RuntimeServer {
  readonly server: Server;
  /**
   * Takes no more requests, lets the running ones finish, aborts what is left after `timeout` ms.
   * Resolves when every connection is closed.
   */
  drain(timeout: number): Promise<void>;
}

/** Largest request body: a batch of long prompts, or ids as text. */
const BODY_LIMIT = 64 << 20;

/** How long the last answers may take to be sent, milliseconds. */
const LAST_ANSWERS = 2_000;

/** Wires the routes. */
export function createRuntimeServer(parts: RuntimeServerParts): RuntimeServer {
  const { engine, log, options, vocabulary } = parts;
  let stopping = false;
  const metrics = new RequestMetrics(engine);
  const running = new RunningRequests(metrics, {
    maxQueued: options.maxQueuedRequests,
    refuse: () => (stopping ? 'The server is shutting down.' : null),
  });
  const generation: GenerateParts = {
    preparer: new Preparer(vocabulary, {
      contextLength: parts.contextLength,
      randomSeed: options.randomSeed,
      vision: parts.vision,
    }),
    running,
    format: new ResultFormat(vocabulary, options.logprobLayout),
  };
  const generate = new GenerateRoute(generation);
  const servedModelName = options.servedModelName ?? parts.modelPath;
  const handle = generate.handle.bind(generate);
  const template = chatTemplate(parts);
  const routes: Routes = {
    '/generate': { POST: handle, PUT: handle },
    ...openAiRoutes({
      ...generation,
      template,
      servedModelName,
      cacheReport: options.enableCacheReport,
    }),
    ...tokenRoutes({ vocabulary, contextLength: parts.contextLength }),
    ...infoRoutes({
      engine,
      running,
      metrics,
      generate,
      template,
      modelPath: parts.modelPath,
      servedModelName,
      contextLength: parts.contextLength,
      seesImages: parts.vision !== null,
      version: parts.version,
      devices: parts.devices,
      serverArgs: serverArgs(options, parts.maxRunning),
      isStopping: () => stopping,
    }),
  };
  const server = createHttpServer({
    routes,
    apiKey: parts.apiKey,
    ...(parts.admitsPeer === null ? {} : { admitsPeer: parts.admitsPeer }),
    bodyLimit: BODY_LIMIT,
    onAccess: (line) => log.access(line),
    onError: (error) =>
      log.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  });
  return {
    server,
    drain: async (timeout) => {
      stopping = true;
      const deadline = performance.now() + timeout;
      // Until then new requests are answered: 503, with the reason.
      while (engine.running > 0 && performance.now() < deadline) await sleep(20);
      running.abort(null);
      const closed = new Promise((resolve) => server.close(resolve));
      const idle = setInterval(() => server.closeIdleConnections(), 20).unref();
      const late = new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS).unref());
      await Promise.race([closed, late]);
      clearInterval(idle);
      server.closeAllConnections();
    },
  };
}

/** The model's template; ChatML, with a notice, if it cannot be read. */
function chatTemplate({ chatTemplate, log, vocabulary }: RuntimeServerParts): ChatTemplate {
  const text = (token: number | null | undefined): string =>
    token === null || token === undefined
      ? ''
      : Buffer.from(vocabulary.bytes(token, true)).toString();
  const tokens = {
    begin: text(vocabulary.beginOfSequence),
    end: text(vocabulary.endOfGeneration[0]),
  };
  try {
    return new ChatTemplate(chatTemplate, tokens);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.notice(`The chat template cannot be read (${reason}); /v1/chat/completions uses ChatML.`);
    return new ChatTemplate(null, tokens);
  }
}

/** The command line under SGLang's names, without secrets. */
function serverArgs(options: RuntimeOptions, maxRunning: number): Record<string, unknown> {
  return {
    host: '127.0.0.1',
    port: options.port,
    chunked_prefill_size: options.chunkedPrefillSize,
    disable_radix_cache: options.disableRadixCache,
    random_seed: options.randomSeed,
    log_level: options.logLevel,
    max_running_requests: maxRunning,
    max_queued_requests: options.maxQueuedRequests,
    logprob_layout: options.logprobLayout,
  };
}
