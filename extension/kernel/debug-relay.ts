/**
 * Between a debugger and the Python stacks that stand still for it. A stack waits in its call as in
 * `input()`; one of them speaks, others wait for their turn. Whatever happens to the debugger or the
 * run, no stack is left waiting.
 */
import type {
  DebugCommand,
  DebugControl,
  DebugEvent,
  StackCommand,
} from '../protocol/debug-protocol.ts';
import type { JsonValue } from '../protocol/kernel-protocol.ts';
import type { BridgeMessage } from './guest/guest.ts';

type Stopped = DebugEvent & { readonly kind: 'stopped' };
type Answered = DebugEvent & { readonly kind: 'answer' | 'refusal' };

interface Stack {
  readonly stopped: Stopped;
  /** Gives the waiting call its answer; `null` while the stack works on a command. */
  answer: ((command: StackCommand) => void) | null;
}

export interface DebugRelayOptions {
  readonly send: (event: DebugEvent) => void;
  /** To the guest, whatever it does. */
  readonly control: (command: DebugControl) => void;
}

const GO_ON: StackCommand = { kind: 'resume', step: 'continue' };
/** Milliseconds that others wait for a stack that makes a step: its next stop should not be theirs. */
const STEP = 300;

export class DebugRelay {
  readonly #options: DebugRelayOptions;
  /** Those that wait for their turn, in the order in which they came. */
  #waiting: Stack[] = [];
  #speaker: Stack | null = null;
  /** Thread of the stack that makes a step. */
  #stepping: number | null = null;
  #patience: NodeJS.Timeout | null = null;
  /** For the speaker, while it works on another one. */
  #commands: StackCommand[] = [];
  /** What the speaker works on. */
  #asked: StackCommand | null = null;
  #attached = false;
  /** Since the last run ended. */
  #pauseAsked = false;

  constructor(options: DebugRelayOptions) {
    this.#options = options;
  }

  /** From the debugger. */
  receive(command: DebugCommand): void {
    switch (command.kind) {
      case 'resume':
      case 'ask':
        if (this.#speaker === null) return this.#refuse([command]);
        this.#commands.push(command);
        return this.#obey();
      case 'detach':
        return this.detach();
      case 'breakpoints':
      case 'exceptions':
      case 'pause':
      case 'forget_pause':
        this.#attached = true;
        if (command.kind === 'pause') this.#pauseAsked = true;
        return this.#options.control(command);
      default:
        command satisfies never;
    }
  }

  /** From a traced stack. Settles with its next command when it stands still, else at once. */
  call(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    // SAFETY: `_sgl_debug.py` builds events to this type.
    const event = message['event'] as unknown as DebugEvent;
    if (event.kind === 'log' || event.kind === 'continued') {
      this.#options.send(event);
      return Promise.resolve(null);
    }
    const stack = event.kind === 'stopped' ? this.#stop(event) : this.#answered(event);
    if (stack === null || signal.aborted) return Promise.resolve({ ...GO_ON });
    return new Promise((resolve, reject) => {
      const interrupted = (): void => {
        stack.answer = null;
        this.#forget(stack);
        reject(new Error('interrupted'));
      };
      signal.addEventListener('abort', interrupted, { once: true });
      stack.answer = (command) => {
        stack.answer = null;
        signal.removeEventListener('abort', interrupted);
        resolve(command);
      };
      this.#obey();
    });
  }

  /** The debugger is gone: nothing stops any more, and what stands still goes on. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.#pauseAsked = false;
    this.#options.control({ kind: 'detach' });
    this.runEnded();
  }

  /** No stack of the run is waited for. */
  runEnded(): void {
    const stacks = [this.#speaker, ...this.#waiting];
    this.#speaker = null;
    this.#waiting = [];
    this.#stepOver();
    this.#refuseAll();
    if (this.#pauseAsked) this.#options.control({ kind: 'forget_pause' });
    this.#pauseAsked = false;
    for (const stack of stacks) stack?.answer?.(GO_ON);
  }

  #stop(stopped: Stopped): Stack | null {
    if (!this.#attached) return null;
    const stack: Stack = { stopped, answer: null };
    if (stopped.thread.id === this.#stepping) {
      this.#stepOver();
      this.#waiting.unshift(stack);
    } else this.#waiting.push(stack);
    this.#announce();
    return stack;
  }

  #answered(event: Answered): Stack | null {
    if (this.#speaker?.stopped.thread.id !== event.thread) return null;
    this.#asked = null;
    this.#options.send(event);
    return this.#speaker;
  }

  /** The next stack begins to speak, if none does and none is waited for. */
  #announce(): void {
    if (this.#speaker !== null || this.#stepping !== null) return;
    this.#speaker = this.#waiting.shift() ?? null;
    if (this.#speaker !== null) this.#options.send(this.#speaker.stopped);
  }

  /** Hands the speaker its next command, if it waits for one. */
  #obey(): void {
    const answer = this.#speaker?.answer;
    const command = answer ? this.#commands.shift() : undefined;
    if (!answer || command === undefined) return;
    if (command.kind === 'resume') {
      const thread = this.#speaker?.stopped.thread.id ?? null;
      this.#speaker = null;
      this.#refuseAll();
      if (command.step !== 'continue') this.#beginStep(thread);
    }
    this.#asked = command.kind === 'ask' ? command : null;
    answer(command);
    this.#announce();
  }

  #beginStep(thread: number | null): void {
    this.#stepping = thread;
    this.#patience = setTimeout(() => {
      this.#stepOver();
      this.#announce();
    }, STEP);
  }

  #stepOver(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    this.#stepping = null;
  }

  /** The stack was interrupted. */
  #forget(stack: Stack): void {
    this.#waiting = this.#waiting.filter((each) => each !== stack);
    if (this.#speaker !== stack) return;
    this.#speaker = null;
    this.#refuseAll();
    this.#options.send({ kind: 'continued', thread: stack.stopped.thread.id });
    this.#announce();
  }

  /** What was asked of a stack that goes on. */
  #refuseAll(): void {
    const asked = this.#asked === null ? [] : [this.#asked];
    this.#asked = null;
    this.#refuse([...asked, ...this.#commands.splice(0)]);
  }

  #refuse(commands: readonly StackCommand[]): void {
    for (const command of commands) {
      if (command.kind !== 'ask') continue;
      const message = 'The program runs; its values can be seen where it stops.';
      this.#options.send({ kind: 'refusal', id: command.id, thread: null, message });
    }
  }
}
