import { describe, expect, test } from 'vitest';
import type { WireExpression } from '../../../extension/kernel/guest/bridge-protocol.ts';
import { ChatTemplateRegistry } from '../../../extension/kernel/sglang/chat-template.ts';
import type { GenOutcome } from '../../../extension/kernel/sglang/execute-expression.ts';
import { parseExpressions } from '../../../extension/kernel/sglang/ir.ts';
import { ProgramState } from '../../../extension/kernel/sglang/program-state.ts';
import { StreamExecutor } from '../../../extension/kernel/sglang/stream-executor.ts';
import { FakeBackend, serverDied } from './support/fake-backend.ts';

const templates = new ChatTemplateRegistry();

function start(options: { template?: string; stream?: boolean } = {}) {
  const backend = new FakeBackend();
  const outcomes: GenOutcome[] = [];
  const unseen: string[] = [];
  const executor = new StreamExecutor({
    program: 'p',
    backend,
    state: new ProgramState(templates.get(options.template ?? 'chatml'), null),
    stream: options.stream ?? false,
    defaults: {},
    record: (outcome) => outcomes.push(outcome),
    readImage: async (path) => Buffer.from(path).toString('base64'),
    readVideo: async (path) => ({ data: `video:${path}`, first: path }),
    unseenFailure: (message) => unseen.push(message),
  });
  return { backend, executor, outcomes, unseen };
}

const text = (v: string): WireExpression => ({ t: 'text', v });
const gen = (name: string | null, sampling = {}): WireExpression => ({
  t: 'gen',
  name,
  sampling,
  at: null,
});
const begin = (role: string): WireExpression => ({ t: 'begin', role });
const end = (role: string): WireExpression => ({ t: 'end', role });
const choose = (name: string, choices: string[], temperature = 0): WireExpression => ({
  t: 'select',
  name,
  choices,
  temperature,
  method: 'token_length_normalized',
  at: null,
});

function submit(executor: StreamExecutor, ...exprs: WireExpression[]): void {
  executor.submit(parseExpressions(exprs as never));
}

