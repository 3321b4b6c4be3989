/** Debugging cells in both guests, through a real kernel process. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { DebugDriver } from '../support/debug-driver.ts';
import { interpreters, VERSIONS } from '../support/interpreters.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

/** Generates " Paris" at once; a prompt with the word `never` gets no answer. */
let server: Server;
let url = '';
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => answer(body, request.url === '/generate', response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function answer(request: string, generates: boolean, response: ServerResponse): void {
  if (request.includes('never')) return;
  const meta_info = { id: 'x', finish_reason: null, prompt_tokens: 1, completion_tokens: 1 };
  const model = { model_path: 'm', tokenizer_path: 'm', is_generation: true };
  const answer = JSON.stringify(generates ? { text: ' Paris', meta_info } : model);
  const streams = request.includes('"stream":true');
  response.setHeader('content-type', streams ? 'text/event-stream' : 'application/json');
  response.end(streams ? `data: ${answer}\n\ndata: [DONE]\n\n` : answer);
}

const LOOP = `total = 0
for i in range(4):
    # nothing happens in this line
    total += i

print("total", total)
`;

const MODULE = `def double(x):
    result = 2 * x
    return result
`;

const PROGRAM = `import sglang as sgl

@sgl.function
def capital(s, country):
    s += "The capital of " + country + " is"
    s += sgl.gen("name")
    name = s["name"]
    s += "."
    return name
`;

function describeGuest(title: string, guest: GuestChoice): void {
  describe(title, () => {
    let kernel: KernelDriver;
    let debug: DebugDriver;
    const here = { cell: 'c-here' };

    beforeAll(async () => {
      kernel = new KernelDriver({ guest, endpoint: url });
      writeFileSync(join(kernel.cwd, 'helpers.py'), MODULE);
      await kernel.event((event) => event.type === 'ready');
      debug = new DebugDriver(kernel);
    });
    afterAll(() => kernel.close());
    afterEach(async () => {
      // Nothing of a session is left: the next cell runs through.
      debug.command({ kind: 'detach' });
      const after = await kernel.run('for each in "ab":\n    print(each)', 'here');
      expect([after.outcome.status, after.printed]).toEqual(['ok', 'a\nb\n']);
      expect(debug.unseenStops).toBe(0);
    });

    test('stops at a breakpoint, shows values, changes one, steps, and goes on', async () => {
      debug.breakpoints(here, 3);
      const run = debug.execute(LOOP, 'here');
      const stopped = await debug.stopped();
      expect(stopped).toMatchObject({ reason: 'breakpoint', thread: { id: 1 }, text: null });
      // The comment's breakpoint is at the next line that does something.
      const [frame, ...others] = await debug.stack();
      expect(others).toEqual([]);
      expect(frame).toMatchObject({ name: '<module>', line: 4, source: here });
      expect([await debug.value('total'), await debug.value('i')]).toEqual(['0', '0']);
      expect(await debug.step('over')).toBe('<module>:2');
      expect(await debug.step('over')).toBe('<module>:4');
      await expect(debug.evaluate('absent')).rejects.toThrow("name 'absent' is not defined");
      await expect(debug.evaluate('1 +')).rejects.toThrow('SyntaxError');
      await debug.evaluate('total = 100', 'repl');
      debug.breakpoints(here);
      debug.resume();
      const ended = await kernel.finished(run);
      expect([ended.outcome.status, ended.printed]).toEqual(['ok', 'total 106\n']);
    });

    test('the end is that of any run: order, result, outputs', async () => {
      const run = debug.execute('print("out")\n6 * 7', 'here');
      const { outcome, outputs } = await kernel.finished(run);
      expect(outcome.status).toBe('ok');
      expect(outputs).toMatchObject([
        { kind: 'stream', text: 'out\n' },
        { kind: 'result', data: { 'text/plain': '42' } },
      ]);
      const started = kernel.events.filter(({ type }) => type === 'started');
      expect(started.at(-1)).toMatchObject({ executionOrder: started.length });
    });

    test('conditions, hit counts and log points', async () => {
      debug.breakpoints(
        here,
        { line: 4, condition: 'i == 2' },
        { line: 6, log: 'so far {total}, {{}} {x}' },
      );
      let run = debug.execute(LOOP, 'here');
      await debug.stopped();
      expect(await debug.value('i')).toBe('2');
      debug.resume();
      await kernel.finished(run);
      expect(debug.logged).toEqual(["so far 6, {} <NameError: name 'x' is not defined>"]);

      debug.breakpoints(here, { line: 4, hits: '%2' });
      run = debug.execute(LOOP, 'here');
      for (const i of ['1', '3']) {
        await debug.stopped();
        expect(await debug.value('i')).toBe(i);
        debug.resume();
      }
      await kernel.finished(run);

      debug.breakpoints(here, { line: 4, condition: 'nonsense(' });
      run = debug.execute(LOOP, 'here');
      expect((await debug.stopped()).text).toMatch(
        'The condition of the breakpoint failed: SyntaxError',
      );
      debug.breakpoints(here);
      debug.resume();
      expect((await kernel.finished(run)).outcome.status).toBe('ok');
    });

    test('steps into a module that the cell calls, out of it, and stops at its breakpoints', async () => {
      const path = join(kernel.cwd, 'helpers.py');
      debug.breakpoints(here, 2);
      let run = debug.execute('import helpers\ny = helpers.double(4)\nprint(y)', 'here');
      await debug.stopped();
      expect(await debug.step('into')).toBe('double:2');
      const [inner, outer] = await debug.stack();
      expect([inner?.source, outer?.source]).toMatchObject([{ path }, here]);
      const [locals] = await debug.scopes(inner?.id ?? 0);
      expect(locals?.kind).toBe('locals');
      expect(await debug.parts(locals?.reference ?? 0)).toMatchObject([{ name: 'x', value: '4' }]);
      expect(
        await debug.evaluate('y if "y" in globals() else "unset"', 'watch', outer?.id),
      ).toMatchObject({
        value: "'unset'",
      });
      expect(await debug.step('out')).toBe('<module>:3');
      debug.breakpoints(here);
      debug.resume();
      await kernel.finished(run);

      debug.breakpoints({ path }, 3);
      run = debug.execute('import helpers\nhelpers.double(4)', 'here');
      await debug.stopped();
      const [frame] = await debug.stack();
      expect(frame).toMatchObject({ name: 'double', line: 3, source: { path } });
      const [scope] = await debug.scopes(frame?.id ?? 0);
      await debug.ask({
        kind: 'set',
        reference: scope?.reference ?? 0,
        name: 'result',
        text: '50 + x',
      });
      expect(await debug.value('result')).toBe('54');
      debug.resume();
      const { outputs } = await kernel.finished(run);
      expect(outputs).toMatchObject([{ kind: 'result', data: { 'text/plain': '54' } }]);
    });

    test("skips sglang's own code and the standard library", async () => {
      debug.breakpoints(here, 5);
      const code =
        'import json\nclass Odd:\n    def __str__(self):\n        return "odd"\njson.dumps([1])\nf"{Odd()}"';
      const run = debug.execute(code, 'here');
      await debug.stopped();
      expect(await debug.step('into')).toBe('<module>:6');
      expect(await debug.step('into')).toBe(
        'Odd.__str__:4'.replace(/^Odd\./, (await debug.place()).startsWith('Odd') ? 'Odd.' : ''),
      );
      debug.resume();
      expect((await kernel.finished(run)).outcome.status).toBe('ok');
    });

    test('large values are shown in pieces', async () => {
      debug.breakpoints(here, 5);
      const code =
        'numbers = list(range(100_000))\ntext = "x" * 100_000\nclass Point:\n    def __init__(self): self.x = 1\np = Point()\nnames = {"a": [1], 2: p}\npass';
      const run = debug.execute(code, 'here');
      await debug.stopped();
      await debug.step('over');
      await debug.step('over');
      const [frame] = await debug.stack();
      const [globals] = await debug.scopes(frame?.id ?? 0);
      const shown = await debug.parts(globals?.reference ?? 0);
      const by = (name: string) => shown.find((each) => each.name === name);
      expect(by('numbers')).toMatchObject({ indexed: 100_000, expression: 'numbers' });
      expect(by('text')?.value.length).toBeLessThan(300);
      const { reference = 0 } = by('numbers') ?? {};
      expect(await debug.parts(reference, { start: 500, count: 2 })).toMatchObject([
        { name: '[500]', value: '500', expression: 'numbers[500]' },
        { name: '[501]', value: '501' },
      ]);
      expect((await debug.parts(reference)).at(-1)).toMatchObject({ value: '99,800 more' });
      const parts = await debug.parts(by('names')?.reference ?? 0);
      expect(parts).toMatchObject([
        { name: "'a'", value: '[1]', expression: "names['a']" },
        { name: '2', expression: 'names[2]' },
      ]);
      expect(await debug.parts(parts[1]?.reference ?? 0)).toMatchObject([
        { name: 'x', value: '1', expression: 'names[2].x' },
      ]);
      debug.resume();
      await kernel.finished(run);
    });

    test('stops in the body of a program, which other cells defined, and reads its state', async () => {
      await kernel.run(PROGRAM, 'program');
      debug.breakpoints({ cell: 'c-program' }, 7, 8);
      const run = debug.execute(
        'state = capital.run(country="France")\nprint(state["name"])',
        'here',
      );
      expect((await debug.stopped()).reason).toBe('breakpoint');
      expect((await debug.stack()).map(({ name, line }) => `${name}:${line}`)).toEqual([
        'capital:7',
        '<module>:1',
      ]);
      expect(await debug.value('s["name"]')).toBe("' Paris'");
      expect(await debug.value('s')).toBe('<ProgramState>');
      const { reference } = await debug.evaluate('s');
      expect(await debug.parts(reference)).toMatchObject([
        { name: "'name'", value: "' Paris'", expression: "s['name']" },
        { name: 'text', value: "'The capital of France is Paris'" },
      ]);
      expect(await debug.step('over')).toBe('capital:8');
      expect(await debug.step('out')).toBe('<module>:2');
      debug.resume();
      expect((await kernel.finished(run)).printed).toBe(' Paris\n');
    });

    test('stops in bodies that run side by side, one after the other', async () => {
      await kernel.run(PROGRAM, 'program');
      debug.breakpoints({ cell: 'c-program' }, 8);
      const run = debug.execute(
        'states = capital.run_batch([{"country": c} for c in ("A", "B", "C")])\nprint(len(states))',
        'here',
      );
      const seen: string[] = [];
      for (let stop = 0; stop < 3; stop += 1) {
        const { thread } = await debug.stopped();
        expect(thread.id).toBeGreaterThan(1);
        seen.push(await debug.value('country'));
        if (stop === 0) expect(await debug.step('over')).toBe('capital:9');
        debug.resume();
      }
      expect(seen.toSorted()).toEqual(["'A'", "'B'", "'C'"]);
      expect((await kernel.finished(run)).printed).toBe('3\n');
    });

    test('stops in the body of a stream, and in coroutines', async () => {
      await kernel.run(PROGRAM, 'program');
      debug.breakpoints({ cell: 'c-program' }, 8);
      const stream = debug.execute('print(*capital.run("D", stream=True).text_iter())', 'here');
      expect((await debug.stopped()).thread.id).toBeGreaterThan(1);
      expect(await debug.value('country')).toBe("'D'");
      debug.resume();
      await kernel.finished(stream);

      debug.breakpoints(here, 4);
      const code =
        'import asyncio\nasync def wait(n):\n    await asyncio.sleep(0.01)\n    n += 1\n    return n\nv = await wait(1)\nprint(await wait(v))';
      const run = debug.execute(code, 'here');
      await debug.stopped();
      expect(await debug.place()).toBe('wait:4');
      expect(await debug.step('over')).toBe('wait:5');
      expect(await debug.step('over')).toBe('<module>:7');
      debug.breakpoints(here);
      debug.resume();
      expect((await kernel.finished(run)).printed).toBe('3\n');
    });

    test('the list of variables does not wait for programs, wherever their states are', async () => {
      const code = `import sglang as sgl
@sgl.function
def later(s):
    s += "never" + sgl.gen("x")
class Holder:
    def __repr__(self): return f"holds {states[0]['x']}"
@sgl.function
def place(s):
    s += "In" + sgl.gen("x")
states = [later.run(), place.run()]
states[1].text()
holder = Holder()`;
      expect((await kernel.run(code)).outcome.status).toBe('ok');
      const answer = await kernel.query({ kind: 'variables', limit: 100 });
      expect(answer).toMatchObject({
        items: expect.arrayContaining([
          expect.objectContaining({ name: 'states', value: '[<ProgramState>, <ProgramState>]' }),
          expect.objectContaining({
            name: 'holder',
            value: expect.stringMatching(/^<Holder instance at /),
          }),
        ]),
      });
      const inside = (state: string) =>
        kernel.query({ kind: 'variables', limit: 100, path: ['states', state] });
      expect(await inside('[0]')).toMatchObject({
        total: 1,
        items: [{ name: 'text', type: 'str', value: "'never'" }],
      });
      expect(await inside('[1]')).toMatchObject({
        items: [
          { name: "'x'", value: "' Paris'" },
          { name: 'text', value: "'In Paris'" },
        ],
      });
    });

    test('never waits for ever for a generation that is still to come', async () => {
      await kernel.run(PROGRAM, 'program');
      debug.breakpoints({ cell: 'c-program' }, 7);
      const run = debug.execute('capital.run(country="never")', 'here');
      await debug.stopped();
      await expect(debug.evaluate('s["name"]')).rejects.toThrow("'name' is not generated yet");
      await expect(debug.evaluate('s.messages()')).rejects.toThrow(
        'goes on only after the debugger',
      );
      expect(await debug.value('s.text()')).toBe("'The capital of never is'");
      expect(await debug.value('[s, {"s": s}]')).toBe("[<ProgramState>, {'s': <ProgramState>}]");
      await expect(debug.evaluate('s["unknown"]')).rejects.toThrow('unknown');
      kernel.interrupt();
      expect((await kernel.finished(run)).outcome.status).toBe('interrupted');
    });

    test('stops where an exception leaves the cell, and where any is raised', async () => {
      debug.exceptions('uncaught');
      const code =
        'def f(x):\n    return 1 / x\ntry:\n    f(0)\nexcept ZeroDivisionError:\n    pass\nf(0)';
      let run = debug.execute(code, 'here');
      expect(await debug.stopped()).toMatchObject({
        reason: 'exception',
        text: 'ZeroDivisionError: division by zero',
      });
      expect((await debug.stack()).map(({ name, line }) => `${name}:${line}`)).toEqual([
        'f:2',
        '<module>:7',
      ]);
      expect(await debug.value('x')).toBe('0');
      debug.resume();
      expect((await kernel.finished(run)).outcome).toMatchObject({
        status: 'error',
        error: { name: 'ZeroDivisionError', line: 2 },
      });

      debug.exceptions('raised');
      run = debug.execute(code, 'here');
      for (const line of [4, 7]) {
        expect((await debug.stopped()).reason).toBe('exception');
        expect((await debug.stack()).map((frame) => frame.line)).toEqual([2, line]);
        debug.resume();
      }
      expect((await kernel.finished(run)).outcome.status).toBe('error');
    });

    test('pauses a cell that computes, takes breakpoints meanwhile, and refuses questions', async () => {
      const run = debug.execute('n = 0\nwhile True:\n    n += 1\n    if n < 0: break', 'here');
      await kernel.event((event) => event.type === 'started' && event.run === run);
      await expect(debug.evaluate('n')).rejects.toThrow('The program runs');
      debug.command({ kind: 'pause' });
      expect((await debug.stopped()).reason).toBe('pause');
      debug.resume();
      debug.breakpoints(here, 3);
      expect((await debug.stopped()).reason).toBe('breakpoint');
      await debug.evaluate('n = -10', 'repl');
      debug.breakpoints(here);
      debug.resume();
      expect((await kernel.finished(run)).outcome.status).toBe('ok');
    });

    test('a pause asked for while a cell is being started holds for it, and for no later one', async () => {
      debug.command({ kind: 'pause' });
      let run = debug.execute('n = 1', 'here');
      expect((await debug.stopped()).reason).toBe('pause');
      debug.command({ kind: 'pause' });
      debug.resume();
      expect((await kernel.finished(run)).outcome.status).toBe('ok');
      run = debug.execute('n = 2', 'here');
      expect((await kernel.finished(run)).outcome.status).toBe('ok');
    });

    test('an interrupt ends a cell that stands still, an expression, and nothing else', async () => {
      debug.breakpoints(here, 4, 6);
      const code = 'import time\nkept = 1\ntry:\n    time.sleep(0)\nfinally:\n    kept = 2';
      for (const busy of [false, true]) {
        const run = debug.execute(code, 'here');
        await debug.stopped();
        const endless = busy ? debug.evaluate('[0 for _ in iter(int, 1)]').catch(() => {}) : null;
        if (busy) await new Promise((resolve) => setTimeout(resolve, 100));
        kernel.interrupt();
        const { outcome, outputs, text } = await kernel.finished(run);
        expect([outcome.status, text]).toEqual(['interrupted', '']);
        expect(outputs.at(-1)).toMatchObject({
          kind: 'error',
          error: { name: 'KeyboardInterrupt' },
        });
        expect((await kernel.run('print(kept)')).printed).toBe('2\n');
        await endless;
        debug.breakpoints(here, 4, 6);
      }
    });

    test('a debugger that goes away lets the cell run to its end', async () => {
      debug.breakpoints(here, 2, 4);
      const run = debug.execute(LOOP, 'here');
      await debug.stopped();
      debug.command({ kind: 'detach' });
      expect((await kernel.finished(run)).printed).toBe('total 6\n');
    });

    test('a restart ends a cell that stands still', async () => {
      debug.breakpoints(here, 4);
      const run = debug.execute(LOOP, 'here');
      await debug.stopped();
      kernel.send({ type: 'restart' });
      expect((await kernel.finished(run)).outcome.status).toBe('interrupted');
    });
  });
}

describeGuest('Python in WebAssembly', { kind: 'wasm' });

// The oldest and the newest: frames and their locals work differently in each.
const found = VERSIONS.flatMap((version) => interpreters().get(version) ?? []);
const ends = found.length > 1 ? [found.at(0), found.at(-1)] : found;
if (found.length === 0) test.skip('CPython: not run, this machine has no Python 3.9 or newer');
for (const end of ends) if (end) describeGuest(`CPython ${end.version}`, end.guest);
