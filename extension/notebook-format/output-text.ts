/** What outputs in nbformat's shape say, as plain text; shared by the exports. */
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** MIME types of the SGLang kernel; the same names as in the kernel's output payloads. */
export const SGLANG_MIMES = {
  highlight: 'application/vnd.sglang.highlight+json',
  state: 'application/vnd.sglang.state+json',
  batch: 'application/vnd.sglang.batch+json',
  notice: 'application/vnd.sglang.notice+json',
} as const;

/** nbformat's multi-line strings: one string or a list of them. */
export function multilineText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value.map((part) => (typeof part === 'string' ? part : '')).join('');
}

const ESCAPE = String.fromCharCode(27);
const ANSI = new RegExp(
  `${ESCAPE}(?:\\[[0-?]*[ -/]*[@-~]|\\][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\)?|[@-Z\\\\^_])`,
  'g',
);

export function withoutAnsi(text: string): string {
  return text.includes(ESCAPE) ? text.replace(ANSI, '') : text;
}

export interface OutputImage {
  readonly mime: string;
  readonly base64: string;
}

export type OutputView =
  | { readonly kind: 'stream'; readonly name: string; readonly text: string }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'highlight'; readonly text: string }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'image'; readonly image: OutputImage; readonly alternative: string }
  | { readonly kind: 'text'; readonly text: string };

/** Pixel formats only: an SVG may carry scripts and links. */
const PIXEL_MIMES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** What to show of one output; the richest form that is safe to show anywhere. */
export function viewOutput(json: JsonObject): OutputView {
  const type = json['output_type'];
  if (type === 'stream') {
    const name = json['name'] === 'stderr' ? 'stderr' : 'stdout';
    return { kind: 'stream', name, text: withoutAnsi(multilineText(json['text'])) };
  }
  if (type === 'error') return { kind: 'error', text: errorText(json) };
  const data = isJsonObject(json['data']) ? json['data'] : {};
  const plain = withoutAnsi(multilineText(data['text/plain']));
  const image = pixelImage(data);
  if (image !== null) return { kind: 'image', image, alternative: plain };
  const highlight = data[SGLANG_MIMES.highlight];
  if (isJsonObject(highlight)) {
    return { kind: 'highlight', text: withoutAnsi(multilineText(highlight['text'])) };
  }
  return { kind: data[SGLANG_MIMES.notice] === undefined ? 'text' : 'notice', text: plain };
}

function errorText(json: JsonObject): string {
  const { traceback } = json;
  const lines = Array.isArray(traceback)
    ? traceback.filter((line) => typeof line === 'string')
    : [];
  const text = withoutAnsi(lines.join('\n'));
  const summary = [multilineText(json['ename']), multilineText(json['evalue'])]
    .filter((part) => part !== '')
    .join(': ');
  return text.trim() === '' ? withoutAnsi(summary) : text;
}

function pixelImage(data: JsonObject): OutputImage | null {
  for (const mime of PIXEL_MIMES) {
    const base64 = multilineText(data[mime]).replace(/\s/g, '');
    if (base64 !== '' && !/[^A-Za-z0-9+/=]/.test(base64)) return { mime, base64 };
  }
  return null;
}