/** A promise and the function that fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('order', () => {
  test('each gen sees the text before it, values included', async () => {
    const { backend, executor } = start();
    submit(executor, text('a'), gen('x'), text('b'), gen('y'), text('c'));
    await executor.whenIdle();
    expect(backend.asked).toEqual(['gen a', 'gen a<1>b']);
    expect(executor.state.text).toBe('a<1>b<2>c');
    expect(await executor.variable('x')).toEqual({ status: 'value', value: '<1>' });
  });

  test('a variable that is generated twice is read after the second time', async () => {
    const { executor } = start();
    submit(executor, gen('x'), gen('x'));
    expect(await executor.variable('x')).toEqual({ status: 'value', value: '<2>' });
  });

  test('an unnamed gen goes to the key null', async () => {
    const { executor } = start();
    submit(executor, gen(null), gen(null));
    expect(await executor.variable(null)).toEqual({ status: 'value', value: '<2>' });
  });

  test('a variable that no one defines is missing, at once', async () => {
    expect(await start().executor.variable('x')).toEqual({ status: 'missing', known: [] });
  });

  test('n > 1 makes the value a list; the text goes on with the first', async () => {
    const { executor } = start();
    submit(executor, gen('x', { n: 3 }), text('!'));
    expect(await executor.variable('x')).toEqual({
      status: 'value',
      value: ['<1>', '<1>#1', '<1>#2'],
    });
    await executor.whenIdle();
    expect(executor.state.text).toBe('<1>!');
  });

  test('scopes hold the text appended inside, nested ones too', async () => {
    const { executor } = start();
    const scope = (t: 'scope_begin' | 'scope_end', name: string): WireExpression => ({ t, name });
    submit(
      executor,
      text('{'),
      scope('scope_begin', 'outer'),
      text('a'),
      scope('scope_begin', 'inner'),
    );
    submit(
      executor,
      gen(null),
      scope('scope_end', 'inner'),
      text('b'),
      scope('scope_end', 'outer'),
    );
    expect(await executor.variable('outer')).toEqual({ status: 'value', value: 'a<1>b' });
    expect(await executor.variable('inner')).toEqual({ status: 'value', value: '<1>' });
  });
});

describe('roles', () => {
  test('a message loses leading white space, the text keeps it', async () => {
    const { backend, executor } = start();
    backend.answer = () => ' Paris';
    submit(
      executor,
      begin('user'),
      text(' Q'),
      end('user'),
      begin('assistant'),
      gen('a'),
      end('assistant'),
    );
    await executor.whenIdle();
    expect(executor.state.text).toBe(
      '<|im_start|>user\n Q<|im_end|>\n<|im_start|>assistant\n Paris<|im_end|>\n',
    );
    expect(executor.state.messages).toEqual([
      { role: 'user', content: 'Q' },
      { role: 'assistant', content: 'Paris' },
    ]);
  });

  test('the default system prompt comes once, unless the program begins with its own', async () => {
    const first = start({ template: 'qwen' }).executor;
    submit(first, begin('user'), end('user'), begin('user'), end('user'));
    await first.whenIdle();
    expect(first.state.messages.map(({ role }) => role)).toEqual(['system', 'user', 'user']);
    const own = start({ template: 'qwen' }).executor;
    submit(own, begin('system'), end('system'), begin('user'), end('user'));
    await own.whenIdle();
    expect(own.state.messages[0]).toEqual({ role: 'system', content: '' });
    expect(own.state.messages).toHaveLength(2);
  });

  test('nested roles fail with their reason', async () => {
    const { executor } = start();
    submit(executor, begin('user'), begin('assistant'));
    await executor.whenIdle();
    expect(executor.failure).toEqual({
      type: 'AssertionError',
      message: 'Nested roles are not allowed.',
    });
  });

  test('images go into the text as tokens and into the message as parts', async () => {
    const { executor } = start();
    const image: WireExpression = { t: 'image', path: 'cat.png', base64: null };
    submit(executor, begin('user'), image, text('What?'), end('user'));
    await executor.whenIdle();
    const data = Buffer.from('cat.png').toString('base64');
    expect(executor.state.messages[0]?.['content']).toEqual([
      { type: 'text', text: '<image>What?' },
      { type: 'image_url', image_url: { url: `data:image/jpeg;base64,${data}` } },
    ]);
  });
});

describe('failures', () => {
  test('the cause is remembered; earlier values stay, later ones carry it', async () => {
    const { backend, executor, outcomes } = start();
    backend.answer = () => (backend.params.length === 2 ? serverDied : 'ok');
    submit(executor, gen('x'), gen('y'), text('z'), gen('w'));
    await executor.whenIdle();
    const request = { url: 'fake:/generate', body: { text: 'ok' } };
    const error = { type: 'ConnectionError', message: 'The server died.', request, at: null };
    expect(await executor.variable('x')).toEqual({ status: 'value', value: 'ok' });
    expect(await executor.variable('y')).toEqual({ status: 'failed', error });
    expect(await executor.variable('w')).toEqual({ status: 'failed', error });
    expect(executor.state.text).toBe('ok');
    expect(outcomes.map(({ error: message }) => message)).toEqual([null, 'The server died.']);
  });

  test('appending after a failure does nothing and never hangs', async () => {
    const { backend, executor } = start();
    backend.answer = () => serverDied;
    submit(executor, gen('x'));
    await executor.whenIdle();
    submit(executor, text('more'), gen('y'));
    await executor.whenIdle();
    expect(backend.asked).toHaveLength(1);
    expect(await executor.variable('y')).toMatchObject({ status: 'failed' });
  });

  test('a failure that nobody waits for is announced; one that is waited for is not', async () => {
    const silent = start();
    silent.backend.answer = () => serverDied;
    submit(silent.executor, gen('x'));
    await new Promise((resolve) => setTimeout(resolve));
    expect(silent.unseen).toEqual(['The server died.']);
    const watched = start();
    watched.backend.answer = () => serverDied;
    submit(watched.executor, gen('x'));
    await watched.executor.variable('x');
    expect(watched.unseen).toEqual([]);
  });

  test('a value that was streamed in part is not a value', async () => {
    const { backend, executor } = start({ stream: true });
    const { opened, open } = gate();
    submit(executor, gen('x'));
    await executor.next('x', 0);
    backend.gate = opened;
    executor.interrupt();
    open();
    expect(await executor.variable('x')).toMatchObject({ status: 'failed' });
  });

  test('a choice with a temperature, without choices', async () => {
    for (const expression of [choose('c', ['a'], 0.5), choose('c', [])]) {
      const { executor, backend } = start();
      submit(executor, text('Q'), expression);
      expect(await executor.variable('c')).toMatchObject({ status: 'failed' });
      expect(backend.asked).toEqual([]);
    }
  });

  test('a state can be interrupted while it waits for the server', async () => {
    const { backend, executor } = start();
    backend.gate = gate().opened;
    submit(executor, gen('x'), gen('y'));
    const reading = executor.variable('y');
    executor.interrupt();
    expect(await reading).toMatchObject({ status: 'failed', error: { type: 'KeyboardInterrupt' } });
    await executor.whenIdle();
  });

  test('cancelling a run ends what its forks ask for, and what its body would still append', async () => {
    const { backend, executor } = start();
    submit(executor, text('Q'));
    await executor.whenIdle();
    const child = executor.fork();
    backend.gate = gate().opened;
    submit(child, gen('x'));
    executor.cancel();
    submit(executor, gen('y'));
    const failed = { status: 'failed', error: { type: 'KeyboardInterrupt' } };
    expect(await child.variable('x')).toMatchObject(failed);
    expect(await executor.variable('y')).toMatchObject(failed);
    await child.whenIdle();
    expect(backend.asked).toHaveLength(1);
  });

  test('cancelling a run that is over changes nothing', async () => {
    const { executor } = start();
    submit(executor, gen('x'));
    executor.end(null);
    await executor.whenIdle();
    executor.cancel();
    expect(executor.failure).toBe(null);
  });
});

describe('streaming', () => {
  test('pieces of the whole text add up to it and end when the body has ended', async () => {
    const { executor } = start({ stream: true });
    submit(executor, text('Q '), gen('x'), text('!'));
    executor.end(null);
    const pieces: string[] = [];
    for (let position = 0, done = false; !done;) {
      const piece = await executor.next(undefined, position);
      ({ position, done } = piece);
      pieces.push(piece.text);
    }
    expect(pieces.join('')).toBe('Q <1>!');
    expect(pieces.length).toBeGreaterThan(1);
  });

  test('a variable ends when it is written, whatever follows', async () => {
    const { backend, executor } = start({ stream: true });
    const { opened, open } = gate();
    backend.answer = (prompt) => {
      if (prompt.text === 'ab') backend.gate = opened;
      return 'ab';
    };
    submit(executor, gen('x'), gen('y'));
    let seen = '';
    for (let position = 0, done = false; !done;) {
      const piece = await executor.next('x', position);
      ({ position, done } = piece);
      seen += piece.text;
    }
    expect(seen).toBe('ab');
    open();
    await executor.whenIdle();
  });

  test('without streaming the complete text comes once', async () => {
    const { executor } = start();
    submit(executor, text('Q '), gen('x'));
    expect(await executor.next(undefined, 0)).toEqual({ text: 'Q <1>', position: 5, done: true });
    expect(await executor.next('x', 0)).toEqual({ text: '<1>', position: 3, done: true });
  });
});

describe('forks', () => {
  test('a fork goes on from its parent and leaves it alone', async () => {
    const { executor } = start();
    submit(executor, begin('user'), text('a'), gen('x'));
    await executor.whenIdle();
    const child = executor.fork();
    submit(child, text('b'), end('user'));
    await child.whenIdle();
    expect(child.state.messages).toEqual([{ role: 'user', content: 'a<1>b' }]);
    expect(await child.variable('x')).toEqual({ status: 'value', value: '<1>' });
    expect(executor.state.messages).toEqual([]);
    expect(child.snapshot(true).segments).toHaveLength(4);
    expect(executor.snapshot(true).forks[0]?.segments).toHaveLength(2);
  });

  test('the fork of a failed state has failed for the same reason', async () => {
    const { backend, executor } = start();
    backend.answer = () => serverDied;
    submit(executor, gen('x'));
    await executor.whenIdle();
    const child = executor.fork();
    submit(child, gen('y'));
    expect(await child.variable('y')).toMatchObject({
      status: 'failed',
      error: { message: 'The server died.' },
    });
  });

  test('appending forks puts their own text after the parent', async () => {
    const { executor } = start();
    submit(executor, text('Base. '));
    await executor.whenIdle();
    const children = [executor.fork(), executor.fork()];
    children.forEach((child, index) => submit(child, text(`Statement ${index}\n`)));
    for (const child of children) {
      await child.whenIdle();
      executor.append(child);
    }
    expect(executor.state.text).toBe('Base. Statement 0\nStatement 1\n');
  });
});

test('a snapshot tells roles, constraints, choices and the request', async () => {
  const { backend, executor } = start();
  backend.choiceLogprobs = [-2, -0.5];
  submit(
    executor,
    begin('user'),
    text('Q'),
    end('user'),
    begin('assistant'),
    choose('c', ['no', 'yes']),
  );
  submit(executor, gen('r', { regex: 'a+' }), end('assistant'));
  await executor.whenIdle();
  const shown = executor.snapshot(true).segments.filter((s) => s.kind !== 'text' || s.text !== '');
  expect(shown).toMatchObject([
    { kind: 'text', role: 'user', text: 'Q' },
    {
      kind: 'gen',
      role: 'assistant',
      source: 'select',
      text: 'yes',
      constraint: 'choices "no", "yes"',
      decidedBy: 'token_length_normalized',
      choices: [
        { text: 'no', score: -2, chosen: false },
        { text: 'yes', score: -0.5, chosen: true },
      ],
    },
    { kind: 'gen', name: 'r', constraint: 'regex a+', request: { url: 'fake:/generate' } },
  ]);
});
