/**
 * Pure: kernel outputs of one run → what to do with the cell's outputs. Streams grow one output,
 * updates replace theirs in place, and a flood of displays ends in one text output, because the
 * workbench draws only 500 outputs of a cell.
 */
import type { KernelError, KernelOutput } from '../../protocol/kernel-protocol.ts';
import { INPUT_MIME, type InputPayload, type MimeBundle } from '../../protocol/output-payloads.ts';

export type CellCommand =
  | { readonly kind: 'append'; readonly content: OutputContent }
  /** Adds text to the stream output at `index`. */
  | { readonly kind: 'extend'; readonly index: number; readonly text: string }
  | { readonly kind: 'replace'; readonly index: number; readonly content: OutputContent }
  | { readonly kind: 'clear' };

/** What a cell shows: outputs of the kernel, and questions until they are answered. */
export type ShownOutput =
  | KernelOutput
  | { readonly kind: 'question'; readonly question: InputPayload }
  /** `text` takes the question's place. */
  | { readonly kind: 'answered'; readonly id: string; readonly text: string };

export type OutputContent =
  | { readonly kind: 'stream'; readonly name: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'bundle'; readonly data: MimeBundle; readonly executionOrder: number | null }
  | { readonly kind: 'error'; readonly error: KernelError };

/** Outputs after which further displays become text of one stream. */
export const MOST_OUTPUTS = 450;

export interface CellRunState {
  readonly count: number;
  readonly lastStream: 'stdout' | 'stderr' | null;
  readonly displays: ReadonlyMap<string, number>;
  /** `clear_output(wait=True)`: clear when the next output arrives. */
  readonly clearPending: boolean;
}

export const emptyRun: CellRunState = {
  count: 0,
  lastStream: null,
  displays: new Map(),
  clearPending: false,
};

export interface Reduction {
  readonly state: CellRunState;
  readonly commands: readonly CellCommand[];
}

export function reduceOutput(state: CellRunState, output: ShownOutput): Reduction {
  if (output.kind === 'clear') {
    if (output.wait) return { state: { ...state, clearPending: true }, commands: [] };
    return { state: emptyRun, commands: [{ kind: 'clear' }] };
  }
  if (!state.clearPending) return place(state, output);
  const { state: next, commands } = place(emptyRun, output);
  return { state: next, commands: [{ kind: 'clear' }, ...commands] };
}

function place(state: CellRunState, output: Exclude<ShownOutput, { kind: 'clear' }>): Reduction {
  switch (output.kind) {
    case 'stream':
      return stream(state, output.name, output.text);
    case 'display':
      if (state.count >= MOST_OUTPUTS)
        return stream(state, 'stdout', `${output.data['text/plain']}\n`);
      return append(
        state,
        { kind: 'bundle', data: output.data, executionOrder: null },
        output.displayId,
      );
    case 'result':
      return append(
        state,
        { kind: 'bundle', data: output.data, executionOrder: output.executionOrder },
        null,
      );
    case 'update': {
      const index = state.displays.get(output.displayId);
      const content = { kind: 'bundle', data: output.data, executionOrder: null } as const;
      if (index === undefined) return append(state, content, output.displayId);
      return { state, commands: [{ kind: 'replace', index, content }] };
    }
    case 'error':
      return append(state, { kind: 'error', error: output.error }, null);
    case 'question': {
      const data = { [INPUT_MIME]: output.question, 'text/plain': output.question.prompt };
      return append(state, { kind: 'bundle', data, executionOrder: null }, output.question.id);
    }
    case 'answered':
      return answered(state, output.id, output.text);
    default:
      return output satisfies never;
  }
}

function stream(state: CellRunState, name: 'stdout' | 'stderr', text: string): Reduction {
  if (state.lastStream === name) {
    return { state, commands: [{ kind: 'extend', index: state.count - 1, text }] };
  }
  return {
    state: { ...state, count: state.count + 1, lastStream: name },
    commands: [{ kind: 'append', content: { kind: 'stream', name, text } }],
  };
}

/** The question's place becomes a stream, which goes on with what is printed next. */
function answered(state: CellRunState, id: string, text: string): Reduction {
  const index = state.displays.get(id);
  // The cell was cleared while it waited.
  if (index === undefined) return stream(state, 'stdout', text);
  const isLast = index === state.count - 1;
  return {
    state: isLast ? { ...state, lastStream: 'stdout' } : state,
    commands: [{ kind: 'replace', index, content: { kind: 'stream', name: 'stdout', text } }],
  };
}

function append(state: CellRunState, content: OutputContent, displayId: string | null): Reduction {
  const displays =
    displayId === null ? state.displays : new Map(state.displays).set(displayId, state.count);
  return {
    state: { ...state, count: state.count + 1, lastStream: null, displays },
    commands: [{ kind: 'append', content }],
  };
}

/**
 * Joins what piled up since the last flush: texts for one stream output become one, and only the
 * last of several replacements of an output is kept. Order is otherwise unchanged.
 */
export function coalesce(commands: readonly CellCommand[]): CellCommand[] {
  const kept: CellCommand[] = [];
  const replacedAt = new Map<number, number>();
  for (const command of commands) {
    const last = kept.at(-1);
    if (command.kind === 'clear') {
      kept.length = 0;
      replacedAt.clear();
      kept.push(command);
    } else if (
      command.kind === 'extend' &&
      last?.kind === 'extend' &&
      last.index === command.index
    ) {
      kept[kept.length - 1] = { ...last, text: last.text + command.text };
    } else if (command.kind === 'replace' && replacedAt.has(command.index)) {
      kept[replacedAt.get(command.index) ?? 0] = command;
    } else {
      if (command.kind === 'replace') replacedAt.set(command.index, kept.length);
      kept.push(command);
    }
  }
  return kept;
}
