/** Kernel outputs of one run → the outputs that the notebook file keeps, in nbformat's shape. */
import type { NotebookOutput } from '../notebook-format/document.ts';
import type { JsonObject, JsonValue } from '../notebook-format/json.ts';
import type { KernelError, KernelOutput } from '../protocol/kernel-protocol.ts';
import type { MimeBundle } from '../protocol/output-payloads.ts';

type Entry =
  | { readonly kind: 'stream'; readonly name: string; readonly parts: string[] }
  | { readonly kind: 'json'; json: JsonObject };

type Display = Extract<Entry, { kind: 'json' }>;

/** Displays by id, over all cells of a run: a later cell may update an earlier one's. */
export type DisplayTable = Map<string, Display[]>;

export class OutputRecorder {
  #entries: Entry[] = [];
  #clearNext = false;
  readonly #displays: DisplayTable;

  constructor(displays: DisplayTable) {
    this.#displays = displays;
  }

  add(output: KernelOutput): void {
    if (output.kind === 'clear') {
      if (output.wait) this.#clearNext = true;
      else this.#entries = [];
      return;
    }
    if (output.kind === 'update') {
      this.#update(output.displayId, output.data);
      return;
    }
    if (this.#clearNext) this.#entries = [];
    this.#clearNext = false;
    switch (output.kind) {
      case 'stream':
        this.#stream(output.name, output.text);
        break;
      case 'display':
        this.#display(displayData(output.data), output.displayId);
        break;
      case 'result':
        this.#display(executeResult(output.data, output.executionOrder), null);
        break;
      case 'error':
        this.#display(errorOutput(output.error), null);
        break;
      default:
        output satisfies never;
    }
  }

  outputs(): NotebookOutput[] {
    return this.#entries.map((entry) => ({
      json:
        entry.kind === 'json'
          ? entry.json
          : { output_type: 'stream', name: entry.name, text: entry.parts.join('') },
    }));
  }

  #stream(name: string, text: string): void {
    const last = this.#entries.at(-1);
    if (last?.kind === 'stream' && last.name === name) last.parts.push(text);
    else this.#entries.push({ kind: 'stream', name, parts: [text] });
  }

  #display(json: JsonObject, displayId: string | null): void {
    const entry: Display = { kind: 'json', json };
    this.#entries.push(entry);
    if (displayId === null) return;
    this.#displays.set(displayId, [...(this.#displays.get(displayId) ?? []), entry]);
  }

  #update(displayId: string, data: MimeBundle): void {
    for (const entry of this.#displays.get(displayId) ?? []) {
      entry.json = { ...entry.json, data: bundle(data) };
    }
  }
}

function bundle(data: MimeBundle): JsonObject {
  // SAFETY: bundles arrive as JSON from the kernel process.
  return data as JsonObject;
}

function displayData(data: MimeBundle): JsonObject {
  return { output_type: 'display_data', data: bundle(data), metadata: {} };
}

function executeResult(data: MimeBundle, executionCount: number): JsonObject {
  const output: Record<string, JsonValue> = {
    output_type: 'execute_result',
    execution_count: executionCount,
    data: bundle(data),
    metadata: {},
  };
  return output;
}

function errorOutput({ name, message, traceback }: KernelError): JsonObject {
  return { output_type: 'error', ename: name, evalue: message, traceback: traceback.split('\n') };
}
