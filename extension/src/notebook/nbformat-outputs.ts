/** nbformat's output JSON ⇄ VS Code's outputs. */
import { NotebookCellOutput, NotebookCellOutputItem } from 'vscode';
import type { NotebookOutput } from '../../notebook-format/document.ts';
import type { JsonObject, JsonValue } from '../../notebook-format/json.ts';
import { INPUT_MIME } from '../../protocol/output-payloads.ts';
import { toBase64 } from './base64.ts';
import type { SglnbOutputMetadata } from './file-data.ts';
import { bundleItems, isBinaryMime } from './output-items.ts';

const ERROR_MIME = 'application/vnd.code.notebook.error';
const STDOUT_MIME = 'application/vnd.code.notebook.stdout';
const STDERR_MIME = 'application/vnd.code.notebook.stderr';

export function toVsCodeOutput(output: NotebookOutput): NotebookCellOutput {
  const metadata: SglnbOutputMetadata = { nbformat: output.text ?? JSON.stringify(output.json) };
  return new NotebookCellOutput(itemsOf(output.json), { ...metadata });
}

function itemsOf(json: JsonObject): NotebookCellOutputItem[] {
  const type = json['output_type'];
  switch (typeof type === 'string' ? type : '') {
    case 'stream': {
      const text = joined(json['text']);
      return [
        json['name'] === 'stderr'
          ? NotebookCellOutputItem.stderr(text)
          : NotebookCellOutputItem.stdout(text),
      ];
    }
    case 'error': {
      const traceback = joined(json['traceback'], '\n');
      return [
        NotebookCellOutputItem.error({
          name: joined(json['ename']),
          message: joined(json['evalue']),
          stack: traceback,
        }),
      ];
    }
    default:
      return bundleItems(bundleOf(json['data']));
  }
}

/** nbformat splits long text into lists of lines. */
function joined(value: JsonValue | undefined, separator = ''): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value)
    ? value.filter((line) => typeof line === 'string').join(separator)
    : '';
}

function bundleOf(data: JsonValue | undefined): { readonly 'text/plain': string } {
  const entries =
    typeof data === 'object' && data !== null && !Array.isArray(data) ? Object.entries(data) : [];
  const bundle = Object.fromEntries(
    entries.map(([mime, value]) => [
      mime,
      Array.isArray(value) && !mime.endsWith('json') ? joined(value) : value,
    ]),
  );
  return { 'text/plain': '', ...bundle };
}

/** An output read from the file and not run again is written back as it stood there. */
export function fromVsCodeOutput(
  output: NotebookCellOutput,
  executionCount: number | null,
): NotebookOutput {
  const original: unknown = output.metadata?.['nbformat'];
  if (typeof original === 'string') {
    // SAFETY: `toVsCodeOutput` stored an object's JSON here, and nobody else writes this key.
    return { json: JSON.parse(original) as JsonObject, text: original };
  }
  return { json: jsonOf(output, executionCount) };
}

function jsonOf(output: NotebookCellOutput, executionCount: number | null): JsonObject {
  const first = output.items[0];
  const text = (item: NotebookCellOutputItem) => new TextDecoder().decode(item.data);
  if (first?.mime === STDOUT_MIME || first?.mime === STDERR_MIME) {
    return {
      output_type: 'stream',
      name: first.mime === STDOUT_MIME ? 'stdout' : 'stderr',
      text: output.items.map(text).join(''),
    };
  }
  if (first?.mime === ERROR_MIME) return errorJson(text(first));
  // A question that waits: the file keeps what it asks.
  if (first?.mime === INPUT_MIME) {
    const plain = output.items.find(({ mime }) => mime === 'text/plain');
    return { output_type: 'stream', name: 'stdout', text: plain ? text(plain) : '' };
  }
  const data = Object.fromEntries(output.items.map((item) => [item.mime, bundleValue(item, text)]));
  const isResult = output.metadata?.['result'] === true;
  return isResult
    ? { output_type: 'execute_result', execution_count: executionCount, data, metadata: {} }
    : { output_type: 'display_data', data, metadata: {} };
}

function bundleValue(
  item: NotebookCellOutputItem,
  text: (item: NotebookCellOutputItem) => string,
): JsonValue {
  if (isBinaryMime(item.mime)) return toBase64(item.data);
  if (!item.mime.endsWith('json')) return text(item);
  // SAFETY: JSON.parse yields JSON.
  return JSON.parse(text(item)) as JsonValue;
}

function errorJson(text: string): JsonObject {
  // SAFETY: VS Code writes its error items as {name, message, stack}; missing parts become ''.
  const error = JSON.parse(text) as { name?: string; message?: string; stack?: string };
  return {
    output_type: 'error',
    ename: error.name ?? '',
    evalue: error.message ?? '',
    traceback: (error.stack ?? '').split('\n'),
  };
}
