import { describe, expect, it } from 'vitest';
import { createLanguageService } from '../../../language-server/src/service.ts';
import { parseSettings } from '../../../language-server/src/settings.ts';

/** What is reported as unsupported, given the section `sglang.diagnostics` of the settings. */
function unsupported(code: string, settings: object = {}): readonly string[] {
  const service = createLanguageService({ settings: parseSettings(settings) });
  const text = `import sglang as sgl\n${code}`;
  service.setFile('file:a', text);
  return service
    .diagnostics('file:a')
    .filter((entry) => entry.code === 'unsupported-on-backend')
    .map((entry) => text.slice(entry.start, entry.end));
}

const program = (gen: string, before = 'q') =>
  `@sgl.function\ndef f(s, q):\n    s += sgl.user(${before})\n    s += sgl.assistant(${gen})\n`;
const regex = program('sgl.gen("a", regex="[0-9]+")');

describe('the selected backend', () => {
  const chat = 'sgl.OpenAI("gpt-4o")';
  const found = ['sgl.gen("a", regex="[0-9]+")'];

  it('is the one the code sets as default', () => {
    expect(unsupported(`sgl.set_default_backend(${chat})\n${regex}`)).toEqual(found);
    expect(unsupported(`backend = ${chat}\nsgl.set_default_backend(backend)\n${regex}`)).toEqual(
      found,
    );
    expect(unsupported(`sgl.set_default_backend(sgl.Anthropic("claude-3"))\n${regex}`)).toEqual(
      found,
    );
  });
  it('is the one that runs name', () => {
    expect(unsupported(`${regex}f.run(q="x", backend=${chat})`)).toEqual(found);
    expect(unsupported(`${regex}f.run_batch([{"q": "x"}], backend=${chat})`)).toEqual(found);
    expect(unsupported(`${regex}f.run(q="x", backend=None)`)).toEqual([]);
  });
  it('is unknown when there are several, or one that cannot be seen', () => {
    const two = `sgl.set_default_backend(sgl.RuntimeEndpoint("http://h"))\n`;
    expect(unsupported(`${two}${regex}f.run(q="x", backend=${chat})`)).toEqual([]);
    expect(
      unsupported(`sgl.set_default_backend(make())\n${regex}`, { backend: 'litellm' }),
    ).toEqual([]);
    expect(unsupported(regex)).toEqual([]);
  });
  it('is the one of the setting where the code names none', () => {
    expect(unsupported(regex, { backend: 'openai-chat' })).toEqual(found);
    expect(unsupported(regex, { backend: 'sglang' })).toEqual([]);
    expect(unsupported(regex, { backend: 'nonsense' })).toEqual([]);
    const own = `sgl.set_default_backend(sgl.RuntimeEndpoint("http://h"))\n${regex}`;
    expect(unsupported(own, { backend: 'openai-chat' })).toEqual([]);
  });
});

describe('what a kind of backend can follow', () => {
  const [chat, completion] = [{ backend: 'openai-chat' }, { backend: 'openai-completion' }];
  it.each<[string, object, boolean]>([
    ['sgl.gen("a", json_schema="{}")', chat, false],
    ['sgl.gen("a", json_schema="{}")', { backend: 'anthropic' }, false],
    ['sgl.gen("a", json_schema="{}")', completion, true],
    ['sgl.select("a", choices=["x", "y"])', chat, false],
    ['sgl.select("a", choices=["x", "y"])', completion, false],
    ['sgl.gen("a", dtype=int)', chat, true],
    ['sgl.gen("a", dtype=int)', completion, false],
    ['sgl.gen("a", dtype=float)', completion, true],
    ['sgl.gen("a", dtype=str)', { backend: 'vertexai' }, true],
  ])('%s with %j: reported is %s', (gen, settings, reported) =>
    expect(unsupported(program(gen), settings)).toEqual(reported ? [gen] : []),
  );
  it.each([
    ['openai-chat', 1],
    ['anthropic', 0],
    ['vertexai', 0],
  ])('a text without roles on %s: %i reports', (backend, count) => {
    const service = createLanguageService({ settings: parseSettings({ backend }) });
    service.setFile(
      'file:a',
      'from sglang import *\n@function\ndef f(s):\n    s += "Q" + gen("a")\n',
    );
    const outside = service
      .diagnostics('file:a')
      .filter(({ code }) => code === 'gen-outside-assistant');
    expect(outside).toHaveLength(count);
  });
});

describe('the version of a setting', () => {
  const n = program('sgl.gen("a", n=2)');
  it('tells what is not there yet', () => {
    expect(unsupported(n, { serverVersion: '0.4.3' })).toEqual(['n=2']);
    expect(unsupported(n, { serverVersion: '0.4.4.post1' })).toEqual(['n=2']);
    expect(unsupported(n, { serverVersion: '0.4.4.post2' })).toEqual([]);
    expect(unsupported(n, { serverVersion: '0.5' })).toEqual([]);
    const stop = program('sgl.gen("a", stop_regex="x+")');
    expect(unsupported(stop, { serverVersion: '0.5.3' })).toEqual(['stop_regex="x+"']);
    expect(unsupported(stop, { serverVersion: '0.5.4' })).toEqual([]);
    const split = program('sgl.separate_reasoning(sgl.gen("a"), model_type="qwen3")');
    expect(unsupported(split, { serverVersion: '0.4.7' })).toEqual(['sgl.separate_reasoning']);
  });
  it('says nothing when it is not set, or no version', () => {
    expect(unsupported(n)).toEqual([]);
    expect(unsupported(n, { serverVersion: 'old' })).toEqual([]);
    expect(unsupported(n, { serverVersion: '0.4.3', backend: 'openai-chat' })).toEqual([]);
  });
});

describe('images', () => {
  const picture = program('sgl.gen("a")', 'sgl.image("a.png") + q');
  const launched = (model: string) =>
    `from sglang.utils import launch_server_cmd\nlaunch_server_cmd("python -m sglang.launch_server --model-path ${model}")\n${picture}`;
  it.each([
    'meta-llama/Llama-3.1-8B-Instruct',
    'Qwen/Qwen2.5-7B-Instruct',
    'mistralai/Mistral-7B-v0.1',
  ])('are reported for %s', (model) => expect(unsupported(launched(model))).toHaveLength(1));
  it.each([
    'Qwen/Qwen2.5-VL-7B-Instruct',
    'meta-llama/Llama-3.2-11B-Vision-Instruct',
    'lmms-lab/llava-onevision-qwen2-7b-ov',
    'google/gemma-3-4b-it',
    'deepseek-ai/deepseek-vl2',
    'my-own/model',
  ])('are fine for %s', (model) => expect(unsupported(launched(model))).toEqual([]));
  it('are compared with the model of a shell line and of a runtime', () => {
    const shell = '!python -m sglang.launch_server --model-path Qwen/Qwen2-7B-Instruct --port 1\n';
    expect(unsupported(`${shell}${picture}`)).toHaveLength(1);
    const runtime = 'sgl.set_default_backend(sgl.Runtime(model_path="Qwen/Qwen2-7B"))\n';
    expect(unsupported(`${runtime}${picture}`)).toHaveLength(1);
    const two = 'r = sgl.Runtime(model_path="Qwen/Qwen2-VL-7B")\n';
    expect(unsupported(`${runtime}${two}${picture}`)).toEqual([]);
  });
});
