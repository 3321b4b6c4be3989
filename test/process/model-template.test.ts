/** A model that no registry knows, with a template of its own: programs write what its chat API writes. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NOTICE_MIME } from '../../extension/protocol/output-payloads.ts';
import { KernelDriver, type RunResult } from '../support/kernel-driver.ts';
import { RuntimeProcess, starter } from './runtime-process.ts';

const TEMPLATE =
  "{%- for m in messages -%}{{- '<|im_start|>' + m.role + ':\\n' + m.content | trim + '<|im_end|>\\n\\n' -}}{%- endfor -%}" +
  "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant:\\n' -}}{%- endif -%}";
const PROGRAM = `from sglang import *
@function
def talk(s):
    s += system("Be brief.") + user("Name the capital of France.")
    s += assistant(gen("a", max_tokens=6, temperature=0)) + user("And of Italy?")
    s += assistant(gen("b", max_tokens=6, temperature=0))
s = talk.run()
print(s.get_meta_info("b")["prompt_tokens"])
print(s.messages()[2]["content"])
print(s.text())`;

let folder: string;
let runtime: RuntimeProcess;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'own-template-'));
  const model = join(folder, 'unheard-of.gguf');
  copyFileSync(starter, model);
  writeFileSync(join(folder, 'own.jinja'), TEMPLATE);
  const flags = ['--model-path', model, '--chat-template', join(folder, 'own.jinja')];
  runtime = await RuntimeProcess.start(flags);
});
afterAll(async () => {
  await runtime.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("programs and the server's chat API agree on every token", async () => {
  const kernel = new KernelDriver({ endpoint: runtime.url });
  const run: RunResult = await kernel.run(PROGRAM);
  await kernel.close();
  expect(run.outcome).toEqual({ status: 'ok' });
  expect(run.outputs.some((each) => each.kind === 'display' && NOTICE_MIME in each.data)).toBe(
    false,
  );
  const [tokens, answer = ''] = run.text.split('\n');
  expect(run.text).toContain(
    `<|im_start|>system:\nBe brief.<|im_end|>\n\n<|im_start|>user:\nName the capital of France.<|im_end|>\n\n<|im_start|>assistant:\n`,
  );
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Name the capital of France.' },
    { role: 'assistant', content: answer },
    { role: 'user', content: 'And of Italy?' },
  ];
  const { body } = await runtime.post('/v1/chat/completions', { messages, max_tokens: 1 });
  expect(Number(tokens)).toBe(body.usage.prompt_tokens);
});
