/**
 * Random traffic on one runtime for a while: forks, lists, streams that break off, aborts, constraints,
 * log probabilities, nonsense; cells and sequences scarce. As a program:
 *
 *     node test/support/runtime-soak.ts [seconds]     600 if left out
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Json, RuntimeProcess } from '../process/runtime-process.ts';

export interface SoakReport {
  readonly seconds: number;
  readonly requests: number;
  /** Broken off by the client, by `/abort_request`, or in the queue. */
  readonly aborted: number;
  readonly errors: readonly string[];
  /** Violations of the conservation law, looked for all the time. */
  readonly violations: readonly string[];
  /** Resident memory of the process in MiB, once a second; empty where the system does not tell. */
  readonly memory: readonly number[];
  /** State at the end, when nothing runs. */
  readonly end: Json;
  /** State after `/flush_cache`. */
  readonly flushed: Json;
  /** Exit code after SIGTERM. */
  readonly exitCode: number | null;
}

const FLAGS =
  '--max-total-tokens 256 --context-length 250 --max-running-requests 12 --hicache-size 0.02';
const PARALLEL = 8;
const WORDS =
  'the capital of France Germany is a large town with many people and rivers in it'.split(' ');
const PATTERNS: readonly string[] = [
  '[0-9]{2}-[0-9]{2}',
  '\\{"name": "[a-z]{1,8}", "house": "(north|south)"\\}',
  '(yes|no), because [a-z ]{1,20}\\.',
];

/** Runs for `seconds`; the same `seed` makes the same requests, in whatever order they finish. */
export async function soak(seconds: number, seed = 1): Promise<SoakReport> {
  const runtime = await RuntimeProcess.start([...FLAGS.split(' '), '--log-level', 'error']);
  try {
    const traffic = new Traffic(runtime, seed);
    const over = performance.now() + seconds * 1000;
    const memory: number[] = [];
    const watch = async (): Promise<void> => {
      while (performance.now() < over) {
        await traffic.checkLaw();
        memory.push(...residentMemory(runtime.child.pid));
        await sleep(1000);
      }
    };
    await Promise.all([
      watch(),
      ...Array.from({ length: PARALLEL }, async () => {
        while (performance.now() < over) await traffic.one();
      }),
    ]);
    const end = await idleState(runtime);
    await traffic.checkLaw();
    await runtime.post('/flush_cache', '');
    const flushed = await idleState(runtime);
    runtime.child.kill('SIGTERM');
    const exitCode = await runtime.exited;
    const { requests, aborted, errors, violations } = traffic;
    return { seconds, requests, aborted, errors, violations, memory, end, flushed, exitCode };
  } finally {
    await runtime.stop();
  }
}

class Traffic {
  requests = 0;
  aborted = 0;
  readonly errors: string[] = [];
  readonly violations: string[] = [];
  readonly #runtime: RuntimeProcess;
  #state: number;

  constructor(runtime: RuntimeProcess, seed: number) {
    this.#runtime = runtime;
    this.#state = (seed * 7919) % 2_147_483_647;
  }

  async checkLaw(): Promise<void> {
    const { body } = await this.#runtime.get('/dump_state');
    if (body.violation !== null) this.violations.push(body.violation);
  }

  async one(): Promise<void> {
    this.requests += 1;
    try {
      await this.#request(this.#random(10));
    } catch (error) {
      const isAbort = error instanceof Error && error.name === 'AbortError';
      if (isAbort) this.aborted += 1;
      else this.errors.push(String(error));
    }
  }

