/**
 * A kernel whose cells are lists of commands, one a line: enough of the protocol to see how a
 * driver behaves. Commands: `print`, `warn`, `log`, `highlight`, `notice`, `state`, `batch`,
 * `result`, `ask`, `fail`, `wait` (until interrupted), `ignore-interrupts`, `die`, `child`.
 */
import { spawn } from 'node:child_process';
import {
  encodeMessage,
  KERNEL_PROTOCOL_VERSION,
  MessageReader,
  type KernelEvent,
  type KernelOutput,
  type KernelRequest,
} from '../../extension/protocol/kernel-protocol.ts';
import {
  BATCH_MIME,
  HIGHLIGHT_MIME,
  NOTICE_MIME,
  STATE_MIME,
} from '../../extension/protocol/output-payloads.ts';

const send = (event: KernelEvent) => process.stdout.write(encodeMessage(event));
let order = 0;
let request = 0;
let interrupted = () => {};
let deaf = false;
const answers = new Map<number, (value: string | null) => void>();

function show(run: string, output: KernelOutput): void {
  send({ type: 'output', run, output });
}

function display(run: string, mime: string, payload: unknown, plain: string): void {
  const data = { 'text/plain': plain, [mime]: payload };
  show(run, { kind: 'display', data, displayId: null });
}

function streamState(run: string, texts: readonly string[]): void {
  const payload = (text: string, running: boolean) => ({
    program: 'p',
    running,
    error: null,
    forks: [],
    segments: [
      { kind: 'text', role: 'user', text: 'Question?' },
      { kind: 'gen', role: 'assistant', name: 'a', text, source: 'gen', tokens: null },
    ],
  });
  for (const [index, text] of texts.entries()) {
    const data = { 'text/plain': text, [STATE_MIME]: payload(text, index < texts.length - 1) };
    show(run, { kind: index === 0 ? 'display' : 'update', data, displayId: 'state' });
  }
}

/** A process that outlives the kernel unless somebody ends it. */
function startChild(run: string): void {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    detached: true,
    stdio: 'ignore',
  });
  const pid = child.pid ?? -1;
  send({
    type: 'process',
    process: { id: pid, pid, command: 'child', kind: 'runtime', url: null, exit: null },
  });
  show(run, { kind: 'stream', name: 'stdout', text: `child ${pid}\n` });
}

function ask(run: string, prompt: string): Promise<string | null> {
  request += 1;
  send({ type: 'input_request', request, run, prompt, password: false });
  return new Promise((resolve) => answers.set(request, resolve));
}

class Failure extends Error {}
class Interrupted extends Error {}

async function perform(run: string, line: string): Promise<void> {
  const space = line.indexOf(' ');
  const command = space === -1 ? line : line.slice(0, space);
  const argument = space === -1 ? '' : line.slice(space + 1).replaceAll('\\n', '\n');
  switch (command) {
    case 'print':
      return show(run, { kind: 'stream', name: 'stdout', text: `${argument}\n` });
    case 'warn':
      return show(run, { kind: 'stream', name: 'stderr', text: `${argument}\n` });
    case 'highlight':
      return display(run, HIGHLIGHT_MIME, { text: argument }, argument);
    case 'notice':
      return display(run, NOTICE_MIME, { severity: 'warning', text: argument }, argument);
    case 'batch':
      for (const finished of [0, 1, 2]) {
        const payload = { program: 'qa', total: 2, finished, failed: 0 };
        const data = { 'text/plain': `${finished}/2`, [BATCH_MIME]: payload };
        show(run, { kind: finished === 0 ? 'display' : 'update', data, displayId: 'batch' });
      }
      return undefined;
    case 'state':
      return streamState(run, ['An', 'An ans', 'An answer']);
    case 'result': {
      const data = { 'text/plain': argument };
      return show(run, { kind: 'result', data, executionOrder: order });
    }
    case 'ask':
      return show(run, {
        kind: 'stream',
        name: 'stdout',
        text: `got ${await ask(run, argument)}\n`,
      });
    case 'fail':
      throw new Failure(argument);
    case 'wait':
      return new Promise((_, reject) => {
        interrupted = () => reject(new Interrupted());
      });
    case 'ignore-interrupts':
      deaf = true;
      return undefined;
    case 'die':
      process.stderr.write('last words\n');
      process.exit(3);
      break;
    case 'child':
      return startChild(run);
    default:
      return undefined;
  }
}

async function execute({ run, cell, code }: Extract<KernelRequest, { type: 'execute' }>) {
  order += 1;
  send({ type: 'started', run, executionOrder: order });
  try {
    for (const line of code.split('\n')) await perform(run, line);
    send({ type: 'finished', run, outcome: { status: 'ok' }, milliseconds: 1 });
  } catch (failure) {
    if (failure instanceof Interrupted) {
      send({ type: 'finished', run, outcome: { status: 'interrupted' }, milliseconds: 1 });
      return;
    }
    const message = failure instanceof Error ? failure.message : String(failure);
    const traceback = `Traceback (most recent call last):\n  ${cell.label}, line 1\nValueError: ${message}`;
    const error = { name: 'ValueError', message, traceback, line: 1, cellId: cell.id };
    show(run, { kind: 'error', error });
    send({ type: 'finished', run, outcome: { status: 'error', error }, milliseconds: 1 });
  }
}

const reader = new MessageReader<KernelRequest>(
  (message) => {
    switch (message.type) {
      case 'initialize': {
        const { endpoint, model, cwd } = message;
        send({ type: 'log', level: 'info', message: JSON.stringify({ endpoint, model, cwd }) });
        send({
          type: 'ready',
          protocolVersion: KERNEL_PROTOCOL_VERSION,
          pid: process.pid,
          python: '3.14.0',
          guest: 'wasm',
          startupMilliseconds: 1,
        });
        break;
      }
      case 'execute':
        void execute(message);
        break;
      case 'interrupt':
        if (!deaf) interrupted();
        break;
      case 'input_reply':
        answers.get(message.request)?.(message.value);
        break;
      case 'shutdown':
        if (!deaf) process.exit(0);
        break;
      case 'restart':
      case 'query':
      case 'model_reply':
      case 'debug':
      case 'program':
        break;
      default:
        message satisfies never;
    }
  },
  () => {},
);
process.stdin.setEncoding('utf8').on('data', (text: string) => reader.push(text));
process.stdin.on('end', () => {
  if (!deaf) process.exit(0);
});
setInterval(() => {}, 1000);
