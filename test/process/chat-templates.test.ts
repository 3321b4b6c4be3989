/** Chat templates as programs see them: SGLang's, and those that programs register, in both guests. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { findPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const GOLDEN = fileURLToPath(new URL('../../../shared/golden/', import.meta.url));
const python = findPython();
const GUESTS: readonly (readonly [name: string, guest: GuestChoice | null])[] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', python === null ? null : { kind: 'cpython', executable: python }],
];

const PRELUDE = `import json
from sglang import *
from sglang.lang.chat_template import (ChatTemplate, ChatTemplateStyle, get_chat_template,
    get_chat_template_by_model_path, register_chat_template, register_chat_template_matching_function)
def raised(work):
    try: return work()
    except BaseException as e: return type(e).__name__ + ": " + str(e)
DIALOGUE = [("system", "S"), ("user", "U1"), ("assistant", "A1"), ("user", "U2")]
def fields(name):
    t = get_chat_template(name)
    return {"system_default": t.default_system_prompt, "roles": t.role_prefix_and_suffix, "stop": t.stop_str,
            "image": t.image_token, "audio": t.audio_token, "style": t.style.name}
def rendered(name):
    return get_chat_template(name).get_prompt([{"role": r, "content": c} for r, c in DIALOGUE])
@function
def ask(s): s += user("q") + assistant(gen("a"))`;

/** SGLang's registry loses the prefix of its user role. */
const REPAIRED = 'janus-pro';

