import { describe, expect, it } from 'vitest';
import { ConsoleView, formatTime } from '../../extension/cli/console-view.ts';
import { StreamView } from '../../extension/cli/stream-view.ts';
import { TerminalFilter } from '../../extension/cli/terminal-filter.ts';
import type { Terminal } from '../../extension/cli/terminal.ts';
import type { KernelOutput } from '../../extension/protocol/kernel-protocol.ts';
import {
  BATCH_MIME,
  HIGHLIGHT_MIME,
  STATE_MIME,
  type StatePayload,
  type StateSegment,
} from '../../extension/protocol/output-payloads.ts';

/** A terminal that keeps what it is given, with escape codes made visible. */
class RecordingTerminal implements Terminal {
  readonly isTty: boolean;
  readonly colour: boolean;
  readonly columns = 40;
  #text = '';

  constructor(options: { isTty?: boolean; colour?: boolean } = {}) {
    this.isTty = options.isTty ?? false;
    this.colour = options.colour ?? false;
  }

  write(text: string): void {
    this.#text += text;
  }

  get text(): string {
    return this.#text.replaceAll('\x1b', '⎋').replaceAll('\r', '␍');
  }
}

const stream = (text: string): KernelOutput => ({ kind: 'stream', name: 'stdout', text });
const display = (
  mime: string,
  payload: unknown,
  displayId: string | null = null,
): KernelOutput => ({
  kind: 'display',
  data: { 'text/plain': 'plain', [mime]: payload },
  displayId,
});
const update = (mime: string, payload: unknown, displayId: string): KernelOutput => ({
  kind: 'update',
  data: { 'text/plain': 'plain', [mime]: payload },
  displayId,
});

function check(outputs: readonly KernelOutput[], options = {}): string {
  const terminal = new RecordingTerminal(options);
  const view = new ConsoleView(terminal);
  for (const output of outputs) view.output(output);
  view.finish();
  return terminal.text;
}

const gen = (text: string, role = 'assistant'): Extract<StateSegment, { kind: 'gen' }> => ({
  kind: 'gen',
  role,
  name: 'a',
  text,
  source: 'gen',
  constraint: null,
  timing: null,
  tokens: null,
  choices: null,
  request: null,
});
const state = (segments: readonly StateSegment[], running = false): StatePayload => ({
  program: 'p',
  running,
  error: null,
  segments,
  forks: [],
});
const question: StateSegment = { kind: 'text', role: 'user', text: 'Why?' };

describe('output on the console', () => {
  it('starts blocks on a line of their own', () => {
    expect(check([stream('a'), display(HIGHLIGHT_MIME, { text: 'b\n\n' }), stream('c')])).toBe(
      'a\nb\nc\n',
    );
  });

  it('has colours only where they are wanted', () => {
    const outputs = [display(HIGHLIGHT_MIME, { text: 'Rome' }), stream('\x1b[31mred\x1b[0m\n')];
    expect(check(outputs)).toBe('Rome\nred\n');
    expect(check(outputs, { colour: true })).toBe('⎋[1;32mRome⎋[0m\n⎋[31mred⎋[0m\n');
  });

  it('shows batches as one line that is replaced, and only its end in a pipe', () => {
    const batch = (finished: number) => ({ program: 'qa', total: 2, finished, failed: 0 });
    const outputs = [
      display(BATCH_MIME, batch(0), 'b'),
      update(BATCH_MIME, batch(1), 'b'),
      stream('log\n'),
      update(BATCH_MIME, batch(2), 'b'),
    ];
    expect(check(outputs)).toBe('log\nqa: 2/2\n');
    expect(check(outputs, { isTty: true })).toBe(
      '[····················] qa: 0/2␍⎋[K[##########··········] qa: 1/2␍⎋[Klog\nqa: 2/2\n',
    );
  });

  it('prints what is new of a state that is being generated', () => {
    const outputs = [
      display(STATE_MIME, state([question, gen('Be')], true), 's'),
      update(STATE_MIME, state([question, gen('Because')], true), 's'),
      update(STATE_MIME, state([question, gen('Because.')]), 's'),
    ];
    expect(check(outputs)).toBe('user: Why?\nassistant: Because.\n');
    expect(check(outputs, { colour: true })).toBe(
      '⎋[1;35muser: ⎋[0mWhy?\n⎋[1;35massistant: ⎋[0m⎋[36mBe⎋[0m⎋[36mcause⎋[0m⎋[36m.⎋[0m\n',
    );
  });

  it('shows forks, errors and probabilities of tokens', () => {
    const tokens = [
      { text: 'a', logprob: -0.01, top: [] },
      { text: 'b', logprob: -5, top: [] },
    ];
    const sure: StateSegment = { ...gen('ab'), tokens };
    const payload = { ...state([question]), forks: [state([sure])], error: 'stopped' };
    expect(check([display(STATE_MIME, payload)])).toBe(
      'user: Why?\n── fork 1\nassistant: ab\nstopped\n',
    );
    expect(check([display(STATE_MIME, payload)], { colour: true })).toContain(
      '⎋[32ma⎋[0m⎋[31mb⎋[0m',
    );
  });

  it('shows other outputs by their text, and errors by their traceback', () => {
    const error = { name: 'E', message: 'm', traceback: 'Traceback\nE: m', line: 1, cellId: 'a' };
    expect(check([display('image/png', 'AAAA'), { kind: 'error', error }])).toBe(
      'plain\nTraceback\nE: m\n',
    );
  });

  it('says times in sensible units', () => {
    expect([4.4, 999, 1500, 61_000].map(formatTime)).toEqual([
      '4 ms',
      '999 ms',
      '1.5 s',
      '1 min 1 s',
    ]);
  });
});

