/** The real kernel process with Python in WebAssembly, driven over its stdin and stdout. */
import {
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  mkdtempSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KernelError } from '../../extension/protocol/kernel-protocol.ts';
import { KernelDriver, type RunResult } from '../support/kernel-driver.ts';

let kernel: KernelDriver;
beforeAll(async () => {
  kernel = new KernelDriver({ env: { GREETING: 'from the driver' } });
  await kernel.event((event) => event.type === 'ready');
});
afterAll(async () => {
  expect(await kernel.close()).toBe(0);
  expect(kernel.garbage).toEqual([]);
});

async function check(code: string, text: string, result: string | null = null): Promise<void> {
  const run = await kernel.run(code);
  expect(run.outcome).toEqual({ status: 'ok' });
  expect(run.text).toBe(text);
  expect(resultOf(run)).toBe(result);
}

function resultOf(run: RunResult): string | null {
  const output = run.outputs.find((each) => each.kind === 'result');
  return output?.kind === 'result' ? output.data['text/plain'] : null;
}

async function checkError(code: string, name: string, line: number | null): Promise<KernelError> {
  const run = await kernel.run(code);
  if (run.outcome.status !== 'error') throw new Error(`ended ${run.outcome.status}`);
  const { error } = run.outcome;
  expect([error.name, error.line]).toEqual([name, line]);
  expect(run.outputs.at(-1)).toEqual({ kind: 'error', error });
  expect(error.traceback).not.toMatch(/_sgl_|pyodide|\/ast\.py/);
  return error;
}

describe('output', () => {
  test('print and the last expression', () => check('print("hello")\n1 + 1', 'hello\n', '2'));
  test('no expression, no result', () => check('x = 5', ''));
  test('a semicolon hides the value', () => check('x;', ''));
  test('None is not shown', () => check('None', ''));
  test('stdout and stderr keep their order', async () => {
    const run = await kernel.run('import sys\nprint("a")\nprint("b", file=sys.stderr)\nprint("c")');
    expect(run.outputs).toEqual([
      { kind: 'stream', name: 'stdout', text: 'a\n' },
      { kind: 'stream', name: 'stderr', text: 'b\n' },
      { kind: 'stream', name: 'stdout', text: 'c\n' },
    ]);
  });
  test('a long container is shown over several lines', async () => {
    const run = await kernel.run('{f"key {i}": "x" * 20 for i in range(5)}');
    expect(resultOf(run)?.split('\n')).toHaveLength(5);
  });
  test('unpaired surrogates, emoji and null characters survive', () =>
    check('print("\\ud83d \\0 😀")', '\ud83d \0 😀\n'));
  test('text without a newline is seen before the cell waits', async () => {
    const run = kernel.execute('import time\nprint("waiting", end="")\ntime.sleep(60)');
    await kernel.until(() => kernel.textOf(run) === 'waiting');
    kernel.interrupt();
    expect((await kernel.finished(run)).outcome.status).toBe('interrupted');
  });
  test('10 MB arrive whole, while the kernel answers', async () => {
    const run = kernel.execute('for i in range(100_000):\n    print("x" * 99)');
    expect(
      await kernel.query({ kind: 'programs' }).catch((error: Error) => error.message),
    ).toBeTruthy();
    expect((await kernel.finished(run)).text).toBe(`${'x'.repeat(99)}\n`.repeat(100_000));
  });
  test('a driver that reads nothing for a while gets everything later', async () => {
    const run = kernel.execute('for i in range(20_000):\n    print("x" * 99)');
    kernel.process.stdout.pause();
    await delay(1_000);
    kernel.process.stdout.resume();
    expect((await kernel.finished(run)).text).toBe(`${'x'.repeat(99)}\n`.repeat(20_000));
  });
  test('display, update and clear', async () => {
    const run = await kernel.run(
      'h = display("a", display_id=True)\nh.update("b")\nclear_output(wait=True)\ndisplay({"x": 1})',
    );
    expect(run.outputs).toMatchObject([
      { kind: 'display', data: { 'text/plain': "'a'" }, displayId: 'display-1' },
      { kind: 'update', data: { 'text/plain': "'b'" }, displayId: 'display-1' },
      { kind: 'clear', wait: true },
      { kind: 'display', data: { 'text/plain': "{'x': 1}" }, displayId: null },
    ]);
  });
  test('objects say how they are shown', async () => {
    const run = await kernel.run(
      'class P:\n    def _repr_html_(self): return "<b>x</b>"\n    def _repr_png_(self): return b"abc"\n    def __repr__(self): return "P"\nP()',
    );
    expect(run.outputs[0]).toMatchObject({
      data: { 'text/html': '<b>x</b>', 'image/png': 'YWJj', 'text/plain': 'P' },
    });
  });
  test('a repr that raises does not fail the cell', () =>
    check(
      'class B:\n    def __repr__(self): 1/0\nB()',
      '',
      '<B object whose repr() raised ZeroDivisionError: division by zero>',
    ));
  test('IPython.display works without IPython', async () => {
    const run = await kernel.run(
      'from IPython.display import Markdown, display, clear_output\ndisplay(Markdown("**a**"))',
    );
    expect(run.outputs[0]).toMatchObject({
      data: { 'text/markdown': '**a**', 'text/plain': '**a**' },
    });
  });
});

