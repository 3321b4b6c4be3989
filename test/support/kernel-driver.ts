/** Drives a real kernel process in tests: sends requests, collects events, ends with nothing running. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeMessage,
  MessageReader,
  type EndpointOptions,
  type GuestChoice,
  type KernelEvent,
  type KernelOutput,
  type KernelQuery,
  type KernelRequest,
  type RunOutcome,
} from '../../extension/protocol/kernel-protocol.ts';

const MAIN = join(import.meta.dirname, '../../extension/kernel/main.ts');

export interface DriverOptions {
  readonly guest?: GuestChoice;
  readonly endpoint?: string | null;
  readonly model?: string | null;
  readonly endpointOptions?: EndpointOptions;
  readonly answersModelRequests?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly main?: string;
  /** Executable that runs the kernel; this Node by default. */
  readonly node?: string;
  /** Notebook folder; a temporary one by default. */
  readonly cwd?: string;
  readonly cache?: string;
  readonly protocolVersion?: number;
}

export interface RunResult {
  readonly run: string;
  readonly outcome: RunOutcome;
  readonly outputs: readonly KernelOutput[];
  /** All text that the run printed, stdout and stderr in order. */
  readonly text: string;
  /** What it printed to stdout alone. */
  readonly printed: string;
  readonly milliseconds: number;
}

/** Snapshots are shared by all tests of a machine, so that only the first start is slow. */
export const TEST_CACHE = join(tmpdir(), 'sglang-notebooks-test-cache');

export class KernelDriver {
  readonly process: ChildProcessWithoutNullStreams;
  readonly cwd: string;
  readonly events: KernelEvent[] = [];
  readonly garbage: string[] = [];
  readonly exited: Promise<number | null>;
  readonly #ownsFolder: boolean;
  readonly #watchers = new Set<() => void>();
  #runs = 0;
  #queries = 0;
  #stderr = '';

  constructor(options: DriverOptions = {}) {
    this.#ownsFolder = options.cwd === undefined;
    this.cwd = options.cwd ?? mkdtempSync(join(tmpdir(), 'kernel-test-'));
    this.process = spawn(options.node ?? process.execPath, [options.main ?? MAIN], {
      env: { ...process.env, SGLANG_NOTEBOOKS_CACHE: options.cache ?? TEST_CACHE },
      stdio: 'pipe',
    });
    const reader = new MessageReader<KernelEvent>(
      (event) => this.#receive(event),
      (line) => this.garbage.push(line),
    );
    this.process.stdout.setEncoding('utf8').on('data', (text: string) => reader.push(text));
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.process.stdin.on('error', () => {});
    this.exited = new Promise((resolve) => this.process.once('exit', (code) => resolve(code)));
    void this.exited.then(() => this.wake());
    this.send({
      type: 'initialize',
      protocolVersion: options.protocolVersion ?? 1,
      cwd: this.cwd,
      guest: options.guest ?? { kind: 'wasm' },
      env: options.env ?? {},
      endpoint: options.endpoint ?? null,
      model: options.model ?? null,
      endpointOptions: options.endpointOptions ?? {},
      answersModelRequests: options.answersModelRequests ?? false,
    });
  }

  send(request: KernelRequest): void {
    this.process.stdin.write(encodeMessage(request));
  }

  /** Queues a cell; its id is `c-<label>`. Returns the name of the run. */
  execute(code: string, label = `cell ${this.#runs + 1}`, stopOnError = true): string {
    this.#runs += 1;
    const run = `run-${this.#runs}`;
    this.send({ type: 'execute', run, cell: { id: `c-${label}`, label }, code, stopOnError });
    return run;
  }

  async run(code: string, label?: string): Promise<RunResult> {
    return this.finished(this.execute(code, label));
  }

  async finished(run: string): Promise<RunResult> {
    const event = await this.event((each) => each.type === 'finished' && each.run === run);
    if (event.type !== 'finished') throw new Error('unreachable');
    const outputs = this.outputsOf(run);
    return {
      run,
      outcome: event.outcome,
      outputs,
      text: textOf(outputs),
      printed: textOf(outputs.filter((each) => each.kind === 'stream' && each.name === 'stdout')),
      milliseconds: event.milliseconds,
    };
  }

  outputsOf(run: string | null): readonly KernelOutput[] {
    return this.events.flatMap((event) =>
      event.type === 'output' && event.run === run ? [event.output] : [],
    );
  }

  textOf(run: string | null): string {
    return textOf(this.outputsOf(run));
  }

  /** The first event, past or future, for which `matches` holds. */
  async event(matches: (event: KernelEvent) => boolean): Promise<KernelEvent> {
    await this.until(() => this.events.some(matches));
    return this.events.find(matches)!;
  }

  /** Waits until `holds`; fails when the kernel ends before. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw new Error(
          `the kernel ended (${this.process.exitCode ?? this.process.signalCode}): ${this.#stderr}\n` +
            this.events.flatMap(spokenWords).slice(-5).join('\n'),
        );
      }
      await new Promise<void>((resolve) => {
        this.#watchers.add(resolve);
      });
    }
  }

  async query(query: KernelQuery): Promise<unknown> {
    this.#queries += 1;
    const id = this.#queries;
    this.send({ type: 'query', id, query });
    const event = await this.event(
      (each) => (each.type === 'reply' || each.type === 'reply_error') && each.id === id,
    );
    if (event.type === 'reply_error') throw new Error(event.message);
    return event.type === 'reply' ? event.result : null;
  }

  interrupt(): void {
    this.send({ type: 'interrupt' });
  }

  /** Shuts the kernel down, by force if need be. */
  async close(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null)
      this.send({ type: 'shutdown' });
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 15_000);
    const code = await this.exited;
    clearTimeout(timer);
    if (this.#ownsFolder) rmSync(this.cwd, { recursive: true, force: true });
    return code;
  }

  #receive(event: KernelEvent): void {
    this.events.push(event);
    this.wake();
  }

  /** Has whoever waits look again. */
  wake(): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher();
  }
}

function textOf(outputs: readonly KernelOutput[]): string {
  return outputs.map((output) => (output.kind === 'stream' ? output.text : '')).join('');
}

/** Python that gives `reportsIn` a value: `report(value)`. */
export const REPORT =
  'import json as _json\ndef report(value): print("\\x1e" + _json.dumps(value))\n';

/** The values that a run reported, in its order. */
export function reportsIn({ printed }: RunResult): readonly unknown[] {
  const [, ...reports] = printed.split('\u001E');
  return reports.map((line) => JSON.parse(line.split('\n', 1)[0] ?? '') as unknown);
}

/** What the kernel says about itself, for the message of a test that fails. */
function spokenWords(event: KernelEvent): readonly string[] {
  if (event.type === 'log') return [`${event.level}: ${event.message}`];
  return event.type === 'status' && event.reason !== null
    ? [`${event.status}: ${event.reason}`]
    : [];
}
