import { randomUUID } from 'node:crypto';
import type { Device } from '../engine/device-list.ts';
import type { EngineClient } from '../scheduler/engine-client.ts';
import { json, text } from './answer.ts';
import type { ChatTemplate } from './chat-template.ts';
import type { Answer, Route, RouteRequest, Routes } from './answer.ts';
import type { GenerateRoute } from './generate-route.ts';
import type { RunningRequests } from './generation.ts';
import { malformed } from './errors.ts';
import { Fields, parseJsonObject } from './json-fields.ts';
import { exposition, PROMETHEUS_TYPE } from './prometheus.ts';
import type { RequestMetrics } from './request-metrics.ts';

export interface InfoParts {
  readonly engine: EngineClient;
  readonly running: RunningRequests;
  readonly metrics: RequestMetrics;
  readonly generate: GenerateRoute;
  readonly template: ChatTemplate;
  /** What `/get_model_info` names; clients choose a chat template by it. */
  readonly modelPath: string;
  readonly servedModelName: string;
  readonly contextLength: number;
  /** Whether the model has a vision tower. */
  readonly seesImages: boolean;
  readonly version: string;
  readonly devices: () => readonly Device[];
  /** The command line, for `/get_server_info`. */
  readonly serverArgs: Readonly<Record<string, unknown>>;
  readonly isStopping: () => boolean;
}

const FLUSHED =
  'Cache flushed.\nPlease check backend logs for more details. (When there are running or waiting requests, the operation will not be performed.)\n';

/** Everything of SGLang's native API but `/generate`. */
export function infoRoutes(parts: InfoParts): Routes {
  const modelInfo: Route = () => json(modelInfoOf(parts));
  const serverInfo: Route = async () => json(await serverInfoOf(parts));
  const modelRoute = { GET: (): Answer => json(modelCard(parts)) };
  const flush: Route = async () => {
    const done = await parts.engine.flushCache();
    return done ? text(FLUSHED) : text('Flush cache failed: requests are running.\n', 400);
  };
  return {
    '/health': { GET: () => text('', parts.isStopping() ? 503 : 200) },
    '/health_generate': { GET: ({ signal }) => generateOneToken(parts, signal) },
    '/get_model_info': { GET: modelInfo },
    '/model_info': { GET: modelInfo },
    '/get_server_info': { GET: serverInfo },
    '/server_info': { GET: serverInfo },
    '/dump_state': { GET: async () => json(await parts.engine.dump()) },
    '/flush_cache': { GET: flush, POST: flush },
    '/metrics': { GET: () => metricsPage(parts) },
    '/abort_request': { POST: (request) => abort(parts, request) },
    '/v1/models': { GET: () => json({ object: 'list', data: [modelCard(parts)] }) },
    [`/v1/models/${parts.servedModelName}`]: modelRoute,
    [`/v1/models/${encodeURIComponent(parts.servedModelName)}`]: modelRoute,
  };
}

/** The last three are not SGLang's: clients write roles by them when they know no better. */
function modelInfoOf({ engine, modelPath, seesImages, template }: InfoParts): unknown {
  return {
    model_path: modelPath,
    tokenizer_path: modelPath,
    is_generation: true,
    preferred_sampling_params: null,
    weight_version: 'default',
    has_image_understanding: seesImages,
    has_audio_understanding: false,
    model_type: engine.model.architecture,
    architectures: [engine.model.architecture],
    chat_template: template.source,
    bos_token: template.tokens.begin,
    eos_token: template.tokens.end,
  };
}

async function serverInfoOf(parts: InfoParts): Promise<unknown> {
  const state = await parts.engine.state();
  const { model, limits } = parts.engine;
  return {
    ...parts.serverArgs,
    model_path: parts.modelPath,
    served_model_name: parts.servedModelName,
    status: 'ready',
    max_total_num_tokens: limits.cells,
    max_req_input_len: parts.contextLength - 1,
    context_length: parts.contextLength,
    version: parts.version,
    // Not "model": SGLang's router reads a name there.
    model_details: { ...model, chatTemplate: undefined },
    memory: {
      process_bytes: process.memoryUsage.rss(),
      devices: parts.devices(),
    },
    internal_states: [
      {
        last_gen_throughput: state.lastThroughput,
        running_requests: state.running,
        queued_requests: state.queued,
        cached_tokens: state.cells.cached,
        in_use_tokens: state.cells.inUse,
        free_tokens: state.cells.all - state.cells.cached - state.cells.inUse,
        free_sequences: state.freeSequences,
        steps: state.steps,
        generated_tokens: state.generatedTokens,
      },
    ],
  };
}

/** For Prometheus; counting costs nothing, so that no flag is needed. */
async function metricsPage({ engine, metrics, servedModelName }: InfoParts): Promise<Answer> {
  const page = exposition(metrics.metrics(await engine.state()), { model_name: servedModelName });
  return { kind: 'text', status: 200, text: page, type: PROMETHEUS_TYPE };
}

/** A request of one token: 200 if the engine answers, 503 if not. */
async function generateOneToken(parts: InfoParts, signal: AbortSignal): Promise<Answer> {
  const body = { input_ids: [0], sampling_params: { max_new_tokens: 1, temperature: 0 } };
  const request: RouteRequest = {
    method: 'POST',
    path: '/generate',
    query: new URLSearchParams(),
    body: Buffer.from(JSON.stringify({ ...body, rid: `HEALTH_CHECK_${randomUUID()}` })),
    signal,
  };
  try {
    await parts.generate.handle(request);
    return text('');
  } catch {
    return text('', 503);
  }
}

/** One request, the parts of one (`n`, a batch), those whose id begins so, or all. */
function abort({ running }: InfoParts, { body }: RouteRequest): Answer {
  const fields = new Fields(parseJsonObject(body));
  const rid = fields.string('rid') ?? '';
  const all = fields.boolean('abort_all', false);
  // An empty id would begin every other.
  if (!all && rid === '') throw malformed('name the request with rid, or set abort_all');
  running.abort(all ? null : rid);
  return text('');
}

function modelCard({ servedModelName, modelPath, contextLength }: InfoParts): unknown {
  return {
    id: servedModelName,
    object: 'model',
    created: STARTED,
    owned_by: 'sglang',
    root: modelPath,
    parent: null,
    max_model_len: contextLength,
  };
}

const STARTED = Math.floor(Date.now() / 1000);
