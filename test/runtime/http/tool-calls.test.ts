import { describe, expect, it } from 'vitest';
import { ChatTemplate } from '../../../runtime/src/http/chat-template.ts';
import { formatOfTemplate, HERMES, JSON_LIST } from '../../../runtime/src/http/tool-call-format.ts';
import type { ToolCallFormat } from '../../../runtime/src/http/tool-call-format.ts';
import { ToolCallReader } from '../../../runtime/src/http/tool-call-reader.ts';
import { readToolUse, toolSchema } from '../../../runtime/src/http/tools.ts';

const fail = (message: string) => new Error(message);
const tool = (name: string, parameters?: object) => ({
  type: 'function',
  function: { name, ...(parameters === undefined ? {} : { parameters }) },
});

/** Text as it is and calls as `name(arguments)`, whatever the pieces in which the answer arrives. */
function read(format: ToolCallFormat, answer: string): string {
  const results = [1, 3, answer.length].map((size) => {
    const reader = new ToolCallReader(format);
    const parts = [];
    for (let at = 0; at < answer.length; at += size) {
      parts.push(...reader.append(answer.slice(at, at + size)));
    }
    parts.push(...reader.finish());
    return parts
      .map((part) =>
        part.kind === 'text' ? part.text : ` ${part.call.name}(${part.call.arguments})`,
      )
      .join('');
  });
  expect(new Set(results).size, results.join('\n')).toBe(1);
  return results[0]!;
}

const LLAMA = formatOfTemplate('{{ "<|python_tag|>" }}');
const MISTRAL = formatOfTemplate('[TOOL_CALLS]');

describe('ToolCallReader', () => {
  it.each([
    ['text', HERMES, 'Just words. 1 < 2', 'Just words. 1 < 2'],
    [
      'a call',
      HERMES,
      '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
      ' f({"x":1})',
    ],
    [
      'text, then two calls',
      HERMES,
      'Wait.\n<tool_call>{"name":"f"}</tool_call>\n<tool_call>{"name":"g","arguments":{"a":"</b>"}}</tool_call>',
      'Wait. f({}) g({"a":"</b>"})',
    ],
    ['a call that is cut', HERMES, 'So: <tool_call>{"name": "f"', 'So: <tool_call>{"name": "f"'],
    ['the mark alone', HERMES, 'a <tool_call', 'a <tool_call'],
    [
      'no call between the marks',
      HERMES,
      '<tool_call>nothing</tool_call>.',
      '<tool_call>nothing</tool_call>.',
    ],
    [
      'Mistral',
      MISTRAL,
      '[TOOL_CALLS] [{"name":"f","arguments":{"x":[1]}},{"name":"g","arguments":{}}]',
      ' f({"x":[1]}) g({})',
    ],
    ['Llama', LLAMA, '{"name": "f", "parameters": {"x": 1}}', ' f({"x":1})'],
    [
      'Llama, several',
      LLAMA,
      '<|python_tag|>{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}}',
      ' f({}) g({})',
    ],
    ['Llama, JSON in text', LLAMA, 'It is {"name": "f"}', 'It is {"name": "f"}'],
    ['a list', JSON_LIST, '[ {"name": "f", "parameters": {"x": null}} ]', ' f({"x":null})'],
    ['a list that is cut', JSON_LIST, '[{"name": "f", "par', '[{"name": "f", "par'],
  ])('reads %s', (_, format, answer, expected) => {
    expect(read(format, answer)).toBe(expected);
  });
});

describe('readToolUse', () => {
  const use = (body: object) => readToolUse({ tools: [tool('f'), tool('g')], ...body }, fail);

  it('reads choices', () => {
    expect(use({})?.choice).toEqual({ kind: 'auto' });
    expect(use({ tool_choice: 'none' })).toBeNull();
    expect(readToolUse({}, fail)).toBeNull();
    expect(use({ tool_choice: 'required' })?.choice).toEqual({ kind: 'required' });
    expect(use({ tool_choice: tool('g') })?.choice).toEqual({ kind: 'named', name: 'g' });
  });

  it.each([
    [{ tools: [{ type: 'function' }] }, 'tools[0] must be {"type": "function"'],
    [{ tools: {} }, 'tools must be a list, not an object'],
    [{ tools: [tool('f'), tool('x', [])] }, 'tools[1].function.parameters must be a JSON schema'],
    [{ tools: [], tool_choice: 'required' }, 'tool_choice "required" needs tools'],
    [{ tool_choice: tool('h') }, 'tool_choice names the tool h, which is not among the tools'],
    [{ tool_choice: 'any' }, 'tool_choice must be "none", "auto", "required"'],
    [{ parallel_tool_calls: 1 }, 'parallel_tool_calls must be true or false, not 1'],
  ])('refuses %j', (body, message) => {
    expect(() => use(body)).toThrow(message);
  });
});

describe('toolSchema', () => {
  const city = { $defs: { C: { type: 'string' } }, properties: { c: { $ref: '#/$defs/C' } } };
  const schema = (body: object) =>
    toolSchema(readToolUse({ tools: [tool('f', city), tool('g')], ...body }, fail)!);

  it('leaves an answer free when no call is required', () => {
    expect(schema({})).toBeNull();
  });

  it('is a list of calls; definitions move to its root', () => {
    expect(schema({ tool_choice: 'required' })).toMatchObject({
      minItems: 1,
      items: { anyOf: [{ properties: { name: { const: 'f' } } }, {}] },
      $defs: city.$defs,
    });
    expect(schema({ tool_choice: 'required' })).not.toHaveProperty('maxItems');
    expect(schema({ tool_choice: 'required', parallel_tool_calls: false })).toMatchObject({
      maxItems: 1,
    });
    expect(schema({ tool_choice: tool('g') })).toMatchObject({
      maxItems: 1,
      items: { properties: { name: { const: 'g' } } },
    });
  });
});

describe('ChatTemplate with tools', () => {
  const tokens = { begin: '', end: '' };
  const use = readToolUse({ tools: [tool('f')] }, fail)!;
  const question = { role: 'user', content: 'Q', extra: {} };
  const called = {
    role: 'assistant',
    content: '',
    extra: { tool_calls: [{ id: 'c', function: { name: 'f', arguments: { x: 1 } } }] },
  };
  const result = { role: 'tool', content: '7', extra: { tool_call_id: 'c' } };

  it('gives them to a template that knows them', () => {
    const template = new ChatTemplate(
      '{% for t in tools %}[{{ t.function.name }}]{% endfor %}' +
        '{% for m in messages %}{{ m.role }}:{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments.x }}{% endif %};{% endfor %}',
      tokens,
    );
    expect(template.render([question, called, result], {}, use.tools)).toBe(
      '[f]user:Q;assistant:1;tool:7;',
    );
  });

  it('puts them into words for one that does not', () => {
    const template = new ChatTemplate(null, tokens);
    const prompt = template.render([question, called, result], {}, use.tools);
    expect(prompt).toContain(`<tools>\n${JSON.stringify(tool('f'))}\n</tools>`);
    expect(prompt).toContain('<tool_call>\n{"name":"f","arguments":{"x":1}}\n</tool_call>');
    expect(prompt).toContain('<|im_start|>user\n<tool_response>\n7\n</tool_response><|im_end|>');
    expect(prompt.endsWith('<|im_start|>assistant\n')).toBe(true);
  });

  it('leaves prompts without tools as they are', () => {
    expect(new ChatTemplate(null, tokens).render([question], {})).toBe(
      '<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n',
    );
  });
});
