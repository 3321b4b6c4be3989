/** Jinja templates of models, in the forms that models use, as prefixes and suffixes of roles. */
import { Template } from '@huggingface/jinja';
import { describe, expect, test } from 'vitest';
import { roleAffixes, type ChatTemplate } from '../../../extension/kernel/sglang/chat-template.ts';
import {
  templateOfModel,
  UnusableTemplateError,
  type TemplateSource,
} from '../../../extension/kernel/sglang/model-template.ts';

const EACH = '{%- for m in messages -%}';
const END = '{%- endfor -%}';
const ASKS = '{%- if add_generation_prompt -%}';

/** The ways in which the templates of today's models are written. */
const FORMS: Readonly<Record<string, TemplateSource>> = {
  'ChatML with a system of its own': {
    template:
      EACH +
      "{%- if loop.first and m.role != 'system' -%}{{- '<|im_start|>system\\nBe helpful.<|im_end|>\\n' -}}{%- endif -%}" +
      "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}" +
      `${END}${ASKS}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`,
    begin: '',
    end: '<|im_end|>',
  },
  'a begin token, trimmed contents, a date in the system message': {
    template:
      "{{- bos_token -}}{%- set system = '' -%}" +
      "{%- if messages[0].role == 'system' -%}{%- set system = messages[0].content | trim -%}{%- set messages = messages[1:] -%}{%- endif -%}" +
      "{{- '<|head|>system<|/head|>\\n\\nToday: 1 May\\n\\n' + system + '<|eot|>' -}}" +
      `${EACH}{{- '<|head|>' + m.role + '<|/head|>\\n\\n' + m.content | trim + '<|eot|>' -}}${END}` +
      `${ASKS}{{- '<|head|>assistant<|/head|>\\n\\n' -}}{%- endif -%}`,
    begin: '<|begin|>',
    end: '<|eot|>',
  },
  'an end token where nothing is asked': {
    template:
      `${EACH}{{- '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' -}}${END}` +
      `${ASKS}{{- '<|assistant|>\\n' -}}{%- else -%}{{- eos_token -}}{%- endif -%}`,
    begin: '<s>',
    end: '<|endoftext|>',
  },
  'the system inside of the first turn, a begin token in each': {
    template:
      "{%- set system = '' -%}{%- if messages[0].role == 'system' -%}" +
      "{%- set system = '<<SYS>>\\n' + messages[0].content + '\\n<</SYS>>\\n\\n' -%}{%- set messages = messages[1:] -%}{%- endif -%}" +
      `${EACH}{%- if m.role == 'user' -%}{{- bos_token + '[INST] ' + (system if loop.first else '') + m.content + ' [/INST]' -}}` +
      `{%- else -%}{{- ' ' + m.content + ' ' + eos_token -}}{%- endif -%}${END}`,
    begin: '<s>',
    end: '</s>',
  },
  'an answer role of another name, thoughts that are asked for': {
    template:
      `${EACH}{%- if m.role == 'system' -%}{{- m.content + '\\n' -}}{%- else -%}` +
      "{{- ('<AI>' if m.role == 'assistant' else '<Me>') + m.content + ('<eos>' if m.role == 'assistant' else '') -}}" +
      `{%- endif -%}${END}${ASKS}{{- '<AI><think>\\n' -}}{%- endif -%}`,
    begin: '<bos>',
    end: '<eos>',
  },
};

const DIALOGUES = [
  ['user: One', 'assistant: Two', 'user: Three', 'assistant: Four', 'user: Five'],
  ['system: Rules\nof the house', 'user: One\n\nmore', 'assistant: Two', 'user: Three'],
].map((lines) =>
  lines.map((line) => {
    const at = line.indexOf(': ');
    return { role: line.slice(0, at), content: line.slice(at + 2) };
  }),
);

/** As a program appends it, up to where the answer is generated. */
function appended(template: ChatTemplate, messages: readonly { role: string; content: string }[]) {
  const prompt = template.defaultSystemPrompt;
  const all =
    messages[0]?.role !== 'system' && prompt !== null
      ? [{ role: 'system', content: prompt }, ...messages]
      : messages;
  let text = '';
  all.forEach(({ role, content }, index) => {
    const [prefix, suffix] = roleAffixes(template, role, all.slice(0, index));
    text += prefix + content + suffix;
  });
  return text + roleAffixes(template, 'assistant', all)[0];
}

describe.each(Object.entries(FORMS))('%s', (_name, source) => {
  const template = templateOfModel('own', source);
  test.each(DIALOGUES)('writes a dialogue exactly', (...messages) => {
    const rendered = new Template(source.template)
      .render({
        messages,
        add_generation_prompt: true,
        bos_token: source.begin,
        eos_token: source.end,
      })
      .slice(source.template.includes('bos_token') ? source.begin.length : 0);
    // White space before an answer is what the model itself begins with.
    const written = appended(template, messages);
    const same = (text: string): string => text.replaceAll(/(\[\/INST\]) /g, '$1');
    expect(same(rendered).startsWith(same(written))).toBe(true);
    expect(['', '<think>\n']).toContain(same(rendered).slice(same(written).length));
  });
});

test('what ends an answer is a stop string; the default system message is found', () => {
  const own = Object.values(FORMS).map((source) => templateOfModel('own', source));
  expect(own.map(({ stop }) => stop)).toEqual([
    ['<|im_end|>'],
    ['<|eot|>'],
    ['<|end|>'],
    ['</s>'],
    ['<eos>'],
  ]);
  expect(own.map((each) => each.defaultSystemPrompt)).toEqual([
    'Be helpful.',
    '',
    null,
    null,
    null,
  ]);
  expect(own.map(({ style }) => style)).toEqual(['plain', 'plain', 'plain', 'llama2', 'plain']);
});

test('templates that show images tell their mark', () => {
  const parts =
    "{%- for part in m.content -%}{{- '<img>' if part.type == 'image' else part.text -}}{%- endfor -%}";
  const template =
    `${EACH}{{- '<' + m.role + '>' -}}{%- if m.content is string -%}{{- m.content -}}{%- else -%}${parts}{%- endif -%}` +
    `{{- '</>' -}}${END}${ASKS}{{- '<assistant>' -}}{%- endif -%}`;
  expect(templateOfModel('own', { template, begin: '', end: '' }).imageToken).toBe('<img>');
});

test.each([
  ['no Jinja', '{% if %}', 'it cannot be read'],
  ['refuses users', "{{ raise_exception('no dialogues') }}", 'no dialogues'],
  ['changes the text', `${EACH}{{ m.content | upper }}${END}`, 'changes its text'],
  [
    'a message depends on its place',
    `${EACH}{{- m.role + ('!' if loop.index > 2 else ':') + m.content + '\\n' -}}${END}${ASKS}assistant:{%- endif -%}`,
    '',
  ],
])('refused: %s', (_what, template, reason) => {
  const derive = () => templateOfModel('own', { template, begin: '', end: '' });
  expect(derive).toThrow(UnusableTemplateError);
  expect(derive).toThrow(reason);
});