describe('log lines of the runtime', () => {
  const LOG = '[2025-02-13 21:03:19 TP0] Prefill batch.';
  const checkStream = (chunks: readonly string[], colour = true) => {
    const terminal = new RecordingTerminal({ colour });
    const view = new StreamView(terminal, (text) => terminal.write(text));
    for (const chunk of chunks) view.push(chunk);
    view.flush();
    return terminal.text;
  };

  it('are dimmed, wherever a chunk ends', () => {
    const expected = `⎋[2m${LOG}⎋[0m\nplain\n`;
    expect(checkStream([`${LOG}\nplain\n`])).toBe(expected);
    for (let cut = 1; cut < 20; cut += 1) {
      expect(checkStream([LOG.slice(0, cut), `${LOG.slice(cut)}\nplain\n`])).toBe(expected);
    }
    expect(checkStream(['INFO:     started\nNOTICE: small model\nINFO: mine\n'])).toBe(
      '⎋[2mINFO:     started⎋[0m\n⎋[33mNOTICE: small model⎋[0m\nINFO: mine\n',
    );
  });

  it('do not stand in the middle of a printed sentence', () => {
    expect(checkStream(['The first ', `${LOG}\n`, 'man\n'], false)).toBe(
      `The first \n${LOG}\nman\n`,
    );
  });

  it('leave alone what only resembles them', () => {
    expect(checkStream(['[2025', ' apples]\n', '[', 'INF'])).toBe('[2025 apples]\n[INF');
  });
});

describe('the terminal filter', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['plain ü 😀 \t\r\n', 'plain ü 😀 \t\r\n'],
    ['a\x1b[1;31mb\x1b[0mc', 'a\x1b[1;31mb\x1b[0mc'],
    ['a\x1b[2J\x1b[10;10H\x1b[?25lb', 'ab'],
    ['a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c', 'abc'],
    ['a\x1bPq#0\x1b\\b\x1b7\x1bcd', 'abd'],
    ['a\x9b31mb\x9d0;t\x9cc\x90x\x9cd', 'a\x1b[31mbcd'],
    ['a\x00\x07\x0b\x7f\x85b', 'ab'],
    ['\x1b]never ended\nnext line', '\nnext line'],
    [`\x1b[${'1'.repeat(100)}m`, `${'1'.repeat(36)}m`],
  ];
  for (const [input, expected] of cases) {
    it(`of ${JSON.stringify(input).slice(0, 50)}`, () => {
      expect(new TerminalFilter(true).push(input)).toBe(expected);
      const cut = new TerminalFilter(true);
      expect(Array.from(input, (character) => cut.push(character)).join('')).toBe(expected);
      expect(new TerminalFilter(false).push(input)).toBe(
        expected.replaceAll('\x1b[31m', '').replaceAll('\x1b[1;31m', '').replaceAll('\x1b[0m', ''),
      );
    });
  }
});
