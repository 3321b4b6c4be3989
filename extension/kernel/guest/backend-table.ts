/** The backends that a kernel is connected to, by number, each with its chat template. */
import type { EndpointOptions, JsonObject } from '../../protocol/kernel-protocol.ts';
import type { Backend } from '../backends/backend.ts';
import { EndpointPool } from '../backends/endpoint-pool.ts';
import { HttpClient } from '../backends/http.ts';
import { NO_SERVERS, withoutWaits, type LocalServers } from '../backends/local-servers.ts';
import { createServiceBackend, type ServiceBackend } from '../backends/service-backends.ts';
import { SglangEndpoint } from '../backends/sglang-endpoint.ts';
import { ChatTemplateRegistry, type ChatTemplate } from '../sglang/chat-template.ts';
import { ProgramError } from '../sglang/program-error.ts';
import { chooseTemplate } from './choose-template.ts';

export interface ConnectedBackend {
  readonly id: number;
  readonly kind: string;
  readonly backend: Backend;
  /** Programs may replace it: `endpoint.chat_template = …`. */
  template: ChatTemplate;
  /** Whether the program is still to say which template it has for the model. */
  readonly undecided: boolean;
}

export class BackendTable {
  readonly templates = new ChatTemplateRegistry();
  readonly #connected = new Map<number, ConnectedBackend>();
  readonly #clients: HttpClient[] = [];
  readonly #defaultUrl: string | null;
  readonly #defaultOptions: JsonObject;
  readonly #notice: (text: string) => void;
  readonly #local: LocalServers;
  #default: Promise<ConnectedBackend> | null = null;
  #lastId = 0;

  /**
   * `notice` tells the user something about a backend that works, but maybe not as expected.
   * `defaultOptions` are how the server at `defaultUrl` is reached, whoever asks for it.
   */
  constructor(
    defaultUrl: string | null,
    notice: (text: string) => void,
    defaultOptions: EndpointOptions = {},
    local: LocalServers = NO_SERVERS,
  ) {
    this.#defaultUrl = defaultUrl;
    this.#notice = notice;
    this.#local = local;
    const { apiKey, verify } = defaultOptions;
    this.#defaultOptions = {
      ...(apiKey === undefined ? {} : { api_key: apiKey }),
      ...(verify === undefined ? {} : { verify }),
    };
  }

  /** @throws ProgramError when the number is not one of ours. */
  get(id: number): ConnectedBackend {
    const found = this.#connected.get(id);
    if (found === undefined) {
      throw new ProgramError(
        'RuntimeError',
        'This backend belongs to an earlier session of the kernel: create it again and call set_default_backend.',
      );
    }
    return found;
  }

  /**
   * Options of all kinds: `chat_template_name`; `own_matches`: the program has rules of its own for models
   * that SGLang's do not know. The rest is said at `connectSglang` and `createServiceBackend`.
   */
  async connect(
    kind: string,
    url: string,
    options: JsonObject,
    signal: AbortSignal,
  ): Promise<ConnectedBackend> {
    const { backend, client } =
      kind === 'sglang'
        ? await this.#connectSglang(url, options, signal)
        : createServiceBackend(kind, url, options, this.#local, this.#notice);
    this.#clients.push(client);
    const name = options['chat_template_name'];
    const known =
      typeof name === 'string' ? this.templates.get(name) : this.#knownTemplate(kind, backend);
    const undecided = known === null && options['own_matches'] === true;
    const template =
      known ?? (undecided ? this.templates.get('default') : this.chooseTemplate(kind, backend));
    const connected = { id: ++this.#lastId, kind, backend, template, undecided };
    this.#connected.set(connected.id, connected);
    return connected;
  }

  /**
   * As SGLang chooses for each kind. Services write the roles themselves: there the template only gives
   * the default system prompt, stop strings, and the text that people see.
   */
  #knownTemplate(kind: string, backend: Backend): ChatTemplate | null {
    if (kind === 'anthropic') return this.templates.get('claude');
    if (kind === 'gemini' || kind === 'vertex') return this.templates.get('default');
    return this.templates.matchAsSglang(backend.modelPath);
  }

  /** For a model that SGLang's rules do not know; a notice says where that is only "default". */
  chooseTemplate(kind: string, backend: Backend): ChatTemplate {
    if (kind !== 'sglang') return this.templates.get('default');
    const { template, notice } = chooseTemplate(this.templates, backend.modelInfo);
    if (notice !== null) this.#notice(notice);
    return template;
  }

  /** The kernel's own default, connected at first use; `null` when it was started without one. */
  async default(options: JsonObject, signal: AbortSignal): Promise<ConnectedBackend | null> {
    if (this.#defaultUrl === null) return null;
    this.#default ??= this.connect('sglang', this.#defaultUrl, options, signal);
    try {
      return await this.#default;
    } catch (error) {
      this.#default = null;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#connected.clear();
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
  }

  /**
   * One server, or several with commas between their URLs. Options: `api_key`, `timeout` (seconds
   * without a byte), `verify`. @throws BackendError
   */
  async #connectSglang(
    url: string,
    given: JsonObject,
    signal: AbortSignal,
  ): Promise<ServiceBackend> {
    const options = url === this.#defaultUrl ? { ...given, ...this.#defaultOptions } : given;
    const { api_key: key, timeout, verify } = options;
    const connect = (each: string, until: AbortSignal) =>
      SglangEndpoint.connect(each, client, until);
    const urls = url
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    // Another server of a pool takes over at once; a single one is waited for.
    const local = urls.length > 1 ? withoutWaits(this.#local) : this.#local;
    const client = new HttpClient({
      headers: typeof key === 'string' ? { authorization: `Bearer ${key}` } : {},
      idleTimeout: typeof timeout === 'number' ? timeout * 1000 : 0,
      ...(typeof verify === 'boolean' || typeof verify === 'string' ? { verify } : {}),
      local,
    });
    try {
      const backend =
        urls.length > 1
          ? await EndpointPool.connect(urls, { connect, notice: this.#notice }, signal)
          : await connect(url, signal);
      return { client, backend };
    } catch (error) {
      await client.close();
      throw error;
    }
  }
}
