/** A running notebook on a terminal or in a log file. */
import type { KernelOutput, RunOutcome } from '../protocol/kernel-protocol.ts';
import {
  BATCH_MIME,
  HIGHLIGHT_MIME,
  NOTICE_MIME,
  STATE_MIME,
  type BatchPayload,
  type HighlightPayload,
  type MimeBundle,
  type NoticePayload,
  type StatePayload,
} from '../protocol/output-payloads.ts';
import type { NotebookCell } from '../notebook-format/document.ts';
import { stateSpans, type Span } from './state-text.ts';
import { StreamView } from './stream-view.ts';
import { plainText } from './terminal-filter.ts';
import { paint, type StyleName, type Terminal } from './terminal.ts';

const ERASE_LINE = '\r\x1b[K';
const WIDEST_RULE = 80;

export class ConsoleView {
  readonly #terminal: Terminal;
  readonly #stream: StreamView;
  /** Text of each live state as it stands on the terminal: updates print what is new. */
  readonly #states = new Map<string, string>();
  #atLineStart = true;
  /** The terminal's last line is progress that the next write replaces. */
  #progress = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#stream = new StreamView(terminal, (text) => this.#write(text));
  }

  /** A line of this program itself, not of the notebook. */
  message(style: StyleName, text: string): void {
    this.#block(style, text);
  }

  markdown(source: string): void {
    const lines = source.split('\n').map((line) => {
      const heading = /^#{1,6} +(.*)$/.exec(line)?.[1];
      return heading === undefined
        ? plainText(line)
        : paint(this.#terminal, 'bold', plainText(heading));
    });
    this.#startLine();
    this.#write(`\n${lines.join('\n').trimEnd()}\n`);
  }

  cellStarts(number: number, total: number, cell: NotebookCell, showSource: boolean): void {
    this.#startLine();
    const title = typeof cell.metadata['title'] === 'string' ? ` ${cell.metadata['title']}` : '';
    const label = plainText(`── [${number}/${total}]${title} `);
    const width = Math.min(this.#terminal.columns, WIDEST_RULE);
    this.#write(`\n${paint(this.#terminal, 'dim', label.padEnd(width, '─'))}\n`);
    if (!showSource) return;
    const source = plainText(cell.source).trimEnd();
    const lines = source.split('\n').map((line) => `│ ${line}`.trimEnd());
    this.#write(`${paint(this.#terminal, 'dim', lines.join('\n'))}\n`);
  }

  cellEnds(outcome: RunOutcome, milliseconds: number): void {
    this.#startLine();
    const time = formatTime(milliseconds);
    if (outcome.status === 'ok') this.#write(`${paint(this.#terminal, 'dim', `✓ ${time}`)}\n`);
    else this.#write(`${paint(this.#terminal, 'error', `✗ ${outcome.status} after ${time}`)}\n`);
  }

  output(output: KernelOutput): void {
    if (output.kind !== 'stream') this.#stream.flush();
    switch (output.kind) {
      case 'stream':
        this.#stream.push(output.text);
        break;
      case 'display':
      case 'update':
        this.#bundle(output.data, output.displayId);
        break;
      case 'result':
        this.#bundle(output.data, null);
        break;
      case 'error':
        this.#block(
          'error',
          output.error.traceback || `${output.error.name}: ${output.error.message}`,
        );
        break;
      case 'clear':
        break;
      default:
        output satisfies never;
    }
  }

  /** The prompt of `input()`; the answer is typed behind it. */
  prompt(text: string): void {
    this.#stream.flush();
    this.#write(plainText(text));
  }

  /** The user pressed return behind a prompt. */
  answered(): void {
    this.#atLineStart = true;
  }

  finish(): void {
    this.#stream.flush();
    this.#startLine();
  }

  #bundle(data: MimeBundle, displayId: string | null): void {
    // SAFETY: payloads of these types are made by the kernel as output-payloads.ts says.
    if (HIGHLIGHT_MIME in data)
      this.#block('highlight', (data[HIGHLIGHT_MIME] as HighlightPayload).text);
    else if (NOTICE_MIME in data)
      this.#block('notice', noticeText(data[NOTICE_MIME] as NoticePayload));
    else if (BATCH_MIME in data) this.#batch(data[BATCH_MIME] as BatchPayload);
    else if (STATE_MIME in data) this.#state(data[STATE_MIME] as StatePayload, displayId);
    else this.#block('plain', data['text/plain']);
  }

  /** Without a terminal only the end of a batch is worth a line. */
  #batch({ program, total, finished, failed }: BatchPayload): void {
    const name = plainText(program ?? 'batch');
    const failures = failed > 0 ? `, ${failed} failed` : '';
    const text = `${name}: ${finished}/${total}${failures}`;
    if (finished >= total) this.#block(failed > 0 ? 'error' : 'dim', text);
    else if (this.#terminal.isTty) {
      this.#startLine();
      const bar = progressBar(finished, total);
      this.#terminal.write(paint(this.#terminal, 'dim', `${bar} ${text}`));
      this.#progress = true;
      this.#atLineStart = false;
    }
  }

  #state(state: StatePayload, displayId: string | null): void {
    const spans = stateSpans(state).map(({ style, text }) => ({ style, text: plainText(text) }));
    const text = spans.map((span) => span.text).join('');
    const shown = displayId === null ? undefined : this.#states.get(displayId);
    const continues = shown !== undefined && text.startsWith(shown);
    if (!continues) this.#startLine();
    this.#writeSpans(spans, continues ? shown.length : 0);
    if (displayId !== null) this.#states.set(displayId, text);
    if (state.running) return;
    this.#startLine();
    if (displayId !== null) this.#states.delete(displayId);
  }

  #writeSpans(spans: readonly Span[], skip: number): void {
    let rest = skip;
    for (const { style, text } of spans) {
      const fresh = text.slice(Math.min(rest, text.length));
      rest = Math.max(0, rest - text.length);
      if (fresh !== '') this.#write(paint(this.#terminal, style, fresh));
    }
  }

  #block(style: StyleName, text: string): void {
    this.#startLine();
    const clean = plainText(text).replace(/\n+$/, '');
    this.#write(`${paint(this.#terminal, style, clean)}\n`);
  }

  #startLine(): void {
    this.#stream.flush();
    if (this.#progress) this.#erase();
    else if (!this.#atLineStart) this.#write('\n');
  }

  #erase(): void {
    this.#terminal.write(ERASE_LINE);
    this.#progress = false;
    this.#atLineStart = true;
  }

  #write(text: string): void {
    if (text === '') return;
    if (this.#progress) this.#erase();
    this.#terminal.write(text);
    this.#atLineStart = text.endsWith('\n');
  }
}

function noticeText({ severity, text }: NoticePayload): string {
  return `${severity === 'warning' ? '⚠' : 'ℹ'} ${text}`;
}

function progressBar(finished: number, total: number): string {
  const width = 20;
  const filled = total === 0 ? width : Math.floor((finished / total) * width);
  return `[${'#'.repeat(filled)}${'·'.repeat(width - filled)}]`;
}

export function formatTime(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
