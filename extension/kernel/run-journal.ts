/**
 * What a driver that comes later must be told: the kernel's present state, and everything that unsettled
 * runs have shown. Streams are joined, replaced displays forgotten, and the size has a limit: a cell that
 * prints for ever without a window keeps its latest output.
 */
import type { AttachedRun } from '../protocol/attach-protocol.ts';
import { answeredText } from '../protocol/answered-text.ts';
import type {
  ChildProcessInfo,
  KernelEvent,
  KernelOutput,
  KernelRequest,
} from '../protocol/kernel-protocol.ts';

type Execute = KernelRequest & { readonly type: 'execute' };
type RunEvent = KernelEvent & { readonly type: 'output' | 'gen' };
type Question = KernelEvent & { readonly type: 'input_request' | 'model_request' };

/** Characters of outputs that are kept for all runs together. */
export const MOST_KEPT = 64 * 2 ** 20;
/** Characters up to which neighbouring stream outputs become one. */
const JOINED_STREAM = 2 ** 18;

interface Entry {
  event: RunEvent;
  size: number;
}

interface Journal {
  readonly request: Execute;
  startedAt: number | null;
  started: KernelEvent | null;
  entries: Entry[];
  /** Characters that were dropped at the beginning. */
  dropped: number;
  finished: KernelEvent | null;
  /** Its end went to a driver, who draws it unless its window goes away that moment. */
  seen: boolean;
}

export class RunJournal {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #runs = new Map<string, Journal>();
  readonly #processes = new Map<number, ChildProcessInfo>();
  /** By kind and number: each kind counts for itself. */
  readonly #questions = new Map<string, Question>();
  #ready: KernelEvent | null = null;
  #status: (KernelEvent & { readonly type: 'status' }) | null = null;
  #size = 0;

  /** `limit` in characters; `now` in milliseconds since 1970. */
  constructor(limit = MOST_KEPT, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  /** A run waits for its turn, runs, or waits for an answer. */
  get busy(): boolean {
    return [...this.#runs.values()].some((run) => run.finished === null);
  }

  request(request: KernelRequest): void {
    if (request.type === 'execute') {
      this.#runs.set(request.run, {
        request,
        startedAt: null,
        started: null,
        entries: [],
        dropped: 0,
        finished: null,
        seen: false,
      });
    } else if (request.type === 'input_reply') {
      this.#answer(request.request, request.value);
    } else if (request.type === 'model_reply') {
      this.#questions.delete(`model_request ${request.request}`);
    }
  }