describe('errors', () => {
  test('the traceback shows cell and line, not the kernel’s frames', async () => {
    const error = await checkError('def f():\n    return 1 / 0\n\nf()', 'ZeroDivisionError', 2);
    expect(error.traceback).toMatch(/File "<cell \d+>", line 4, in <module>\n    f\(\)/);
    expect(error.traceback).toMatch(/line 2, in f\n    return 1 \/ 0/);
  });
  test('an error in an earlier cell’s function names that cell', async () => {
    await kernel.run('def g():\n    raise KeyError("k")', 'defines g');
    const error = await checkError('\n\ng()', 'KeyError', 2);
    expect(error.cellId).toBe('c-defines g');
  });
  test('the traceback ends where the user’s code does', async () => {
    const error = await checkError(
      'from sglang import gen\ngen("a", regex="(x")',
      'PatternError',
      2,
    );
    expect(error.traceback).not.toMatch(/_parser|_compiler|python3/);
    const own = await checkError('import json\njson.loads("{")', 'JSONDecodeError', 2);
    expect(own.traceback).toContain('json');
    expect(own.traceback).toContain('raw_decode');
  });
  test('a function shows the text with which it was defined', async () => {
    await kernel.run('def h():\n    1 / 0  # old', 'defines h');
    await kernel.run('# nothing\n# here', 'defines h');
    expect((await checkError('h()', 'ZeroDivisionError', 2)).traceback).toContain('# old');
  });
  test('syntax errors', async () => {
    const error = await checkError('x = 1\nif x\n    pass', 'SyntaxError', 2);
    expect(error.message).toMatch(/^expected ':' \(cell \d+, line 2\)$/);
    expect(error.traceback).toMatch(/^ {2}File "<cell \d+>", line 2/);
  });
  test('causes are shown', async () => {
    const error = await checkError(
      'try:\n    {}["a"]\nexcept KeyError as e:\n    raise ValueError("no a") from e',
      'ValueError',
      4,
    );
    expect(error.traceback).toMatch(/KeyError: 'a'[\s\S]*direct cause[\s\S]*ValueError: no a/);
    // The server's answer was raised nowhere, and the message has it.
    const failed = await checkError(
      'from sglang._errors import failed\nraise failed("x", {"type": "RuntimeError", "message": "no"})',
      'GenerationError',
      2,
    );
    expect(failed.traceback).toMatch(
      /^Traceback[^]*\nsglang\.GenerationError: 'x' was not generated: no$/,
    );
    expect(failed.traceback).not.toContain('direct cause');
  });
  test('endless recursion', () =>
    checkError('def r(): r()\nr()', 'RecursionError', 1).then(() => undefined));
  test('an unknown magic says which there are', async () => {
    expect((await checkError('%nope', 'MagicError', 1)).message).toContain(
      'Known: autoreload, cat, cd',
    );
  });
  test('a package that is not there, and %pip, say what to do', async () => {
    const error = await checkError('import numpy', 'ModuleNotFoundError', 1);
    expect(error.traceback).toContain('"SGLang: Select Python…" in VS Code');
    for (const line of error.traceback.split('\n')) expect(line.length).toBeLessThan(100);
    expect((await checkError('%pip download numpy', 'MagicError', 1)).message).toContain(
      'Run the notebook on a Python of your own',
    );
  });
  test('threads, which the bundled Python lacks, say what to do instead', async () => {
    const code = 'import threading\nthreading.Thread(target=print).start()';
    const error = await checkError(code, 'RuntimeError', 2);
    expect(error.traceback).toContain('run_batch runs programs side by side');
  });
  test('exit does not end the kernel', async () => {
    expect((await checkError('import sys\nsys.exit(3)', 'SystemExit', 2)).message).toContain(
      'keeps running',
    );
    await check('1', '', '1');
  });
});