  async #request(kind: number): Promise<void> {
    switch (kind) {
      case 0:
        return this.#constrained();
      case 1:
        return this.#scored();
      case 2:
        return this.#list();
      case 3:
        return this.#brokenOff();
      case 4:
        return this.#abortedByName();
      case 5:
        return this.#nonsense();
      default:
        return this.#plain(kind % 2 === 0);
    }
  }

  async #plain(stream: boolean): Promise<void> {
    const body = { text: this.#prompt(), sampling_params: this.#sampling(), stream };
    if (stream) await this.#runtime.events('/generate', body);
    else this.#expect((await this.#runtime.generate(body)).meta_info.finish_reason !== null, body);
  }

  async #constrained(): Promise<void> {
    const regex = PATTERNS[this.#random(PATTERNS.length)] ?? '';
    const sampling_params = { ...this.#sampling(), max_new_tokens: 60, stop: [], regex };
    const { text } = await this.#runtime.generate({ text: this.#prompt(), sampling_params });
    this.#expect(new RegExp(`^${regex}$`).test(text), { regex, text });
  }

  async #scored(): Promise<void> {
    const stem = this.#prompt();
    const text = ['Paris', 'Berlin', 'a river'].map((end) => `${stem} ${end}`);
    const options = { return_logprob: true, logprob_start_len: 2 };
    const sampling_params = { max_new_tokens: 0, temperature: 0 };
    const results: Json[] = await this.#runtime.generate({ text, sampling_params, ...options });
    for (const { meta_info } of results) {
      const scored = meta_info.input_token_logprobs.length;
      this.#expect(scored === meta_info.prompt_tokens - 2, meta_info);
    }
  }

  async #list(): Promise<void> {
    const sampling_params = { ...this.#sampling(), n: 1 + this.#random(6) };
    const text = [this.#prompt(), this.#prompt()];
    const results: Json[] = await this.#runtime.generate({ text, sampling_params });
    this.#expect(results.length === 2 * sampling_params.n, results.length);
  }

  async #brokenOff(): Promise<void> {
    const gone = new AbortController();
    setTimeout(() => gone.abort(), this.#random(60));
    const sampling_params = { ...this.#sampling(), max_new_tokens: 150, ignore_eos: true };
    const body = { text: this.#prompt(), sampling_params, stream: this.#random(2) === 0 };
    await this.#runtime.events('/generate', body, gone.signal);
  }

  async #abortedByName(): Promise<void> {
    const rid = `soak-${this.requests}`;
    const sampling_params = { max_new_tokens: 150, ignore_eos: true };
    const answer = this.#runtime.post('/generate', { text: this.#prompt(), sampling_params, rid });
    await sleep(this.#random(30));
    await this.#runtime.post('/abort_request', { rid });
    const { status, body } = await answer;
    if (status === 200 && body.meta_info.finish_reason.type === 'abort') this.aborted += 1;
    this.#expect(status === 200, body);
  }

  /** Refused with a reason. */
  async #nonsense(): Promise<void> {
    const bodies = [
      '{',
      { text: 'x', sampling_params: { temperature: -1 } },
      { text: 'x', sampling_params: { regex: '(' } },
      { text: 'long '.repeat(500) },
    ];
    const { status } = await this.#runtime.post('/generate', bodies[this.#random(bodies.length)]);
    this.#expect(status === 400, status);
  }

  /** Begins like others, as the prompts of programs do. */
  #prompt(): string {
    const words = Array.from({ length: this.#random(12) }, (_, i) => {
      const branch = i < 6 ? this.#random(2) : this.#random(WORDS.length);
      return WORDS[(i + branch) % WORDS.length];
    });
    return `You are a helpful assistant. Answer in one short sentence, without any thanks. ${words.join(' ')}`;
  }

  #sampling(): Record<string, number | boolean | string[]> {
    return {
      max_new_tokens: 1 + this.#random(40),
      temperature: this.#random(2) * 0.8,
      ignore_eos: this.#random(2) === 0,
      ...(this.#random(4) === 0 ? { stop: ['.', ' and'] } : {}),
      ...(this.#random(4) === 0 ? { frequency_penalty: 0.5 } : {}),
    };
  }

  #expect(holds: boolean, what: unknown): void {
    if (!holds) this.errors.push(`unexpected: ${JSON.stringify(what)}`);
  }

  #random(below: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % below;
  }
}

/** The state once everything that was aborted is gone. */
async function idleState(runtime: RuntimeProcess): Promise<Json> {
  for (let tries = 0; ; tries += 1) {
    const { body } = await runtime.get('/dump_state');
    if (body.requests.length === 0 || tries > 100) return body;
    await sleep(50);
  }
}

function residentMemory(pid: number | undefined): number[] {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return [Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024];
  } catch {
    return [];
  }
}

/** Growth of the memory in MiB from the second to the last quarter of the run. */
export function growth(memory: readonly number[]): number {
  const quarter = memory.length >> 2;
  const mean = (from: number): number =>
    memory.slice(from, from + quarter).reduce((sum, value) => sum + value, 0) / quarter;
  return mean(memory.length - quarter) - mean(quarter);
}

if (import.meta.main) {
  const report = await soak(Number(process.argv[2] ?? 600));
  const { state } = report.end;
  const minute = report.memory.filter((_, second) => second % 60 === 0);
  console.log(`${report.requests} requests in ${report.seconds} s, ${report.aborted} aborted`);
  console.log(
    `steps ${state.steps}, tokens ${state.generatedTokens}, forced ${state.forcedTokens}`,
  );
  console.log(`retractions ${state.retractions}, host tokens ${state.host.tokens}`);
  console.log(`errors: ${report.errors.length}; violations: ${report.violations.length}`);
  for (const line of [...report.errors, ...report.violations].slice(0, 20))
    console.log(`  ${line}`);
  console.log(`memory by minute, MiB: ${minute.map((value) => value.toFixed(0)).join(' ')}`);
  console.log(
    `growth from the second to the last quarter: ${growth(report.memory).toFixed(1)} MiB`,
  );
  console.log(
    `at the end: ${JSON.stringify(state.cells)}, flushed: ${JSON.stringify(report.flushed.state.cells)}`,
  );
  process.exitCode = report.errors.length + report.violations.length > 0 ? 1 : 0;
}
