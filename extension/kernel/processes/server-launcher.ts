/** What the launch of an SGLang server becomes: the user's own SGLang, or the bundled runtime. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import type { NoticePayload } from '../../protocol/output-payloads.ts';
import { flagValue, withModel, type ServerLaunch } from './command-line.ts';
import { findInstalledSglang } from './installed-sglang.ts';
import type { BackgroundProgram, ManagedProcess } from './managed-process.ts';
import { isOwnConnection } from './peer-process.ts';
import { holdsSixth, portHolder } from './port-holder.ts';
import { ProcessError } from './process-error.ts';
import { SupervisedRuntime, type RestartPolicy } from './runtime-supervisor.ts';
import type { RuntimeRecords } from './runtime-records.ts';
import { started, type SpawnOptions, type Spawned } from './spawning.ts';

export type ProgramDescription = Pick<ChildProcessInfo, 'command' | 'kind' | 'url' | 'key'>;

export interface LauncherOptions {
  /** Script of the bundled runtime. */
  readonly runtime: string;
  /** Model that replaces the one that the program names. */
  readonly model: string | null;
  readonly chooseModel?: (name: string, signal: AbortSignal) => Promise<string | null>;
  /** All that the kernel has started. */
  readonly programs: () => Iterable<BackgroundProgram>;
  /** Watches a process: its output goes to the cell and the log. */
  readonly manage: (child: Spawned, about: ProgramDescription) => ManagedProcess;
  readonly changed: (info: ChildProcessInfo) => void;
  readonly notice: (severity: NoticePayload['severity'], text: string) => void;
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void;
  readonly records: RuntimeRecords | null;
  readonly policy: RestartPolicy;
}

/** Variable by which the runtime gets its key: a command line could be read by other users. */
const KEY = 'SGLNB_RUNTIME_KEY';
/** Variable that lets every program of this machine use the runtime; any value but `0`. */
const OPEN = 'SGLNB_OPEN_RUNTIME';

export class ServerLauncher {
  readonly #options: LauncherOptions;
  /** How each server was asked for. */
  readonly #requests = new WeakMap<BackgroundProgram, string>();

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /**
   * A cell that is run again gets the server that it has started before, if nothing about it has changed,
   * else a new one in its place: SGLang's second process would find the port taken.
   */
  async launch(
    command: string,
    launch: ServerLaunch,
    options: SpawnOptions,
    signal: AbortSignal,
  ): Promise<BackgroundProgram> {
    const url = `http://127.0.0.1:${launch.port}`;
    const request = JSON.stringify([command, options.cwd, options.env]);
    const { notice, programs } = this.#options;
    const earlier = [...programs()].find((program) => program.url === url && program.exit === null);
    if (earlier !== undefined && this.#requests.get(earlier) === request) {
      notice(
        'info',
        `The server that this notebook has started on port ${launch.port} still runs, and is used. ` +
          'terminate_process(…) ends it.',
      );
      return earlier;
    }
    if (earlier !== undefined) {
      notice(
        'info',
        `The server that this notebook had started on port ${launch.port} is ended: ` +
          'this launch differs, and takes its place.',
      );
      await earlier.kill();
      await earlier.exited;
    }
    await this.#checkPort(launch.port);
    signal.throwIfAborted();
    const program = await this.#launch(url, command, launch, options, signal);
    this.#requests.set(program, request);
    return program;
  }