describe.each(GUESTS)('%s', (_, guest) => {
  const known = new MockSglangServer();
  const unknown = new MockSglangServer({ model: 'lab/Novel-7B' });
  const ours = new MockSglangServer({ model: 'Qwen/Qwen3-0.6B' });
  let kernel: KernelDriver;
  let urls: Record<string, string>;
  beforeAll(async () => {
    if (guest === null) return;
    urls = {
      KNOWN: await known.listen(),
      UNKNOWN: await unknown.listen(),
      OURS: await ours.listen(),
    };
  });
  beforeEach(async ({ skip }) => {
    skip(guest === null, 'not run: this machine has no python3');
    await kernel?.close();
    kernel = new KernelDriver({ guest: guest ?? { kind: 'wasm' } });
    const names = Object.entries(urls).map(([name, url]) => `${name} = ${JSON.stringify(url)}`);
    const { outcome, text } = await kernel.run(`${PRELUDE}\n${names.join('\n')}`);
    expect(outcome, text).toEqual({ status: 'ok' });
  });
  afterAll(async () => {
    await kernel?.close();
    await Promise.all([known.close(), unknown.close(), ours.close()]);
  });

  async function check(code: string, ...lines: readonly string[]): Promise<void> {
    const { printed, outcome } = await kernel.run(code);
    expect({ outcome, text: printed }).toEqual({
      outcome: { status: 'ok' },
      text: lines.map((line) => `${line}\n`).join(''),
    });
  }

  const notices = (): readonly unknown[] =>
    kernel.events.flatMap((event) =>
      event.type === 'output' && event.output.kind === 'display'
        ? [event.output.data['text/plain']]
        : [],
    );

  test.for(['v043', 'head'])(
    'every template of %s has its fields and its rendering',
    async (version, { skip }) => {
      const [fields, renderings] = ['templates', 'render'].map(
        (what) => `${GOLDEN}chat_${what}_${version}.json`,
      );
      skip(
        !existsSync(fields ?? '') || !existsSync(renderings ?? ''),
        `not checked: ${GOLDEN} is not here`,
      );
      const read = (path = ''): Record<string, Record<string, unknown>> =>
        JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>;
      const expected = read(fields);
      const names = JSON.stringify(Object.keys(expected));
      const { text } = await kernel.run(
        `print(json.dumps({n: [fields(n), rendered(n)] for n in json.loads(${JSON.stringify(names)})}))`,
      );
      const found = JSON.parse(text) as Record<string, [Record<string, unknown>, string]>;
      expect(Object.keys(found).length).toBeGreaterThan(15);
      for (const [name, recorded] of Object.entries(expected)) {
        const wanted: unknown = read(renderings)[name];
        const [given, rendering] = found[name] ?? [{}, ''];
        // SGLang v0.4.3 has no audio token.
        const { audio, ...more } = recorded;
        expect({ name, ...given }).toMatchObject({
          name,
          ...(name === REPAIRED ? {} : more),
          ...(typeof audio === 'string' ? { audio } : {}),
        });
        if (name !== REPAIRED && typeof wanted === 'string') expect(rendering).toBe(wanted);
      }
    },
  );

  test('a template of the program is found by its name and used', () =>
    check(
      `own = ChatTemplate("own", "Be kind.", {"system": ("<S>", "</S>"), "user": ("<U>", "</U>"), "assistant": ("<A>", "</A>")},
    ("</A>",), image_token="<pic>", style=ChatTemplateStyle.PLAIN)
register_chat_template(own)
endpoint = RuntimeEndpoint(KNOWN, chat_template_name="own")
print(endpoint.chat_template == own, get_chat_template("own") == own, endpoint.get_chat_template() == own)
print(ask.run(backend=endpoint).text())
print(raised(lambda: RuntimeEndpoint(KNOWN, chat_template_name="nope"))[:42])
import sglang.lang.chat_template as module
print(module.chat_template_registry["own"] == own, "qwen" in module.chat_template_registry)`,
      'True True True',
      '<S>Be kind.</S><U>q</U><A> Paris is nice</A>',
      'KeyError: \'There is no chat template "nope',
      'True True',
    ));

  test("rules of the program are asked for models that SGLang's do not know", async () => {
    await check(
      `asked = []
@register_chat_template_matching_function
def novel(model_path):
    asked.append(model_path)
    if "novel" in model_path.lower(): return get_chat_template("vicuna_v1.1")
@register_chat_template_matching_function
def by_name(model_path):
    return "gemma-it" if "Qwen3" in model_path else None
for url in (KNOWN, UNKNOWN, OURS): print(RuntimeEndpoint(url).chat_template.name)
print(asked)
for path in ("Qwen/Qwen2.5-7B-Instruct", "lab/NOVEL", "Qwen/Qwen3-8B", "gpt2", "HuggingFaceTB/SmolLM2-1.7B"):
    print(get_chat_template_by_model_path(path).name, end=" ")
print(novel.__name__)
print(ask.run(backend=RuntimeEndpoint(UNKNOWN)).text()[:20])
print(ask.run(backend=OpenAI("novel", base_url=UNKNOWN, api_key="k")).stream_executor.chat_template.name)
print(OpenAI("novel", chat_template="claude", api_key="k").chat_template.name)`,
      'qwen',
      'vicuna_v1.1',
      'gemma-it',
      "['lab/Novel-7B', 'Qwen/Qwen3-0.6B']",
      'qwen vicuna_v1.1 gemma-it default chatml novel',
      'A chat between a cur',
      'vicuna_v1.1',
      'claude',
    );
    expect(notices()).toEqual([]);
  });

  test('a rule that knows nothing leaves the notice; one that is wrong says so', async () => {
    await check(
      `register_chat_template_matching_function(lambda path: None)
print(RuntimeEndpoint(UNKNOWN).chat_template.name, RuntimeEndpoint(OURS).chat_template.name)
register_chat_template_matching_function(lambda path: "nope")
print(raised(lambda: RuntimeEndpoint(UNKNOWN))[:33])`,
      'default chatml',
      'KeyError: "no chat template \'nope',
    );
    expect(notices()).toEqual([
      expect.stringContaining('No chat template is known for the model "lab/Novel-7B"'),
    ]);
  });

  test("the kernel's own server is matched, too", async () => {
    await kernel.close();
    kernel = new KernelDriver({
      guest: guest ?? { kind: 'wasm' },
      endpoint: urls['UNKNOWN'] ?? '',
    });
    await check(
      `${PRELUDE}
register_chat_template_matching_function(lambda path: "vicuna_v1.1")
print(ask.run().text()[:20])`,
      'A chat between a cur',
    );
    expect(notices()).toEqual([]);
  });

  test('services get the template that SGLang gives their models', () =>
    check(
      `print([OpenAI(m, api_key="k").chat_template.name for m in ("gpt-4o", "Qwen/Qwen2.5-7B-Instruct")])
print(Anthropic("claude-x", api_key="k").chat_template.name, VertexAI("gemini-pro", api_key="k").chat_template.name)`,
      "['default', 'qwen']",
      'claude default',
    ));
});
