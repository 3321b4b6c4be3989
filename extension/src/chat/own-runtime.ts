/** The bundled runtime for chats of this window: started by the first request, ended when nobody asks any more. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { field } from '../field.ts';
import { ChatServerError, type ChatServer } from './chat-server.ts';

export interface OwnRuntimeOptions {
  /** The runtime's program. */
  readonly entry: string;
  /** Variables beside those of this process. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
  /** Milliseconds without a request after which it ends. */
  readonly patience?: number;
}

interface Running {
  readonly model: string;
  readonly child: ChildProcess;
  readonly server: Promise<ChatServer>;
}

const PATIENCE = 10 * 60_000;
/** Last lines of a runtime that did not start. */
const LAST_LINES = 4;

export class OwnRuntime {
  readonly #options: OwnRuntimeOptions;
  #running: Running | null = null;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #requests = 0;

  constructor(options: OwnRuntimeOptions) {
    this.#options = options;
  }

  /** Runs `action` on a runtime with this model, a GGUF file, a name or `starter`. */
  async use<Result>(
    model: string,
    action: (server: ChatServer) => Promise<Result>,
  ): Promise<Result> {
    clearTimeout(this.#idle);
    this.#requests += 1;
    try {
      if (this.#running?.model !== model) this.dispose();
      this.#running ??= this.#start(model);
      return await action(await this.#running.server);
    } finally {
      this.#requests -= 1;
      if (this.#requests === 0)
        this.#idle = setTimeout(() => this.dispose(), this.#options.patience ?? PATIENCE);
    }
  }

  dispose(): void {
    clearTimeout(this.#idle);
    this.#running?.child.kill();
    this.#running = null;
  }

  #start(model: string): Running {
    const { entry, environment, log } = this.#options;
    const key = randomBytes(24).toString('hex');
    const args = ['--model-path', model, '--port', '0', '--parent-pid', String(process.pid)];
    const child = spawn(process.execPath, [entry, ...args], {
      env: {
        ...process.env,
        ...environment(),
        SGLNB_RUNTIME_KEY: key,
        // Electron's executable behaves as Node under this variable; Node ignores it.
        ELECTRON_RUN_AS_NODE: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const last: string[] = [];
    const server = new Promise<ChatServer>((resolve, reject) => {
      const onLine = (line: string): void => {
        const port = portIn(line);
        if (port !== null) return resolve({ url: `http://127.0.0.1:${port}`, key });
        log(line);
        last.push(line);
        last.splice(0, last.length - LAST_LINES);
      };
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', onLine);
      const ended = (reason: string): void => {
        if (this.#running?.child === child) this.#running = null;
        reject(new ChatServerError('UNREACHABLE', [reason, ...last].join('\n')));
      };
      child.once('error', (error) => ended(error.message));
      child.once('close', (code, signal) => ended(`the runtime ended with ${signal ?? code}`));
    });
    // Whoever waits gets it; nobody may.
    server.catch(() => {});
    return { model, child, server };
  }
}

function portIn(line: string): number | null {
  const json = /^SGLNB_RUNTIME (\{.*\})$/.exec(line)?.[1];
  const port = json === undefined ? undefined : field(JSON.parse(json), 'port');
  return typeof port === 'number' ? port : null;
}
