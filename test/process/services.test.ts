/** Programs of the Python package, in both guests, on model services, which answer here with recorded shapes. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostBridge } from '../../extension/kernel/guest/guest.ts';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import type { GenRecord, KernelOutput } from '../../extension/protocol/kernel-protocol.ts';
import { findPython, runPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver, REPORT, reportsIn } from '../support/kernel-driver.ts';
import { RecordedService, sse } from '../support/recorded-service.ts';

const hasPython = findPython() !== null;
const KEY = 'sk-secret-42';
let service: RecordedService;
let bridge: HostBridge;
let url: string;
let outputs: KernelOutput[];
let records: GenRecord[];

beforeEach(async () => {
  [service, outputs, records] = [new RecordedService(), [], []];
  url = await service.listen();
  bridge = createHostBridge({
    emit: (output) => outputs.push(output),
    onGen: (record) => records.push(record),
    cwd: process.cwd(),
    defaultEndpoint: null,
  });
});
afterEach(async () => {
  await bridge.dispose();
  await service.close();
});

const PRELUDE = `
import os, sglang as sgl
from sglang import *
def raised(work):
    try: return work()
    except BaseException as e: return type(e).__name__ + ": " + str(e)
@function
def qa(s, question, **kw):
    s += system("Be brief.")
    s += user(question)
    s += assistant(gen("answer", **kw))
@function
def pick(s):
    s += user("pick") + assistant(select("it", ["yes", "no"]))
`;

async function check(source: string, ...expected: unknown[]): Promise<void> {
  const prelude = `URL = ${JSON.stringify(url)}\nKEY = ${JSON.stringify(KEY)}\n`;
  const answers = [...service.answers];
  const { reports, error, stderr } = await runPython(prelude + PRELUDE + source, bridge);
  if (error !== null) throw new Error(error.traceback + stderr);
  expect(reports).toEqual(expected);
  expect(JSON.stringify([outputs, records, reports]) + stderr).not.toContain(KEY);
  service.answers = answers;
  await checkBundled(prelude + PRELUDE + source, expected);
}

/** One for all tests: each defines its names anew and finds the first one's environment. */
let bundled: KernelDriver | undefined;
afterAll(() => bundled?.close());

const AS_STARTED = `
import os
started = globals().get("started") or dict(os.environ)
os.environ.clear()
os.environ.update(started)
`;

/** The same in a kernel; what tests look at afterwards are the requests of the first run. */
async function checkBundled(source: string, expected: readonly unknown[]): Promise<void> {
  const before = service.requests.length;
  bundled ??= new KernelDriver();
  const run = await bundled.run(AS_STARTED + REPORT + source);
  expect(run.outcome).toEqual({ status: 'ok' });
  expect(reportsIn(run)).toEqual(expected);
  expect(JSON.stringify(bundled.events)).not.toContain(KEY);
  expect(service.requests.length).toBeGreaterThan(0);
  service.requests.length = before;
}

const completion = (content: string): object => ({
  id: 'c1',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2 },
});

