import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  ChatTemplateRegistry,
  UnknownChatTemplateError,
  roleAffixes,
  type ChatTemplate,
} from '../../../extension/kernel/sglang/chat-template.ts';

const registry = new ChatTemplateRegistry();
const GOLDEN = fileURLToPath(new URL('../../../../shared/golden/', import.meta.url));

/** A dialogue of four messages, as SGLang renders it. */
function render(template: ChatTemplate): string {
  const dialogue = ['system S', 'user U1', 'assistant A1', 'user U2'];
  const past: { role: string }[] = [];
  let text = '';
  for (const [role = '', content = ''] of dialogue.map((line) => line.split(' '))) {
    const [prefix, suffix] = roleAffixes(template, role, past);
    text += prefix + content + suffix;
    past.push({ role });
  }
  return text;
}

test('ChatML', () => {
  expect(render(registry.get('chatml'))).toBe(
    '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU1<|im_end|>\n' +
      '<|im_start|>assistant\nA1<|im_end|>\n<|im_start|>user\nU2<|im_end|>\n',
  );
});

test('Llama 2 folds the system message into the first turn', () => {
  expect(render(registry.get('llama-2-chat'))).toBe(
    '[INST] <<SYS>>\nS\n<</SYS>>\n\nU1 [/INST]A1 </s><s>[INST] U2 [/INST]',
  );
});

describe("SGLang's own registry", () => {
  // janus-pro: SGLang's registry loses the prefix of its user role.
  const REPAIRED = new Set(['janus-pro']);

  test.for(['v043', 'head'])('%s: every template renders the same', (version, { skip }) => {
    const path = `${GOLDEN}chat_render_${version}.json`;
    skip(!existsSync(path), `not checked: ${path} is not here`);
    const expected = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const rendered = Object.entries(expected).filter(([, text]) => typeof text === 'string');
    expect(rendered.length).toBeGreaterThan(15);
    for (const [name, text] of rendered) {
      if (!REPAIRED.has(name))
        expect(`${name}: ${render(registry.get(name))}`).toBe(`${name}: ${String(text)}`);
    }
  });

  test.for(['v043', 'head'])('%s: every template has the same fields', (version, { skip }) => {
    const path = `${GOLDEN}chat_templates_${version}.json`;
    skip(!existsSync(path), `not checked: ${path} is not here`);
    const expected = JSON.parse(readFileSync(path, 'utf8')) as Record<
      string,
      Record<string, unknown>
    >;
    for (const [name, fields] of Object.entries(expected)) {
      const { defaultSystemPrompt, roles, stop, imageToken, style } = registry.get(name);
      expect([name, defaultSystemPrompt, [...stop], imageToken, style.toUpperCase()]).toEqual([
        name,
        fields['system_default'],
        fields['stop'],
        fields['image'],
        fields['style'],
      ]);
      if (!REPAIRED.has(name)) expect(roles).toEqual(fields['roles']);
    }
  });
});

test.each([
  ['Qwen/Qwen2.5-1.5B-Instruct', 'qwen'],
  ['Qwen/Qwen2.5-VL-7B-Instruct', 'qwen2-vl'],
  ['Qwen/Qwen3-0.6B', 'chatml'],
  ['HuggingFaceTB/SmolLM2-135M-Instruct', 'chatml'],
  ['meta-llama/Llama-4-Scout-17B-16E-Instruct', 'llama-4'],
  ['gpt2', 'default'],
  ['meta-llama/Llama-2-7b-chat-hf', 'llama-2-chat'],
  ['meta-llama/Meta-Llama-3-8B-Instruct', 'llama-3-instruct'],
  ['lmms-lab/llama3-llava-next-8b', 'default'],
  ['lmms-lab/llava-onevision-qwen2-7b-ov', 'chatml-llava'],
  ['liuhaotian/llava-v1.5-7b', 'vicuna_v1.1'],
  ['mistralai/Mixtral-8x7B-Instruct-v0.1', 'llama-2-chat'],
  ['mistral-community/pixtral-12b-instruct', 'mistral'],
  ['deepseek-ai/DeepSeek-R1', 'deepseek-v3'],
  ['deepseek-ai/DeepSeek-V3-Base', 'default'],
  ['TinyLlama/TinyLlama-1.1B-Chat-v1.0', 'chatml'],
  ['google/gemma-2-9b-it', 'gemma-it'],
  ['CohereForAI/c4ai-command-r-v01', 'c4ai-command-r'],
  ['ibm-granite/granite-3.0-8b-instruct', 'granite-3-instruct'],
  ['databricks/dbrx-instruct', 'dbrx-instruct'],
  ['OrionStarAI/Orion-14B-Chat', 'claude'],
  ['lmsys/vicuna-7b-v1.5', 'vicuna_v1.1'],
  ['lmms-lab/LLaVA-NeXT-Video-7B', 'vicuna_v1.1'],
  ['codellama/CodeLlama-7b-Instruct-hf', 'llama-2-chat'],
  ['deepseek-ai/Janus-Pro-7B', 'janus-pro'],
  ['THUDM/glm-4v-9b', 'glm-4v'],
  ['openbmb/MiniCPM-V-2_6', 'minicpmv'],
  ['openbmb/MiniCPM-o-2_6', 'minicpmo'],
  ['liuhaotian/llava-v1.6-34b', 'chatml-llava'],
  ['llava-v1.6-yi-34b', 'chatml-llava'],
  ['lmms-lab/LLaVA-NeXT-Video-34B', 'chatml-llava'],
  ['01-ai/Yi-VL-6B', 'yi-vl'],
  ['01-ai/Yi-1.5-9B-Chat', 'yi-1.5'],
  ['google/gemma-3-4b-it', 'gemma-it'],
  ['OpenGVLab/InternVL2_5-8B', 'internvl-2-5'],
  ['internlm/Intern-S1', 'interns1'],
  ['microsoft/Phi-3-mini-4k-instruct', 'default'],
  ['gpt-4o', 'default'],
  ['sglang-starter', 'qwen'],
  ['', 'default'],
])('the template of %s is %s', (model, expected) => {
  expect(registry.match(model).name).toBe(expected);
});

test('an unknown name says which exist; a registered one is found', () => {
  const own = new ChatTemplateRegistry();
  expect(() => own.get('mine')).toThrow(UnknownChatTemplateError);
  expect(() => own.get('mine')).toThrow('llama-3-instruct');
  own.register({ ...own.get('chatml'), name: 'mine' });
  expect(own.get('mine').stop).toEqual(['<|im_end|>']);
});
