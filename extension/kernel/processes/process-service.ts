/**
 * The programs that cells start: shell lines, `execute_shell_command`, and the bundled runtime in place
 * of `sglang.launch_server`. Answers the `ProcessCalls` of the bridge.
 */
import { spawn } from 'node:child_process';
import { Reaper } from '../../child-processes/reaper.ts';
import { isSshUrl } from '../../child-processes/ssh-address.ts';
import type {
  ChildProcessInfo,
  EndpointOptions,
  JsonValue,
  KernelOutput,
} from '../../protocol/kernel-protocol.ts';
import {
  HIGHLIGHT_MIME,
  NOTICE_MIME,
  type HighlightPayload,
  type NoticePayload,
} from '../../protocol/output-payloads.ts';
import type { LocalServerState, StateMoment } from '../backends/local-servers.ts';
import { stringField } from '../guest/bridge-fields.ts';
import { isProcessCall, type ProcessCallName } from '../guest/bridge-protocol.ts';
import type { BridgeMessage, BridgeReply } from '../guest/guest.ts';
import { isLoopback, loopbackUrl } from '../loopback.ts';
import { parseServerLaunch, splitCommand } from './command-line.ts';
import { freePort } from './free-port.ts';
import { ManagedProcess, type BackgroundProgram } from './managed-process.ts';
import { ProcessError } from './process-error.ts';
import { RuntimeLines } from './runtime-lines.ts';
import { RuntimeRecords } from './runtime-records.ts';
import { RESTART_POLICY, SupervisedRuntime, type RestartPolicy } from './runtime-supervisor.ts';
import { ServerLauncher, type ProgramDescription } from './server-launcher.ts';
import { ServerStates } from './server-states.ts';
import { waitForServer } from './server-wait.ts';
import { runShell, ShellError } from './shell-command.ts';
import { started, type SpawnOptions, type Spawned } from './spawning.ts';
import { Tunnels } from './tunnels.ts';

export interface ProcessServiceOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Script of the bundled runtime. */
  readonly runtime: string;
  /** Model that replaces the one of `launch_server`. */
  readonly model: string | null;
  /** Server that is used instead of launching one. */
  readonly endpoint: string | null;
  /** The endpoint's key and certificates. */
  readonly endpointOptions?: EndpointOptions;
  readonly output: (output: KernelOutput) => void;
  readonly onProcess: (info: ChildProcessInfo) => void;
  readonly ask: (prompt: string, password: boolean, signal: AbortSignal) => Promise<string | null>;
  /** What a debugger answers to a traced cell. */
  readonly debug?: (message: BridgeMessage, signal: AbortSignal) => Promise<JsonValue>;
  /** Which file to run for a model's name; `null` leaves the name to the runtime. */
  readonly chooseModel?: (name: string, signal: AbortSignal) => Promise<string | null>;
  /** A server's lines, and what becomes of servers. */
  readonly log?: (level: 'info' | 'warn' | 'error', text: string) => void;
  /** Folder for the keys of runtimes; without it, other kernels cannot use this one's. */
  readonly recordFolder?: string;
  readonly policy?: RestartPolicy;
}

type Handler = (message: BridgeMessage, signal: AbortSignal) => Promise<JsonValue>;

/** Numbers of launches that were answered by the endpoint; no process has them. */
const FIRST_STAND_IN = 2 ** 31;

export class KernelProcesses {
  readonly #options: ProcessServiceOptions;
  readonly #programs = new Map<number, BackgroundProgram>();
  readonly #launcher: ServerLauncher;
  readonly #states: ServerStates;
  readonly #tunnels: Tunnels;
  /** Launches whose failure a cell has been told. */
  readonly #told = new Set<BackgroundProgram>();
  /** Launches answered by the endpoint: exit code, or `null` while the cell believes that it runs. */
  readonly #standIns = new Map<number, number | null>();
  readonly #reaper = new Reaper();
  readonly #handlers: Readonly<Record<ProcessCallName, Handler>>;