describe('Python', () => {
  test('top-level await', () =>
    check(
      'import asyncio\nawait asyncio.sleep(0.01)\nawait asyncio.sleep(0, "done")',
      '',
      "'done'",
    ));
  test('an awaited error has its line', () =>
    checkError('async def bad():\n    raise ValueError("x")\nawait bad()', 'ValueError', 2).then(
      () => undefined,
    ));
  test('tasks run while the cell waits', () =>
    check(
      'out = []\nasync def t(): out.append(1)\ntask = asyncio.create_task(t())\nimport time\ntime.sleep(0.05)\nout',
      '',
      '[1]',
    ));
  test('from __future__ lasts', () =>
    check('from __future__ import annotations', '').then(() =>
      check('def f(x: nowhere): pass\nf.__annotations__', '', "{'x': 'nowhere'}"),
    ));
  test('classes of cells can be pickled', () =>
    check(
      'import pickle\nclass K: pass\npickle.loads(pickle.dumps(K())).__class__ is K',
      '',
      'True',
    ));
  test('files of the notebook’s folder and of the machine', async () => {
    writeFileSync(join(kernel.cwd, 'data.txt'), 'grüße');
    writeFileSync(join(kernel.cwd, 'helper.py'), 'answer = 42');
    await check('open("data.txt", encoding="utf-8").read()', '', "'grüße'");
    await check('import helper\nhelper.answer', '', '42');
    await check(`open(${JSON.stringify(join(kernel.cwd, 'data.txt'))}, "a").write("!")`, '', '1');
    expect(readFileSync(join(kernel.cwd, 'data.txt'), 'utf8')).toBe('grüße!');
  });
  test('the environment', () =>
    check('import os\nos.environ["GREETING"]', '', "'from the driver'"));
  test('the notebook’s sglang is imported, whatever lies in the folder', async () => {
    writeFileSync(join(kernel.cwd, 'sglang.py'), '1/0');
    const run = await kernel.run('import sglang\nsglang.gen is not None');
    rmSync(join(kernel.cwd, 'sglang.py'));
    expect(run.outcome.status).toBe('ok');
  });
});

