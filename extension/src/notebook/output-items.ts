/** MIME bundles of the kernel and of the file ⇄ VS Code's output items. */
import { NotebookCellOutputItem } from 'vscode';
import type { MimeBundle } from '../../protocol/output-payloads.ts';
import { fromBase64 } from './base64.ts';

/** Binary types travel as base64 in bundles and as bytes in VS Code. */
export function isBinaryMime(mime: string): boolean {
  return /^(image\/(?!svg)|audio\/|video\/|application\/(octet-stream|pdf)$)/.test(mime);
}

/** Richest first: VS Code shows the first type that it has a renderer for. */
export function bundleItems(bundle: MimeBundle): NotebookCellOutputItem[] {
  return Object.entries(bundle)
    .toSorted(([left], [right]) => rank(left) - rank(right))
    .map(([mime, value]) => outputItem(mime, value));
}

function rank(mime: string): number {
  if (mime.startsWith('application/vnd.sglang.')) return 0;
  if (mime.startsWith('image/')) return 1;
  if (mime === 'text/html') return 2;
  return mime === 'text/plain' ? 9 : 5;
}

function outputItem(mime: string, value: unknown): NotebookCellOutputItem {
  if (typeof value !== 'string') return NotebookCellOutputItem.json(value, mime);
  if (isBinaryMime(mime)) return new NotebookCellOutputItem(fromBase64(value), mime);
  return new NotebookCellOutputItem(new TextEncoder().encode(value), mime);
}