  /** The cell of the driver shows what was asked and answered, and so does that of the next one. */
  #answer(request: number, value: string | null): void {
    const key = `input_request ${request}`;
    const question = this.#questions.get(key);
    this.#questions.delete(key);
    if (question?.type !== 'input_request') return;
    const { run, prompt, password } = question;
    const text = answeredText(prompt, password, value);
    this.#add({ type: 'output', run, output: { kind: 'stream', name: 'stdout', text } });
  }

  /** `driven`: a driver is there to see it. */
  event(event: KernelEvent, driven = false): void {
    switch (event.type) {
      case 'ready':
        this.#ready = event;
        return;
      case 'status':
        this.#status = event;
        return;
      case 'process':
        if (event.process.exit === null || event.process.failure)
          this.#processes.set(event.process.id, event.process);
        else this.#processes.delete(event.process.id);
        return;
      case 'input_request':
      case 'model_request':
        this.#questions.set(`${event.type} ${event.request}`, event);
        return;
      case 'started':
        return this.#start(event);
      case 'finished':
        return this.#finish(event, driven);
      case 'output':
      case 'gen':
        return this.#add(event);
      // These concern the driver of the moment only.
      case 'log':
      case 'debug':
      case 'reply':
      case 'reply_error':
        return;
      default:
        event satisfies never;
    }
  }

  /** The driver has seen the end of this run. */
  settled(run: string): void {
    const journal = this.#runs.get(run);
    if (journal?.finished === null || journal === undefined) return;
    for (const { size } of journal.entries) this.#size -= size;
    this.#runs.delete(run);
  }

  get runs(): AttachedRun[] {
    return [...this.#runs.values()].map(({ request, startedAt }) => ({
      run: request.run,
      cell: request.cell,
      code: request.code,
      startedAt,
    }));
  }

  /** In the order in which a new driver should get them. */
  replay(): KernelEvent[] {
    const runs = [...this.#runs.values()].flatMap((journal) => [
      ...(journal.started ? [journal.started] : []),
      ...(journal.dropped > 0 ? [droppedNote(journal)] : []),
      ...journal.entries.map(({ event }) => event),
      ...(journal.finished ? [journal.finished] : []),
    ]);
    const processes = [...this.#processes.values()].map((process) => ({
      type: 'process' as const,
      process,
    }));
    return [
      ...(this.#ready ? [this.#ready] : []),
      ...processes,
      ...runs,
      ...this.#questions.values(),
      ...(this.#status ? [presentStatus(this.#status)] : []),
    ];
  }

  #start(event: KernelEvent & { readonly type: 'started' }): void {
    const journal = this.#runs.get(event.run);
    if (!journal) return;
    journal.started = event;
    journal.startedAt = this.#now();
  }

  #finish(event: KernelEvent & { readonly type: 'finished' }, driven: boolean): void {
    const journal = this.#runs.get(event.run);
    if (journal) {
      journal.finished = event;
      journal.seen = driven;
    }
    for (const [key, question] of this.#questions) {
      if (question.run === event.run) this.#questions.delete(key);
    }
  }

  #add(event: RunEvent): void {
    const journal = event.run === null ? undefined : this.#runs.get(event.run);
    if (!journal) return;
    if (event.type === 'output') this.#forgetReplaced(journal, event.output);
    if (!this.#joined(journal, event)) this.#append(journal, event);
    while (this.#size > this.#limit && this.#shrink());
  }

  /** Forgets runs whose end was seen, then the oldest outputs; `false` when nothing more can go. */
  #shrink(): boolean {
    const journals = [...this.#runs.values()];
    const seen = journals.find((each) => each.seen);
    if (seen) {
      this.settled(seen.request.run);
      return true;
    }
    const longest = journals.find((each) => each.entries.length > 1);
    if (longest) this.#dropFirst(longest);
    return longest !== undefined;
  }

  /** A cleared cell shows nothing of what was before; an update shows only its latest. */
  #forgetReplaced(journal: Journal, output: KernelOutput): void {
    if (output.kind === 'clear' && !output.wait) this.#keep(journal, () => false);
    if (output.kind !== 'update') return;
    const id = output.displayId;
    this.#keep(
      journal,
      ({ event }) =>
        event.type !== 'output' || event.output.kind !== 'update' || event.output.displayId !== id,
    );
  }

  #keep(journal: Journal, wanted: (entry: Entry) => boolean): void {
    journal.entries = journal.entries.filter((entry) => {
      // Generations are no outputs: clearing a cell does not undo them.
      const kept = entry.event.type === 'gen' || wanted(entry);
      if (!kept) this.#size -= entry.size;
      return kept;
    });
  }

  #joined(journal: Journal, event: RunEvent): boolean {
    const last = journal.entries.at(-1);
    if (last?.event.type !== 'output' || event.type !== 'output') return false;
    const { output: before } = last.event;
    const { output } = event;
    if (before.kind !== 'stream' || output.kind !== 'stream' || before.name !== output.name)
      return false;
    if (last.size + output.text.length > JOINED_STREAM) return false;
    last.event = { ...last.event, output: { ...before, text: before.text + output.text } };
    last.size += output.text.length;
    this.#size += output.text.length;
    return true;
  }

  #append(journal: Journal, event: RunEvent): void {
    const size = sizeOf(event);
    journal.entries.push({ event, size });
    this.#size += size;
  }

  #dropFirst(journal: Journal): void {
    const first = journal.entries.shift();
    if (!first) return;
    this.#size -= first.size;
    journal.dropped += first.size;
  }
}

function sizeOf(event: RunEvent): number {
  if (event.type === 'output' && event.output.kind === 'stream') return event.output.text.length;
  return JSON.stringify(event).length;
}

function droppedNote({ request, dropped }: Journal): KernelEvent {
  const size = (dropped / 2 ** 20).toFixed(1);
  const text = `[${size} MiB of earlier output were dropped: this cell showed more than is kept for a window that comes back.]\n`;
  return { type: 'output', run: request.run, output: { kind: 'stream', name: 'stderr', text } };
}

/** A restart that happened long ago is no news. */
function presentStatus(event: KernelEvent & { readonly type: 'status' }): KernelEvent {
  return event.status === 'restarted' ? { ...event, status: 'idle' } : event;
}