  /** An explicit choice of a model wins; then the user's own SGLang; then the bundled runtime. */
  async #launch(
    url: string,
    command: string,
    launch: ServerLaunch,
    options: SpawnOptions,
    signal: AbortSignal,
  ): Promise<BackgroundProgram> {
    const given = flagValue(launch.flags, ['--api-key', '--api_key']);
    const about = {
      command: withoutKey(command),
      kind: 'runtime',
      url,
      ...(given === null ? {} : { key: given }),
    } as const;
    const { model, manage, notice } = this.#options;
    if (model !== null) return this.#supervise(withModel(launch.flags, model), about, options);
    const context = { cwd: options.cwd, environment: options.env };
    const installed = await findInstalledSglang(launch.python, context);
    signal.throwIfAborted();
    if (installed !== null) {
      notice('info', installedText(installed.version, installed.gpu));
      const [program = 'python3', ...args] =
        launch.command[0] === '-m' ? ['python3', ...launch.command] : launch.command;
      return manage(await started(spawn(program, args, options), program), about);
    }
    const chosen = await this.#chosenModel(launch, options.cwd, signal);
    const flags = chosen === null ? launch.flags : withModel(launch.flags, chosen);
    return this.#supervise(flags, about, options);
  }

  /** The launch goes on: whoever waits for the server gets the same as an error. */
  async #checkPort(port: number): Promise<void> {
    const holder = await portHolder(port);
    if (holder !== null) {
      this.#options.notice(
        'warning',
        `Port ${port} is taken by ${holder}, so this server cannot have it. Choose another --port, stop ` +
          'the other one, or use it without launching one: ' +
          `set_default_backend(RuntimeEndpoint("http://localhost:${port}")).`,
      );
    } else if (await holdsSixth(port)) {
      this.#options.notice(
        'warning',
        `Another program listens at [::1]:${port}: requests to "localhost" may go there. ` +
          `Choose another --port, or write 127.0.0.1:${port}.`,
      );
    }
  }

  /** Asks only for names of models; a path means what it says. */
  async #chosenModel(
    { modelPath }: ServerLaunch,
    cwd: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { chooseModel } = this.#options;
    if (chooseModel === undefined || modelPath === null) return null;
    if (!/^[\w.-]+\/[\w.-]+$/.test(modelPath) || existsSync(resolve(cwd, modelPath))) return null;
    const chosen = await chooseModel(modelPath, signal);
    signal.throwIfAborted();
    return chosen;
  }

  #supervise(
    flags: readonly string[],
    about: ProgramDescription,
    options: SpawnOptions,
  ): SupervisedRuntime {
    const { changed, log, policy } = this.#options;
    return new SupervisedRuntime({
      start: () => this.#start(flags, about, options),
      hasGivenKey: about.key !== undefined,
      changed,
      log,
      policy,
    });
  }

  /** Each process has a key of its own, unless the program gave one or wants none. */
  #start(
    flags: readonly string[],
    about: ProgramDescription,
    options: SpawnOptions,
  ): ManagedProcess {
    const { runtime, manage, records } = this.#options;
    const isOpen = !['', '0'].includes(options.env[OPEN] ?? '');
    const own = about.key === undefined && !isOpen ? randomBytes(24).toString('hex') : null;
    const child = spawn(
      process.execPath,
      [runtime, ...flags, '--parent-pid', String(process.pid)],
      {
        ...options,
        env: { ...options.env, ...(own === null ? {} : { [KEY]: own }) },
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    );
    // Without a number it never started; the error says no more.
    child.once('error', () => {});
    if (!hasPid(child))
      throw new ProcessError('OSError', 'The bundled runtime could not be started.');
    const managed = manage(child, own === null ? about : { ...about, key: own });
    const port = Number(new URL(about.url ?? '').port);
    answerPeerQuestions(child, port);
    if (own !== null && records !== null) {
      const { pid } = managed;
      void managed.ready.then(() => records.write({ port, pid, key: own }));
      void managed.exited.then(() => records.remove(port, pid));
    }
    return managed;
  }
}

/** `{peer: 7, port: 50000}` over the channel, answered by `{peer: 7, own: true}`. */
function answerPeerQuestions(child: ChildProcess, serverPort: number): void {
  const answer = async (peer: unknown, clientPort: number): Promise<void> => {
    const own = await isOwnConnection({ clientPort, serverPort });
    if (child.connected) child.send({ peer, own }, () => {});
  };
  child.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !('peer' in message)) return;
    void answer(message.peer, 'port' in message ? Number(message.port) : 0);
  });
}

/** For views, errors and reports. */
function withoutKey(command: string): string {
  return command.replaceAll(/(--api[-_]key[\s=]+)\S+/g, '$1…');
}

function hasPid(child: ChildProcess): child is Spawned {
  return child.pid !== undefined;
}

function installedText(version: string, gpu: string): string {
  const which = version === 'unknown' ? 'SGLang' : `SGLang ${version}`;
  return (
    `Your Python's own ${which} runs this server (${gpu}). ` +
    'To use the bundled runtime instead, set SGLNB_SERVER=bundled.'
  );
}
