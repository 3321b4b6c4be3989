/**
 * The models of running runtimes, and the bundled one, for VS Code's chats and other extensions. Exists
 * in trusted folders only: whoever asks the bundled model starts a process.
 */
import {
  EventEmitter,
  l10n,
  LanguageModelChatMessageRole,
  LanguageModelError,
  LanguageModelTextPart,
  ProgressLocation,
  window,
  type CancellationToken,
  type LanguageModelChatInformation,
  type LanguageModelChatProvider,
  type LanguageModelChatRequestMessage,
  type LanguageModelResponsePart,
  type Progress,
  type ProvideLanguageModelChatResponseOptions,
} from 'vscode';
import {
  ChatServerError,
  countTokens,
  servedModel,
  streamChat,
  type ChatMessage,
  type ChatServer,
  type ServedModel,
} from './chat-server.ts';
import type { OwnRuntime } from './own-runtime.ts';

/** Of the manifest. */
export const CHAT_VENDOR = 'sglang';

/** The bundled runtime's model before it has said so itself. */
const ASSUMED_CONTEXT = 2048;
/** Milliseconds that a runtime may take to say what it serves, when models are listed. */
const LIST_PATIENCE = 3_000;
const OWN = 'bundled';

export interface ChatProviderOptions {
  /** Runtimes of notebooks that answer at this moment. */
  readonly runtimes: () => readonly ChatServer[];
  /** `null` in a package without an engine. */
  readonly own: OwnRuntime | null;
  /** What the bundled runtime loads: a file, a name, or `starter`. */
  readonly ownModel: () => string;
}

export class ChatProvider implements LanguageModelChatProvider {
  readonly #options: ChatProviderOptions;
  readonly #changed = new EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.#changed.event;
  readonly #servers = new Map<string, ChatServer>();
  #known = '';
  #ownContext = ASSUMED_CONTEXT;

  constructor(options: ChatProviderOptions) {
    this.#options = options;
  }

  /** Runtimes may have come or gone. */
  refresh(): void {
    const known = JSON.stringify(this.#options.runtimes().map(({ url }) => url));
    if (known === this.#known) return;
    this.#known = known;
    this.#changed.fire();
  }

  dispose(): void {
    this.#options.own?.dispose();
    this.#changed.dispose();
  }

  async provideLanguageModelChatInformation(): Promise<LanguageModelChatInformation[]> {
    const signal = AbortSignal.timeout(LIST_PATIENCE);
    const asked = this.#options.runtimes().map(async (server) => {
      try {
        return [{ server, model: await servedModel(server, signal) }];
      } catch {
        // One that is starting or gone has no model to offer.
        return [];
      }
    });
    const served = (await Promise.all(asked)).flat();
    this.#servers.clear();
    const running = served.map(({ server, model }) => {
      const { port } = new URL(server.url);
      const id = `${shortName(model.name)}@${port}`;
      this.#servers.set(id, server);
      return information(id, model, l10n.t('runtime of a notebook, port {0}', port));
    });
    if (this.#options.own === null) return running;
    const own = { name: this.#options.ownModel(), contextLength: this.#ownContext };
    return [...running, information(OWN, own, l10n.t('bundled runtime, started when it is asked'))];
  }

  async provideLanguageModelChatResponse(
    model: LanguageModelChatInformation,
    messages: readonly LanguageModelChatRequestMessage[],
    { modelOptions }: ProvideLanguageModelChatResponseOptions,
    progress: Progress<LanguageModelResponsePart>,
    token: CancellationToken,
  ): Promise<void> {
    const turns = messages.map((message) => turnOf(message, model));
    const onText = (text: string): void => progress.report(new LanguageModelTextPart(text));
    await this.#ask(model, token, (server, signal) =>
      streamChat(server, turns, modelOptions ?? {}, onText, signal),
    );
  }

  async provideTokenCount(
    model: LanguageModelChatInformation,
    text: string | LanguageModelChatRequestMessage,
    token: CancellationToken,
  ): Promise<number> {
    const counted = typeof text === 'string' ? text : turnOf(text, model).content;
    const count = await this.#ask(model, token, (server, signal) =>
      countTokens(server, counted, signal),
    );
    return count ?? 0;
  }

