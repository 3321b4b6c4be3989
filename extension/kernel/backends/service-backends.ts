/** Makes the backends that are services with a key, from what the Python package says about them. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import { AnthropicEndpoint } from './anthropic-endpoint.ts';
import { UnsupportedByBackendError, type Backend } from './backend.ts';
import { GeminiEndpoint } from './gemini-endpoint.ts';
import { NO_SERVERS, type LocalServers } from './local-servers.ts';
import { HttpClient, type Headers } from './http.ts';
import { OpenAiEndpoint } from './openai-endpoint.ts';
import { RemoteService } from './remote-service.ts';
import type { SpendingLimits } from './spending.ts';

export interface ServiceBackend {
  readonly backend: Backend;
  readonly client: HttpClient;
}

const KINDS = ['openai', 'azure', 'anthropic', 'gemini', 'vertex'] as const;
type ServiceKind = (typeof KINDS)[number];

const KEY_NAMES: Readonly<Record<ServiceKind, string>> = {
  openai: 'OPENAI_API_KEY',
  azure: 'AZURE_OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  gemini: 'GEMINI_API_KEY',
  vertex: 'GOOGLE_ACCESS_TOKEN',
};
const DEFAULT_RETRIES = 4;
const DEFAULT_DEADLINE = 600;

/**
 * Options: `model`, `api_key` or `token` (sent as a bearer), `is_chat_model`, `whole_text`, `api_version`,
 * `safety_settings`, `max_retries`, and `deadline` and `timeout` in seconds (a whole request; without a
 * byte), `prices`, `budget` and `token_budget` (see `SpendingLimits`), `default_headers`. Sends nothing.
 * `notice` tells the user what a request leaves out.
 * @throws UnsupportedByBackendError for an unknown kind.
 */
export function createServiceBackend(
  kind: string,
  url: string,
  options: JsonObject,
  local: LocalServers = NO_SERVERS,
  notice?: (text: string) => void,
): ServiceBackend {
  const known = KINDS.find((name) => name === kind);
  if (known === undefined) throw new UnsupportedByBackendError(`Unknown kind of backend: ${kind}.`);
  const token = textOption(options, 'token');
  const key = token ?? textOption(options, 'api_key');
  const verify = options['verify'];
  const client = new HttpClient({
    headers: {
      ...(token === null ? keyHeaders(known, key) : { ...versionOf(known), ...bearer(token) }),
      ...headersOf(options['default_headers']),
    },
    idleTimeout: numberOption(options, 'timeout', 0) * 1000,
    ...(typeof verify === 'boolean' || typeof verify === 'string' ? { verify } : {}),
    local,
    hints: {
      name: 'service',
      unreachable: 'Check base_url and the network connection.',
      key: `Give the key with api_key=… or in the environment variable ${KEY_NAMES[known]}.`,
    },
  });
  const service = new RemoteService({
    url,
    http: client,
    key,
    maxRetries: numberOption(options, 'max_retries', DEFAULT_RETRIES),
    deadline: numberOption(options, 'deadline', DEFAULT_DEADLINE),
    limits: limitsOf(options),
    ...(notice === undefined ? {} : { notice }),
  });
  return { client, backend: backendOf(known, service, options) };
}

function backendOf(kind: ServiceKind, service: RemoteService, options: JsonObject): Backend {
  const name = textOption(options, 'model') ?? '';
  switch (kind) {
    case 'openai':
    case 'azure': {
      const version = textOption(options, 'api_version');
      const query = version === null ? '' : `?api-version=${encodeURIComponent(version)}`;
      const official = kind === 'azure' || /^https:\/\/api\.openai\.com(\/|$)/.test(service.url);
      const chat = options['is_chat_model'] !== false;
      const wholeText = options['whole_text'] === true;
      return new OpenAiEndpoint(service, { name, chat, official, wholeText }, query);
    }
    case 'anthropic':
      return new AnthropicEndpoint(service, name);
    case 'gemini':
    case 'vertex':
      return new GeminiEndpoint(service, name, options['safety_settings'] ?? null);
  }
}

function keyHeaders(kind: ServiceKind, key: string | null): Headers {
  const version = versionOf(kind);
  if (key === null) return version;
  switch (kind) {
    case 'openai':
    case 'vertex':
      return bearer(key);
    case 'azure':
      return { 'api-key': key };
    case 'anthropic':
      return { ...version, 'x-api-key': key };
    case 'gemini':
      return { 'x-goog-api-key': key };
  }
}

function bearer(token: string): Headers {
  return { authorization: `Bearer ${token}` };
}

function versionOf(kind: ServiceKind): Headers {
  return kind === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {};
}

/** Names in lower case, so that they take the place of ours. */
function headersOf(value: JsonValue | undefined): Headers {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, text]) =>
      typeof text === 'string' ? [[name.toLowerCase(), text]] : [],
    ),
  );
}

function limitsOf(options: JsonObject): SpendingLimits {
  const [prompt, completion] = Array.isArray(options['prices']) ? options['prices'] : [];
  const known = typeof prompt === 'number' && typeof completion === 'number';
  const limit = (name: string): number | null => {
    const value = options[name];
    return typeof value === 'number' ? value : null;
  };
  return {
    prices: known ? { prompt, completion } : null,
    budget: limit('budget'),
    tokenBudget: limit('token_budget'),
  };
}

function textOption(options: JsonObject, name: string): string | null {
  const value = options[name];
  return typeof value === 'string' ? value : null;
}

function numberOption(options: JsonObject, name: string, fallback: number): number {
  const value = options[name];
  return typeof value === 'number' ? value : fallback;
}