  constructor(options: ProcessServiceOptions) {
    this.#options = options;
    const records =
      options.recordFolder === undefined ? null : new RuntimeRecords(options.recordFolder);
    this.#launcher = new ServerLauncher({
      runtime: options.runtime,
      model: options.model,
      ...(options.chooseModel ? { chooseModel: options.chooseModel } : {}),
      programs: () => this.#programs.values(),
      manage: (child, about) => this.#manage(child, about),
      changed: (info) => options.onProcess(info),
      notice: (severity, text) => this.#notice(severity, text),
      log: (level, text) => this.#log(level, text),
      records,
      policy: options.policy ?? RESTART_POLICY,
    });
    this.#states = new ServerStates(() => this.#programs.values(), records);
    this.#tunnels = new Tunnels({
      environment: options.environment,
      reaper: this.#reaper,
      log: (level, text) => this.#log(level, text),
    });
    this.#handlers = {
      shell: (message, signal) => this.#shell(message, signal),
      spawn_process: (message, signal) => this.#spawn(message, signal),
      kill_process: (message) => this.#kill(pidOf(message)),
      poll_process: (message) => Promise.resolve(this.#exitCode(pidOf(message))),
      wait_process: (message, signal) => this.#wait(pidOf(message), timeoutOf(message), signal),
      wait_for_server: (message, signal) => this.#waitForServer(message, signal),
      server_state: async (message, signal) => {
        const moment = message['moment'];
        const state = await this.serverState(
          stringField(message, 'url'),
          moment === 'ended' || moment === 'served' ? moment : 'now',
          signal,
        );
        return state === null ? null : { ...state };
      },
      free_port: () => freePort(),
      input: (message, signal) =>
        options.ask(stringField(message, 'prompt'), message['password'] === true, signal),
      debug: (message, signal) => {
        if (options.debug) return options.debug(message, signal);
        throw new ProcessError('NotImplementedError', 'This kernel has no debugger.');
      },
    };
  }

  /** Never rejects. */
  readonly handle = async (message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> => {
    try {
      if (!isProcessCall(message.op))
        throw new ProcessError('RuntimeError', `unknown call "${message.op}"`);
      return { ok: await this.#handlers[message.op](message, signal) };
    } catch (error) {
      return {
        error: {
          pythonType: pythonType(error, signal),
          message: String(error instanceof Error ? error.message : error),
        },
      };
    }
  };

  /** Of a server of this machine, for whoever sends requests to it. */
  serverState(
    url: string,
    moment: StateMoment,
    signal: AbortSignal,
  ): Promise<LocalServerState | null> {
    if (isSshUrl(url)) return this.#tunnels.state(url, moment, signal);
    return isLoopback(url) ? this.#states.state(url, moment, signal) : Promise.resolve(null);
  }

  /** As it is now. */
  stateOf(url: string): Promise<LocalServerState | null> {
    return this.serverState(url, 'now', new AbortController().signal);
  }

  /** What the user wants of a program. @throws ProcessError */
  async control(id: number, action: 'restart' | 'kill'): Promise<void> {
    const program = this.#program(id);
    if (action === 'kill') {
      program.killNow();
      return this.#end(program);
    }
    if (program instanceof SupervisedRuntime) return program.restart();
    throw new ProcessError('ValueError', 'Only a bundled runtime can be started again from here.');
  }

  /** Ends all of them; settles when they are gone. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.kill()));
    this.#programs.clear();
    this.#standIns.clear();
  }

  /** For the exit of the kernel, where nothing can be awaited. */
  killAllNow(): void {
    for (const program of this.#programs.values()) program.killNow();
    this.#tunnels.closeAll();
    this.#reaper.close();
  }

  async #shell(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    const interpreter = message['interpreter'];
    const answer = await runShell(
      {
        command: stringField(message, 'command'),
        interpreter: typeof interpreter === 'string' ? interpreter : null,
        capture: message['capture'] === true,
        ...this.#context(message),
        onOutput: (name, text) => this.#options.output({ kind: 'stream', name, text }),
        onGroup: (pid, lives) => (lives ? this.#reaper.add(pid) : this.#reaper.remove(pid)),
      },
      signal,
    );
    signal.throwIfAborted();
    return { ...answer };
  }

  /* ---------------------------------------------------------------- background programs */

  async #spawn(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    const command = stringField(message, 'command');
    const words = splitCommand(command);
    const [program, ...args] = words;
    if (program === undefined) throw new ProcessError('ValueError', 'The command is empty.');
    const launch = parseServerLaunch(words);
    if (launch !== null) {
      const { endpoint } = this.#options;
      if (endpoint !== null) return { pid: this.#standIn(endpoint) };
      const options = this.#spawnOptions(message, launch.environment);
      return { pid: this.#add(await this.#launcher.launch(command, launch, options, signal)) };
    }
    const child = await started(spawn(program, args, this.#spawnOptions(message, {})), program);
    return { pid: this.#add(this.#manage(child, { command, kind: 'shell', url: null })) };
  }

  #standIn(endpoint: string): number {
    this.#notice('info', `No server was started: this kernel uses the server at ${endpoint}.`);
    const pid = FIRST_STAND_IN + this.#standIns.size;
    this.#standIns.set(pid, null);
    return pid;
  }

  #add(program: BackgroundProgram): number {
    this.#programs.set(program.id, program);
    this.#options.onProcess(program.info);
    return program.id;
  }

  #manage(child: Spawned, about: ProgramDescription): ManagedProcess {
    // SGLang starts it with stderr in stdout.
    const print = (text: string): void =>
      this.#options.output({ kind: 'stream', name: 'stdout', text });
    const lines = new RuntimeLines(print, (text) => this.#notice('warning', text));
    const managed = new ManagedProcess(child, about, (text) => {
      if (about.kind === 'runtime') this.#log('info', text.trimEnd());
      if (about.kind === 'runtime') lines.push(text);
      else print(text);
    });
    this.#reaper.add(managed.pid);
    void managed.exited.then(() => {
      lines.end();
      this.#reaper.remove(managed.pid);
      // A runtime's supervisor tells of its ends, which may not be for good.
      if (this.#programs.get(managed.id) === managed) this.#options.onProcess(managed.info);
      return undefined;
    });
    return managed;
  }

  async #kill(pid: number): Promise<JsonValue> {
    if (this.#standIns.has(pid)) this.#standIns.set(pid, -15);
    else await this.#end(this.#program(pid));
    return null;
  }

  /** Settles when it is gone and its last words are in the cell. */
  async #end(program: BackgroundProgram): Promise<void> {
    await program.kill();
    if (program.exit !== null) await program.exited;
  }

  #exitCode(pid: number): number | null {
    const standIn = this.#standIns.get(pid);
    if (standIn !== undefined) return standIn;
    const { exit } = this.#program(pid);
    return exit === null ? null : (exit.code ?? -15);
  }

  async #wait(pid: number, timeout: number | null, signal: AbortSignal): Promise<JsonValue> {
    if (this.#standIns.has(pid)) return this.#exitCode(pid) ?? 0;
    const late = new ProcessError(
      'TimeoutError',
      `Process ${pid} still runs after ${timeout} seconds.`,
    );
    await settled(this.#program(pid).exited, timeout, late, signal);
    return this.#exitCode(pid);
  }

  #program(id: number): BackgroundProgram {
    const program = this.#programs.get(id);
    if (program === undefined)
      throw new ProcessError('ProcessLookupError', `This kernel did not start a process ${id}.`);
    return program;
  }

  /* ---------------------------------------------------------------- servers */

  async #waitForServer(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    const asked = stringField(message, 'url').replace(/\/+$/, '');
    const { endpoint, endpointOptions } = this.#options;
    const isEndpoint = endpoint !== null && isLoopback(asked);
    const url = isEndpoint ? endpoint : loopbackUrl(asked);
    const program = isEndpoint ? null : this.#launchedAt(url);
    const state = isEndpoint ? null : await this.serverState(url, 'now', signal);
    const apiKey = program?.info.key ?? state?.key ?? null;
    const urls = url.split(',').map((each) => each.trim().replace(/\/+$/, ''));
    const isBehindSsh = urls.every(isSshUrl);
    await waitForServer(
      {
        urls,
        local: { state: (each, moment, until) => this.#tunnelState(each, moment, until) },
        hopeless: () => (isBehindSsh ? this.#tunnels.hopeless(urls) : null),
        access: isEndpoint ? (endpointOptions ?? {}) : apiKey === null ? {} : { apiKey },
        timeout: timeoutOf(message),
        program,
        isTold: program instanceof SupervisedRuntime,
        onDeath: (dead) => this.#told.add(dead),
        onSlow: () =>
          this.#notice(
            'warning',
            `Still waiting for a server at ${asked}; no cell of this kernel has started one there.`,
          ),
      },
      signal,
    );
    this.#readyNote();
    return null;
  }

  /** Programs of this kernel are watched themselves while they start. */
  async #tunnelState(
    url: string,
    moment: StateMoment,
    signal: AbortSignal,
  ): Promise<LocalServerState | null> {
    return isSshUrl(url) ? this.#tunnels.state(url, moment, signal) : null;
  }

  /** The latest launch there; one whose failure a cell was told of is past. */
  #launchedAt(url: string): BackgroundProgram | null {
    const programs = [...this.#programs.values()];
    return programs.findLast((program) => program.url === url && !this.#told.has(program)) ?? null;
  }

  /** SGLang's helper ends with a note of this kind, shown like the notebook's own output. */
  #readyNote(): void {
    const text =
      'NOTE: The server is ready. It runs beside this notebook, so its log lines appear among the ' +
      'outputs of the cells; what the notebook itself prints with print_highlight looks like this.';
    const payload: HighlightPayload = { text };
    const data = { [HIGHLIGHT_MIME]: payload, 'text/plain': text };
    this.#options.output({ kind: 'display', data, displayId: null });
  }

  #notice(severity: NoticePayload['severity'], text: string): void {
    const payload: NoticePayload = { severity, text };
    this.#options.output({
      kind: 'display',
      data: { [NOTICE_MIME]: payload, 'text/plain': text },
      displayId: null,
    });
  }

  #log(level: 'info' | 'warn' | 'error', text: string): void {
    this.#options.log?.(level, text);
  }

  /* ---------------------------------------------------------------- environment */

  #spawnOptions(message: BridgeMessage, extra: Readonly<Record<string, string>>): SpawnOptions {
    const { cwd, environment } = this.#context(message);
    return {
      cwd,
      env: { ...environment, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    };
  }

  /** Folder and environment of the cell at this moment: `os.chdir` and `os.environ` count. */
  #context(message: BridgeMessage): {
    readonly cwd: string;
    readonly environment: Readonly<Record<string, string>>;
  } {
    const changes = Object.entries(Object(message['env']) as Readonly<Record<string, unknown>>);
    const environment = { ...this.#options.environment };
    for (const [name, value] of changes) {
      if (typeof value === 'string') environment[name] = value;
      else delete environment[name];
    }
    return {
      cwd: typeof message['cwd'] === 'string' ? message['cwd'] : this.#options.cwd,
      environment,
    };
  }
}

function pidOf(message: BridgeMessage): number {
  return Number(message['pid']);
}

function timeoutOf(message: BridgeMessage): number | null {
  return typeof message['timeout'] === 'number' ? message['timeout'] : null;
}

function pythonType(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'KeyboardInterrupt';
  if (error instanceof ProcessError) return error.pythonType;
  return error instanceof ShellError ? 'OSError' : 'RuntimeError';
}

function settled<T>(
  promise: Promise<T>,
  seconds: number | null,
  late: Error,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = seconds === null ? null : setTimeout(() => reject(late), seconds * 1_000);
    const abort = (): void => reject(late);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).finally(() => {
      if (timer !== null) clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  });
}
