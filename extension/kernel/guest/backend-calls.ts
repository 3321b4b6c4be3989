/** Calls about backends: connecting, caches, templates, plain requests. */
import { HttpClient } from '../backends/http.ts';
import { NO_SERVERS, type LocalServers } from '../backends/local-servers.ts';
import { parseExpressions } from '../sglang/ir.ts';
import { ProgramState } from '../sglang/program-state.ts';
import type { BackendTable, ConnectedBackend } from './backend-table.ts';
import {
  nullableNumber,
  nullableString,
  numberField,
  objectField,
  stringField,
  stringMap,
  templateField,
} from './bridge-fields.ts';
import type { BridgeCallName, BridgeCalls } from './bridge-protocol.ts';
import type { BridgeMessage } from './guest.ts';

/** Prefixes up to this length are not worth a request of their own (SGLang's rule). */
const MIN_CACHED_PREFIX = 64;

type Answer<Name extends BridgeCallName> = Promise<BridgeCalls[Name]['answer']>;

export class BackendCalls {
  readonly #table: BackendTable;
  readonly #http: HttpClient;

  constructor(table: BackendTable, local: LocalServers = NO_SERVERS) {
    this.#table = table;
    this.#http = new HttpClient({ local });
  }

  /** The backend that a message names. @throws ProgramError */
  of(message: BridgeMessage): ConnectedBackend {
    return this.#table.get(numberField(message, 'backend'));
  }

  setTemplate(message: BridgeMessage): void {
    this.of(message).template = templateField(message, 'template');
  }

  registerTemplate(message: BridgeMessage): void {
    this.#table.templates.register(templateField(message, 'template'));
  }

  async close(): Promise<void> {
    await Promise.all([this.#table.close(), this.#http.close()]);
  }

  readonly calls = {
    backend: async (message: BridgeMessage, signal: AbortSignal): Answer<'backend'> => {
      const options = objectField(message, 'options');
      const [kind, url] = [stringField(message, 'kind'), stringField(message, 'url')];
      return connection(await this.#table.connect(kind, url, options, signal));
    },
    choose_template: async (message: BridgeMessage): Answer<'choose_template'> => {
      const connected = this.of(message);
      connected.template = this.#table.chooseTemplate(connected.kind, connected.backend);
      return connected.template;
    },
    default_backend: async (
      message: BridgeMessage,
      signal: AbortSignal,
    ): Answer<'default_backend'> => {
      const options = { own_matches: message['own_matches'] === true };
      const found = await this.#table.default(options, signal);
      return found === null ? null : { ...connection(found), url: found.backend.url };
    },
    flush_cache: async (message: BridgeMessage, signal: AbortSignal): Answer<'flush_cache'> => {
      await this.of(message).backend.flushCache(signal);
      return null;
    },
    server_info: async (message: BridgeMessage, signal: AbortSignal): Answer<'server_info'> =>
      this.of(message).backend.serverInfo(signal),
    cache_prefix: (message: BridgeMessage, signal: AbortSignal): Answer<'cache_prefix'> =>
      this.#cachePrefix(message, signal),
    templates: async (): Answer<'templates'> => this.#table.templates.all(),
    match_template: async (message: BridgeMessage): Answer<'match_template'> =>
      message['sglang'] === true
        ? this.#table.templates.matchAsSglang(stringField(message, 'model'))
        : this.#table.templates.match(stringField(message, 'model')),
    http: (message: BridgeMessage, signal: AbortSignal): Answer<'http'> =>
      this.#request(message, signal),
  };

  /** Renders constants as a program would and has the server compute them in advance. */
  async #cachePrefix(message: BridgeMessage, signal: AbortSignal): Answer<'cache_prefix'> {
    const { backend, template } = this.of(message);
    const state = new ProgramState(template, null);
    for (const expression of parseExpressions(message['exprs'])) {
      if (expression.kind === 'text') state.fill(expression.text);
      else if (expression.kind === 'role_begin') state.beginRole(expression.role);
      else if (expression.kind === 'role_end') state.endRole();
      else break;
    }
    const always = message['always'] === true;
    if (always || state.text.length > MIN_CACHED_PREFIX)
      await backend.cachePrefix(state.prompt(), signal);
    return null;
  }

  async #request(message: BridgeMessage, signal: AbortSignal): Answer<'http'> {
    const timeout = nullableNumber(message, 'timeout');
    const limit =
      timeout === null ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeout * 1000)]);
    const url = stringField(message, 'url');
    const body = nullableString(message, 'body');
    return this.#http.send(
      stringField(message, 'method'),
      url,
      body,
      limit,
      stringMap(message, 'headers'),
    );
  }
}

/** What Python is told of a backend. */
function connection({ id, backend, template, undecided }: ConnectedBackend) {
  return { id, modelInfo: backend.modelInfo, template: undecided ? null : template };
}