describe.skipIf(!hasPython)('services (needs a Python 3 on this machine)', () => {
  test('OpenAI: num_api_spec_tokens asks once for a message with several gens', async () => {
    service.answers = [{ body: completion('Name: Ann.\nJob: pilot.\n') }];
    await check(
      `
import warnings
warnings.simplefilter("error")
@function(num_api_spec_tokens=64)
def character(s):
    s += user("Someone new.")
    s += assistant("Name:" + gen("name", stop="\\n") + "\\nJob:" + gen("job", stop="\\n"))
state = character.run(backend=OpenAI("gpt-4o-mini", base_url=URL, api_key=KEY))
report([state["name"], state["job"]])
report(raised(lambda: character.run(stream=True, backend=OpenAI("gpt-4o-mini", base_url=URL))["name"]))
`,
      [' Ann.', ' pilot.'],
      expect.stringContaining('cannot be used with stream=True'),
    );
    expect(service.requests.map(({ body }) => body['max_tokens'])).toEqual([64]);
  });
  test('OpenAI: a dialogue, token counts, and a key from the environment', async () => {
    service.answers = [{ body: completion('Paris') }];
    await check(
      `
os.environ["OPENAI_API_KEY"] = KEY
backend = OpenAI("gpt-4o-mini", base_url=URL)
set_default_backend(backend)
state = qa.run(question="Capital?", max_tokens=9)
report(state["answer"])
report(state.get_meta_info("answer")["completion_tokens"])
report([backend.token_usage.prompt_tokens, backend.token_usage.completion_tokens])
backend.token_usage.reset()
report(repr(backend.token_usage))
report(KEY in repr(vars(backend)))
`,
      'Paris',
      2,
      [3, 2],
      'TokenUsage(prompt_tokens=0, completion_tokens=0)',
      false,
    );
    expect(service.requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(service.requests[0]?.body).toMatchObject({
      max_tokens: 9,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Capital?' },
      ],
    });
    expect(records).toHaveLength(1);
  });

  test('tools: the calls are in the meta information; other APIs refuse before any request', async () => {
    const call = { id: 't1', type: 'function', function: { name: 'add', arguments: '{"a":1}' } };
    const message = { role: 'assistant', content: null, tool_calls: [call] };
    service.answers = [{ body: { choices: [{ index: 0, message, finish_reason: 'tool_calls' }] } }];
    await check(
      `
tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
state = qa.run(question="x", tools=tools, tool_choice="auto", backend=OpenAI("m", base_url=URL, api_key=KEY))
report([state["answer"], state.get_meta_info("answer")["tool_calls"][0]["function"]["name"]])
for backend in (Anthropic("m", base_url=URL, api_key=KEY), VertexAI("m", base_url=URL, api_key=KEY)):
    report("no tools=" in raised(lambda: qa.run(question="x", tools=tools, backend=backend)["answer"]))
`,
      ['', 'add'],
      true,
      true,
    );
    expect(service.requests).toHaveLength(1);
    expect(service.requests[0]?.body).toMatchObject({
      tools: [{ type: 'function' }],
      tool_choice: 'auto',
    });
  });

  test('a budget is kept: what could pass it is not sent, also by many programs at once', async () => {
    service.answers = Array.from({ length: 21 }, () => ({ body: completion('Paris') }));
    await check(
      `
backend = OpenAI("m", base_url=URL, api_key=KEY, token_budget=400, prices=(1, 2), budget=1)
set_default_backend(backend)
state = qa.run(question="x", max_tokens=50)
state.sync()
report([state["answer"], backend.token_usage.cost])
states = qa.run_batch([{"question": str(i), "max_tokens": 60} for i in range(20)], num_threads=20)
errors = [str(s.error()) for s in states if s.error() is not None]
report(0 < len(states) - len(errors) == backend.token_usage.completion_tokens // 2 - 1 < 20)
report("token_budget=400 allows" in errors[0])
report(raised(lambda: OpenAI("m", base_url=URL, api_key=KEY, budget=1))[:52])
dear = OpenAI("m", base_url=URL, api_key=KEY, prices=(1000000, 1000000), budget=5)
report(raised(lambda: qa.run(question="x", backend=dear)["answer"])[:60].strip())
report(raised(lambda: OpenAI("m", api_key=KEY, budgets=1)))
`,
      ['Paris', 0.000007],
      true,
      true,
      'RuntimeError: budget= needs the prices of the model:',
      "GenerationError: 'answer' was not generated: Not sent: with",
      "TypeError: OpenAI() got an unexpected keyword argument 'budgets'",
    );
  });

  test('OpenAI: streams, decides, and refuses a regex before any request', async () => {
    const piece = (content: string): string =>
      sse({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
    service.answers = [
      { events: [piece('a'), piece('b'), 'data: [DONE]\n\n'] },
      { body: completion('{"choice":"no"}') },
    ];
    await check(
      `
set_default_backend(OpenAI("m", base_url=URL, api_key=KEY))
report("".join(qa.run(question="x", stream=True).text_iter("answer")))
report(pick.run()["it"])
report("regular expression" in raised(lambda: qa.run(question="x", regex="a+")["answer"]))
`,
      'ab',
      'no',
      true,
    );
    expect(service.requests).toHaveLength(2);
  });

  test('a wrong key is told without the key', async () => {
    service.answers = [{ status: 401, body: { error: { message: `wrong key ${KEY}` } } }];
    await check(
      `
set_default_backend(OpenAI("m", base_url=URL, api_key=KEY))
report(raised(lambda: qa.run(question="x")["answer"])[-80:])
`,
      expect.stringContaining('OPENAI_API_KEY'),
    );
  });

  test('Anthropic, LiteLLM and Gemini answer the same program', async () => {
    service.answers = [
      { body: { content: [{ type: 'text', text: 'A' }], stop_reason: 'end_turn' } },
      { body: completion('L') },
      { body: { candidates: [{ content: { parts: [{ text: 'G' }] }, finishReason: 'STOP' }] } },
    ];
    await check(
      `
for backend in [
    Anthropic("claude", base_url=URL, api_key=KEY),
    LiteLLM("m", base_url=URL, api_key=KEY),
    VertexAI("gemini", base_url=URL, api_key=KEY),
]:
    report(qa.run(question="x", backend=backend)["answer"])
`,
      'A',
      'L',
      'G',
    );
  });

  test('LiteLLM takes its arguments in the order of SGLang, and programs without roles', async () => {
    service.answers = [{ body: completion('L') }];
    await check(
      `
@function
def plain(s):
    s += "Q: go?\\nA:" + gen("answer", stop="\\n")
backend = LiteLLM("m", None, KEY, "org-1", URL, 60, 1, {"X-Title": "t"})
report(plain.run(backend=backend)["answer"])
report("right after sgl.assistant" in raised(lambda: plain.run(backend=OpenAI("m", base_url=URL))["answer"]))
`,
      'L',
      true,
    );
    expect(service.requests).toHaveLength(1);
    expect(service.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'openai-organization': 'org-1',
      'x-title': 't',
    });
  });

  test('Azure: a deployment of another name, and a token; Vertex AI: its library’s settings', async () => {
    service.answers = [
      { body: completion('A') },
      { body: { candidates: [{ content: { parts: [{ text: 'V' }] }, finishReason: 'STOP' }] } },
    ];
    await check(
      `
azure = OpenAI("gpt-4o", is_azure=True, azure_endpoint=URL, azure_deployment="my own", azure_ad_token=KEY, api_version="v")
report(qa.run(question="x", backend=azure)["answer"])
os.environ.update(GCP_PROJECT_ID="p", GCP_LOCATION="global", GOOGLE_ACCESS_TOKEN=KEY)
report(VertexAI("gemini").base_url)
vertex = VertexAI("gemini", {"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"}, base_url=URL)
report(qa.run(question="x", backend=vertex)["answer"])
`,
      'A',
      'https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google',
      'V',
    );
    const [azure, vertex] = service.requests;
    expect(azure?.path).toBe('/openai/deployments/my%20own/chat/completions?api-version=v');
    expect(azure?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(vertex?.body['safetySettings']).toEqual([
      { category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' },
    ]);
  });

  test('variable names may be any text', async () => {
    service.answers = [{ body: completion('v') }];
    await check(
      `
set_default_backend(OpenAI("m", base_url=URL, api_key=KEY))
@function
def odd(s, names):
    for name in names:
        s += user("x") + assistant(gen(name))
names = ['a"b', "a'b", "line\\nbreak", "ключ 🔑", "__proto__", "constructor", ""]
state = odd.run(names=names)
report([state[name] for name in names])
`,
      Array.from({ length: 7 }, () => 'v'),
    );
  });

  test('item 37 of a batch of 100 that raises is told, as is an exception in a fork', async () => {
    service.answers = [{ body: completion('v') }];
    await check(
      `
set_default_backend(OpenAI("m", base_url=URL, api_key=KEY))
@function
def item(s, i):
    s += user(str(i)) + assistant(gen("a"))
    if i == 37: raise ValueError("item 37")
@function
def forked(s):
    s += user("x")
    for i, f in enumerate(s.fork(3)):
        if i == 1: raise ValueError("fork 1")
        f += assistant(gen("a"))
report(raised(lambda: item.run_batch([{"i": i} for i in range(100)], num_threads=8)))
report("fork 1" in str(raised(lambda: forked.run()["a"])))
`,
      'ValueError: item 37',
      true,
    );
  });
});

test('the services were tested', ({ skip }) => {
  skip(!hasPython, 'not run: this machine has no python3');
  expect(hasPython).toBe(true);
});