describe('shell lines and magics', () => {
  test('output, status and folder', async () => {
    await check('!pwd; echo bad >&2; exit 3', `${kernel.cwd}\nbad\n`);
    await check('_exit_code', '', '3');
  });
  test('captured output', () => check('x = !printf "a\\nb"\nx, x.n', '', "(['a', 'b'], 'a\\nb')"));
  test('values of Python in the command', () =>
    check('name = "w"\n!echo {name} $name {1 + 1} $HOME_OF_NOBODY "{}"', 'w w 2 {}\n'));
  test('output streams while the command runs', async () => {
    const run = kernel.execute('!echo first; sleep 60');
    await kernel.until(() => kernel.textOf(run).includes('first'));
    kernel.interrupt();
    const ended = await kernel.finished(run);
    expect(ended.outcome.status).toBe('interrupted');
  });
  test('a background job does not hold the cell', () =>
    check('!sleep 60 & echo started', 'started\n'));
  test('a command that reads gets an end of file', () => check('!cat; echo end', 'end\n'));
  test('%%bash fails when its script does', async () => {
    await check('%%bash\nfor i in 1 2; do echo $i; done', '1\n2\n');
    const run = await kernel.run('%%bash\nexit 4');
    expect(run.outcome).toMatchObject({ status: 'error', error: { name: 'CalledProcessError' } });
  });
  test('%cd and %env reach shell lines', async () => {
    await check('import os\nos.mkdir("sub")\n%cd sub\n!basename $PWD', `${kernel.cwd}/sub\nsub\n`);
    await check('%cd ..', `${kernel.cwd}\n`);
    await check(
      'os.environ["ADDED"] = "1"\ndel os.environ["GREETING"]\n!echo "$ADDED$GREETING."',
      '1.\n',
    );
  });
  test('%time shows the value', async () => {
    const run = await kernel.run('%time 6 * 7');
    expect(run.text).toMatch(/^CPU times: .*\nWall time: /);
    expect(resultOf(run)).toBe('42');
  });
  test('%timeit runs as often as it is told', async () => {
    await check('count = 0\ndef once():\n    global count\n    count += 1', '');
    expect((await kernel.run('%timeit -n 3 -r2 once()')).text).toMatch(
      /^[\d.]+ [nµm]?s ± [\d.]+ [nµm]?s per loop \(mean ± std\. dev\. of 2 runs, 3 loops each; best /,
    );
    await check('count', '', '6');
    await checkError('%timeit -o once()', 'MagicError', 1);
  });
  test('%%time keeps lines', () =>
    checkError('%%time\n\n1 / 0', 'ZeroDivisionError', 3).then(() => undefined));
  test('%%capture', () =>
    check('%%capture out\nprint("a")', '').then(() => check('out.stdout', '', "'a\\n'")));
});

describe('input', () => {
  test('a line, a password, the end of input', async () => {
    const run = kernel.execute(
      'import getpass\nprint(input("name? "), getpass.getpass())\ninput()',
    );
    for (const [value, prompt, password] of [
      ['Ann', 'name? ', false],
      ['s3cret', 'Password: ', true],
      [null, '', false],
    ] as const) {
      const asked = await kernel.event(
        (event) => event.type === 'input_request' && event.run === run && event.prompt === prompt,
      );
      if (asked.type !== 'input_request') throw new Error('unreachable');
      expect(asked.password).toBe(password);
      kernel.send({ type: 'input_reply', request: asked.request, value });
    }
    const ended = await kernel.finished(run);
    expect(ended.text).toBe('Ann s3cret\n');
    expect(ended.outcome).toMatchObject({ status: 'error', error: { name: 'EOFError', line: 3 } });
  });
});

describe('questions', () => {
  test('completion', async () => {
    await kernel.run('import math\nlong_variable_name = 1');
    expect(await kernel.query({ kind: 'complete', code: 'x = long_v', offset: 10 })).toEqual({
      start: 4,
      end: 10,
      items: [{ label: 'long_variable_name', kind: 'variable' }],
    });
    const members = await kernel.query({ kind: 'complete', code: '"😀"; math.sq', offset: 13 });
    expect(members).toMatchObject({ start: 11, items: [{ label: 'sqrt', kind: 'function' }] });
  });
  test('variables are short and limited, and nothing runs', async () => {
    await kernel.run(
      'big = list(range(10**6))\nclass Loud:\n    def __repr__(self): raise SystemError\nloud = Loud()',
    );
    const reply = JSON.stringify(await kernel.query({ kind: 'variables', limit: 1000 }));
    expect(reply).toContain(
      '"name":"big","type":"list","value":"[0, 1, 2, 3, 4, 5, 6, 7, ...]","size":1000000',
    );
    expect(reply).toContain('"name":"loud"');
    expect(reply.length).toBeLessThan(20_000);
    const inside = await kernel.query({ kind: 'variables', limit: 2, path: ['big'] });
    expect(inside).toMatchObject({ total: 10 ** 6, items: [{ name: '[0]' }, { name: '[1]' }] });
  });
  test('what is inside a variable, by the names that were shown', async () => {
    await kernel.run('class Box: pass\nbox = Box()\nbox.table = {"k": (1, "two")}');
    const ask = (...path: string[]) => kernel.query({ kind: 'variables', limit: 9, path });
    expect(await ask('box')).toMatchObject({
      items: [{ name: 'table', type: 'dict', size: 1, unfolds: true }],
    });
    expect(await ask('box', 'table', "'k'")).toEqual({
      total: 2,
      items: [
        { name: '[0]', type: 'int', value: '1', size: null, unfolds: false },
        { name: '[1]', type: 'str', value: "'two'", size: 3, unfolds: false },
      ],
    });
    expect(await ask('box', 'gone', "'k'")).toEqual({ total: 0, items: [] });
  });
  test('programs', async () => {
    await kernel.run(
      'import sglang as sgl\n\n@sgl.function\ndef ask(s, question, n=1):\n    s += question',
      'with program',
    );
    expect(await kernel.query({ kind: 'programs' })).toMatchObject({
      items: [{ name: 'ask', parameters: ['question', 'n'], cellId: 'c-with program' }],
    });
  });
  test('a question is answered while a cell waits', async () => {
    const run = kernel.execute('import time\nseen = 1\ntime.sleep(60)');
    await kernel.event((event) => event.type === 'started' && event.run === run);
    expect(JSON.stringify(await kernel.query({ kind: 'variables', limit: 1000 }))).toContain(
      'long_variable_name',
    );
    kernel.interrupt();
    await kernel.finished(run);
  });
});

describe('life of a kernel', () => {
  test('restart forgets, shuts programs down and goes on', async () => {
    const book = new KernelDriver();
    try {
      await book.run('x = 1');
      book.send({ type: 'restart' });
      await book.event((event) => event.type === 'status' && event.status === 'restarted');
      expect((await book.run('x')).outcome).toMatchObject({
        status: 'error',
        error: { name: 'NameError' },
      });
    } finally {
      await book.close();
    }
  });

  test('Python that crashes ends its cell with the reason; the next cell works', async () => {
    const book = new KernelDriver();
    try {
      await book.run('x = 1');
      const run = await book.run('import js\njs.process.exit(7)');
      expect(run.outcome).toMatchObject({ status: 'error', error: { name: 'KernelDied' } });
      await book.event(
        (event) => event.type === 'status' && event.status === 'restarted' && event.reason !== null,
      );
      expect((await book.run('1 + 1')).outcome.status).toBe('ok');
    } finally {
      await book.close();
    }
  });

  test('the driver’s end of input ends the kernel and a running cell', async () => {
    const book = new KernelDriver();
    const run = book.execute('while True: pass');
    await book.event((event) => event.type === 'started' && event.run === run);
    book.process.stdin.end();
    expect(await book.exited).toBe(0);
    await book.close();
  });

  test('a line that is no request is reported, not fatal', async () => {
    const book = new KernelDriver();
    try {
      book.process.stdin.write('hello\n{"no":"type"}\n{"type":"unheard"}\n');
      await book.until(
        () =>
          book.events.filter((event) => event.type === 'log' && event.level === 'warn').length >= 3,
      );
      expect((await book.run('1')).outcome.status).toBe('ok');
    } finally {
      await book.close();
    }
  });

  test('a stray print of the process does not break the protocol', async () => {
    const run = await kernel.run('import js\njs.console.log("stray")\nprint("kept")');
    expect(run.text).toBe('kept\n');
  });

  test('a damaged snapshot is made anew', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'kernel-cache-'));
    try {
      for (const damage of [false, true, false]) {
        for (const name of damage ? readdirSync(cache) : [])
          truncateSync(join(cache, name), 1_000_000);
        const book = new KernelDriver({ cache });
        expect((await book.run('1 + 1')).outcome.status).toBe('ok');
        await book.close();
        expect(readdirSync(cache)).toHaveLength(1);
      }
    } finally {
      rmSync(cache, { recursive: true, force: true });
    }
  });

  test('Python has no path of this installation as its program, nor has a snapshot', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'kernel-cache-'));
    const here = join(import.meta.dirname, '../..');
    const programs =
      'import os, sys, sysconfig\nprint([sys.executable, sys._base_executable, *sys.orig_argv], sysconfig.get_config_var("projectbase"))';
    // The first one makes the snapshot, the second one starts from it.
    for (const _ of ['made', 'used']) {
      const book = new KernelDriver({ cache });
      const { text } = await book.run(programs);
      expect(text).toMatch(/^\['python3', '', 'python3'\] /);
      expect(text).not.toContain(here);
      await book.close();
    }
    const snapshots = readdirSync(cache).filter((name) => name.endsWith('.snapshot'));
    expect(snapshots).toHaveLength(1);
    expect(readFileSync(join(cache, snapshots[0] ?? '')).includes(here)).toBe(false);
    rmSync(cache, { recursive: true });
  });

  test('a Python that does not exist is a clear error', async () => {
    const book = new KernelDriver({ guest: { kind: 'cpython', executable: '/nowhere/python3' } });
    const stopped = await book.event(
      (event) => event.type === 'status' && event.status === 'stopped',
    );
    expect(stopped).toMatchObject({ reason: expect.stringContaining('/nowhere/python3') });
    expect(await book.exited).toBe(1);
    await book.close();
  });
});