  /** `undefined` when the asker has cancelled. */
  async #ask<Result>(
    model: LanguageModelChatInformation,
    token: CancellationToken,
    action: (server: ChatServer, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result | undefined> {
    const abort = new AbortController();
    const subscription = token.onCancellationRequested(() => abort.abort());
    try {
      return await this.#withServer(model, (server) => action(server, abort.signal));
    } catch (error) {
      if (abort.signal.aborted) return undefined;
      throw error instanceof ChatServerError ? new Error(wordsOf(error, model)) : error;
    } finally {
      subscription.dispose();
    }
  }

  async #withServer<Result>(
    model: LanguageModelChatInformation,
    action: (server: ChatServer) => Promise<Result>,
  ): Promise<Result> {
    const { own, ownModel } = this.#options;
    if (model.id === OWN && own !== null) {
      const { promise: started, resolve } = Promise.withResolvers<void>();
      const title = l10n.t('Starting the SGLang runtime');
      void window.withProgress({ location: ProgressLocation.Window, title }, () => started);
      try {
        return await own.use(ownModel(), async (server) => {
          resolve();
          await this.#learnContext(server);
          return action(server);
        });
      } finally {
        resolve();
      }
    }
    const server = this.#servers.get(model.id);
    if (server !== undefined) return action(server);
    throw LanguageModelError.NotFound(
      l10n.t(
        '{0} runs no more. Run the cell that launches it, or choose another model.',
        model.name,
      ),
    );
  }

  async #learnContext(server: ChatServer): Promise<void> {
    const { contextLength } = await servedModel(server, AbortSignal.timeout(LIST_PATIENCE));
    if (contextLength === this.#ownContext) return;
    this.#ownContext = contextLength;
    this.#changed.fire();
  }
}

function information(id: string, model: ServedModel, detail: string): LanguageModelChatInformation {
  const name = shortName(model.name);
  const maxOutputTokens = Math.floor(model.contextLength / 4);
  return {
    id,
    name: id === OWN ? l10n.t('{0} (bundled)', name) : name,
    family: name,
    version: '1',
    detail,
    tooltip: l10n.t('SGLang Notebooks: {0}, {1}', model.name, detail),
    maxInputTokens: model.contextLength - maxOutputTokens,
    maxOutputTokens,
    capabilities: {},
  };
}

/** Of a path or of a repository's name, the last part. */
function shortName(name: string): string {
  return name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
}

function turnOf(
  { role, content }: LanguageModelChatRequestMessage,
  { name }: LanguageModelChatInformation,
): ChatMessage {
  const texts = content.map((part) => {
    if (part instanceof LanguageModelTextPart) return part.value;
    throw new Error(l10n.t('{0} takes text only, no images and no results of tools.', name));
  });
  return { role: roleOf(role), content: texts.join('') };
}

/** VS Code's own chats also have a role for instructions, which the API does not name. */
function roleOf(role: LanguageModelChatMessageRole): ChatMessage['role'] {
  if (role === LanguageModelChatMessageRole.User) return 'user';
  return role === LanguageModelChatMessageRole.Assistant ? 'assistant' : 'system';
}

function wordsOf(
  { code, message }: ChatServerError,
  { name }: LanguageModelChatInformation,
): string {
  switch (code) {
    case 'REFUSED':
      return l10n.t('{0} refused the request: {1}', name, message);
    case 'BROKEN_OFF':
      return l10n.t('{0} broke off its answer: {1}. SGLang: Show Log says more.', name, message);
    case 'UNREACHABLE':
      return l10n.t('{0} cannot be reached: {1}. SGLang: Show Log says more.', name, message);
    default:
      return code satisfies never;
  }
}
