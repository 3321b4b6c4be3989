// A kernel that speaks the protocol and does what the cell's text says, for tests of its drivers:
//   start PID | stop PID | say TEXT | garbage TEXT | wait (until interrupted) | hang (ignores interrupts) | die | raise | ask
import { createInterface } from 'node:readline';

const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
let executionOrder = 0;
let waiting = null;
let asking = null;

function finish(run, outcome) {
  send({ type: 'finished', run, outcome, milliseconds: 1 });
}

function execute({ run, code }) {
  executionOrder += 1;
  send({ type: 'started', run, executionOrder });
  const [word, ...rest] = code.split(' ');
  const text = rest.join(' ');
  switch (word) {
    case 'say':
      send({ type: 'output', run, output: { kind: 'stream', name: 'stdout', text } });
      return finish(run, { status: 'ok' });
    case 'start':
    case 'stop': {
      const exit = word === 'stop' ? { code: 0, signal: null } : null;
      const info = {
        id: Number(text),
        pid: Number(text),
        command: 'launch',
        kind: 'runtime',
        url: 'http://x',
        exit,
      };
      send({ type: 'process', process: info });
      return finish(run, { status: 'ok' });
    }
    case 'garbage':
      process.stdout.write(`${text}\n`);
      return finish(run, { status: 'ok' });
    case 'wait':
      waiting = run;
      return undefined;
    case 'ask':
      asking = run;
      return send({ type: 'input_request', request: 7, run, prompt: text, password: false });
    case 'die':
      process.stderr.write('out of memory\n');
      return process.exit(3);
    case 'raise': {
      const error = { name: 'ValueError', message: text, traceback: text, line: 1, cellId: null };
      send({ type: 'output', run, output: { kind: 'error', error } });
      return finish(run, { status: 'error', error });
    }
    default:
      return undefined;
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  switch (message.type) {
    case 'initialize':
      send({
        type: 'ready',
        protocolVersion: message.protocolVersion,
        pid: process.pid,
        python: '3.14.0',
        guest: 'wasm',
        startupMilliseconds: 1,
      });
      return send({ type: 'status', status: 'idle', reason: null });
    case 'execute':
      return execute(message);
    case 'interrupt':
      if (waiting !== null) finish(waiting, { status: 'interrupted' });
      waiting = null;
      return undefined;
    case 'input_reply':
      send({
        type: 'output',
        run: asking,
        output: { kind: 'stream', name: 'stdout', text: String(message.value) },
      });
      return finish(asking, { status: 'ok' });
    case 'query': {
      const { id, query } = message;
      if (query.kind === 'variables') send({ type: 'reply', id, result: { asked: query.kind } });
      if (query.kind === 'programs') send({ type: 'reply_error', id, message: 'no programs' });
      return undefined;
    }
    case 'shutdown':
      return process.exit(0);
    default:
      return undefined;
  }
});
