/** Prompt previews by a real kernel: without a server, next to the bundled runtime, while a cell runs. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KernelQuery, PreviewAnswer } from '../../extension/protocol/kernel-protocol.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

let kernel: KernelDriver;
beforeAll(async () => {
  kernel = new KernelDriver();
  await kernel.event((event) => event.type === 'ready');
});
afterAll(() => kernel.close());

type Asked = Partial<Omit<KernelQuery & { readonly kind: 'preview' }, 'kind'>>;

async function preview(program: string, asked: Asked): Promise<PreviewAnswer> {
  const answer = await kernel.query({ kind: 'preview', program, args: {}, ...asked });
  return answer as PreviewAnswer;
}

const CAPITAL = `@function
def capital_of(s, country: str, polite=False):
    s += user(f"What is the capital of {country}?" + (" Please." if polite else ""))
    s += assistant(gen("capital", max_tokens=64))
`;
const RENDERED = `<|im_start|>system
You are a helpful assistant.<|im_end|>
<|im_start|>user
What is the capital of France? Please.<|im_end|>
<|im_start|>assistant
⟨capital: up to 64 tokens⟩<|im_end|>
`;

describe('a preview', () => {
  test('renders a program that no cell has run, from its source and typed arguments', async () => {
    const literals = { country: '"France"', polite: 'True' };
    const answer = await preview('capital_of', { sources: [CAPITAL], literals });
    expect(answer.prompt).toEqual({ text: RENDERED, forks: [] });
    expect([answer.template, answer.model, answer.ended]).toEqual(['qwen', null, null]);
    expect(answer.tokens.exact).toBe(false);
  });

  test('takes imports, helpers and constants of the text along, and runs nothing else of it', async () => {
    const source = `import json
from sglang import function as prog, user as says
!echo no
STYLE = {"tone": "brief"}
def helper(x): return json.dumps(x)
print("ran", undefined)
@prog
def ask(s, q):
    s += says(helper(STYLE) + q)
ask.run(q="x")`;
    const answer = await preview('ask', { sources: [source], literals: { q: '"?"' } });
    expect(answer.prompt.text).toContain('user\n{"tone": "brief"}?<|im_end|>');
    expect(kernel.textOf(null)).toBe('');
  });

  test('takes what the cells above define, run or not, and leaves broken ones out', async () => {
    const above = [
      'from sglang import function as prog, user as says',
      'half =',
      'TOPIC = "rivers"',
    ];
    const own = '@prog\ndef ask(s):\n    s += says(TOPIC)';
    const answer = await preview('ask', { sources: [...above, own] });
    expect(answer.prompt.text).toContain('user\nrivers<|im_end|>');
    await kernel.run('TOPIC = "lakes"');
    expect((await preview('ask', { sources: [...above, own] })).prompt.text).toContain('lakes');
  });

  test('follows forks, and says what it assumed and where it had to stop', async () => {
    const source = `@function
def plan(s, n):
    s += "Pick: " + select("kind", choices=["short", "long"])
    if s["kind"] == "short":
        s += " tip\\n"
    forks = s.fork(n)
    for i, f in enumerate(forks):
        f += f"Tip {i}: " + gen("tip")
    forks.join()
    s += " and ".join(forks[0]["tip"] for _ in range(2))
    while "done" not in s["kind"]:
        s += "."
`;
    const answer = await preview('plan', { sources: [source], literals: { n: '2' } });
    expect(answer.prompt.text).toMatch(
      /^Pick: ⟨kind: one of short \| long⟩ tip\n⟨tip⟩ and ⟨tip⟩\.\.\./,
    );
    expect(answer.prompt.forks.map(({ text }) => text)).toEqual(['Tip 0: ⟨tip⟩', 'Tip 1: ⟨tip⟩']);
    expect(answer.assumed).toEqual([['kind', 'short']]);
    expect(answer.ended).toContain('did not end after 2000 steps');
  });

  test('follows a coroutine until it awaits something else', async () => {
    const source = `import asyncio
@function
async def plan(s):
    s += "Pick: " + gen("kind")
    s += "Because " + await s["kind"]
    forks = await s.fork(2)
    forks += gen("tip")
    await forks.join()
    await asyncio.sleep(1)
    s += "late"
`;
    const { prompt, ended } = await preview('plan', { sources: [source] });
    expect(prompt.text).toBe('Pick: ⟨kind⟩Because ⟨kind⟩');
    expect(prompt.forks).toHaveLength(2);
    expect(ended).toContain('awaits something else');
  });

  test('never generates: a program that runs another one ends there', async () => {
    const source = `${CAPITAL}
@function
def outer(s):
    s += "before"
    capital_of.run(country="Peru")
`;
    const answer = await preview('outer', { sources: [source] });
    expect(answer.prompt.text).toBe('before');
    expect(answer.ended).toContain('runs another program');
  });

  test.each([
    ['x = 1', {}, /There is no SGLang program named capital_of; run its cell first/],
    [CAPITAL, {}, /missing 1 required positional argument: 'country'/],
    [
      `@function\ndef capital_of(s, a=unknown):\n    pass`,
      {},
      /'unknown' is not defined; run the cell/,
    ],
  ])('explains what is missing: %#', async (source, literals, message) => {
    await expect(preview('capital_of', { sources: [source], literals })).rejects.toThrow(message);
  });

  test('counts with the tokenizer of the server that runs, while a cell runs', async () => {
    const launched = await kernel.run(
      `from sglang import *\nruntime = Runtime(model_path="starter")\nset_default_backend(runtime)\n${CAPITAL}`,
    );
    expect(launched.outcome).toEqual({ status: 'ok' });
    const run = kernel.execute('import time\nprint("busy", flush=True)\ntime.sleep(60)');
    await kernel.until(() => kernel.textOf(run).includes('busy'));
    const answer = await preview('capital_of', { args: { country: 'France', polite: true } });
    expect(answer.prompt.text).toBe(RENDERED);
    expect(answer.tokens.exact).toBe(true);
    expect(answer.model).toContain('starter');
    kernel.interrupt();
    await kernel.finished(run);
    const state = await kernel.run(
      'state = capital_of.run(country="France", polite=True, temperature=0)\nstate["capital"]\nprint(state.get_meta_info("capital")["prompt_tokens"])',
    );
    // The count of the whole text less the last role's end is what the run's gen was sent.
    const prompt = Number(state.text);
    expect(answer.tokens.count).toBeGreaterThanOrEqual(prompt);
    expect(answer.tokens.count - prompt).toBeLessThan(5);
  });
});
