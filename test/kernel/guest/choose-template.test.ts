/** The order in which a model's chat template is looked for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseTemplate } from '../../../extension/kernel/guest/choose-template.ts';
import { ChatTemplateRegistry } from '../../../extension/kernel/sglang/chat-template.ts';

const TURNS =
  "{% for m in messages %}{{ '<' + m.role + '>' + m.content + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}";
const registry = new ChatTemplateRegistry();

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'templates-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function choose(info: Record<string, string>): [name: string, notice: string | null] {
  const environment = { HF_HUB_CACHE: join(folder, 'hub') };
  const { template, notice } = chooseTemplate(registry, info, environment);
  return [`${template.name} ${template.roles['user']?.join('…')}`, notice];
}

test("SGLang's registry comes before the model's own", () => {
  const info = { model_path: 'Qwen/Qwen2.5-1.5B-Instruct', chat_template: TURNS };
  expect(choose(info)[0]).toMatch(/^qwen /);
});

test('what the server tells', () => {
  const info = { model_path: 'new/model', chat_template: TURNS, eos_token: '</>' };
  expect(choose(info)).toEqual(["the model's own <user>…</>", null]);
});

test("the files in the model's folder, and in the hub's cache", () => {
  const model = join(folder, 'model');
  const snapshot = join(folder, 'hub', 'models--new--model', 'snapshots', 'abc');
  for (const each of [model, snapshot]) mkdirSync(each, { recursive: true });
  const settings = {
    chat_template: [
      { name: 'tool_use', template: 'x' },
      { name: 'default', template: TURNS },
    ],
    eos_token: { content: '</1>' },
  };
  writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify(settings));
  writeFileSync(join(snapshot, 'tokenizer_config.json'), JSON.stringify({ eos_token: '</2>' }));
  writeFileSync(join(snapshot, 'chat_template.jinja'), TURNS);
  expect(choose({ model_path: model })[0]).toBe("the model's own <user>…</1>");
  expect(choose({ model_path: 'new/model' })[0]).toBe("the model's own <user>…</2>");
  expect(choose({ model_path: 'x', tokenizer_path: model })[0]).toContain('</1>');
});

test('without any, and where it cannot be used, a notice says so', () => {
  const [name, notice] = choose({ model_path: 'gpt2' });
  expect(name).toMatch(/^default /);
  expect(notice).toMatch(/^No chat template is known for the model "gpt2".*chat_template_name=/);
  const [other, reason] = choose({ model_path: 'gpt2', chat_template: '{% if %}' });
  expect(other).toMatch(/^default /);
  expect(reason).toMatch(/"gpt2" cannot be written role by role \(it cannot be read/);
  expect(choose({ model_path: '../../etc' })[0]).toMatch(/^default /);
});
