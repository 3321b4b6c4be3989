import { expect, test } from 'vitest';
import { isLoopback, loopbackUrl, redirected } from '../../../extension/kernel/loopback.ts';
import {
  parseServerLaunch,
  splitCommand,
  withModel,
} from '../../../extension/kernel/processes/command-line.ts';
import { RuntimeLines } from '../../../extension/kernel/processes/runtime-lines.ts';

test('commands are split as SGLang does: no quoting, backslashes are spaces', () => {
  expect(splitCommand('\na  --b "c d" \\\n  --e\n')).toEqual(['a', '--b', '"c', 'd"', '--e']);
  expect(splitCommand(' \\\n ')).toEqual([]);
});

function checkLaunch(command: string, port: number, model: string | null): void {
  expect(parseServerLaunch(splitCommand(command))).toMatchObject({ port, modelPath: model });
}

test('a launch of an SGLang server is recognised however Python is written', () => {
  checkLaunch('python3 -m sglang.launch_server --model-path a/b --port 31000', 31_000, 'a/b');
  checkLaunch('python -m sglang.launch_server --model-path=a --port=31001', 31_001, 'a');
  checkLaunch('/opt/py/bin/python3.12 -u -m sglang.launch_server --model a', 30_000, 'a');
  checkLaunch('-m sglang.launch_server --port 1', 1, null);
  checkLaunch('sglang serve --model-path a', 30_000, 'a');
  checkLaunch('CUDA_VISIBLE_DEVICES=0 X=a=b python3 -m sglang.launch_server', 30_000, null);
});

test('variables before the command are kept', () => {
  expect(
    parseServerLaunch(['A=1', 'B=x=y', 'python', '-m', 'sglang.launch_server'])?.environment,
  ).toEqual({
    A: '1',
    B: 'x=y',
  });
});

test('other programs are not launches', () => {
  for (const command of [
    '',
    'A=1',
    'python3 -m http.server',
    'python3 sglang.launch_server',
    'ls -m',
    'sglang version',
  ]) {
    expect(parseServerLaunch(splitCommand(command)), command).toBe(null);
  }
});

test('another model takes the place of the one named', () => {
  expect(withModel(['--port', '1', '--model-path', 'a', '--tp', '2'], 'b')).toEqual([
    '--model-path',
    'b',
    '--port',
    '1',
    '--tp',
    '2',
  ]);
  expect(withModel(['--model-path=a', '--model', 'c'], 'b')).toEqual(['--model-path', 'b']);
  expect(withModel([], 'b')).toEqual(['--model-path', 'b']);
});

test('addresses of this machine', () => {
  expect(loopbackUrl('http://localhost:31000/')).toBe('http://127.0.0.1:31000');
  expect(loopbackUrl('http://0.0.0.0:1')).toBe('http://127.0.0.1:1');
  expect(loopbackUrl('https://example.org/x/')).toBe('https://example.org/x/');
  expect([
    isLoopback('nonsense'),
    isLoopback('http://[::1]:1'),
    isLoopback('http://10.0.0.1'),
  ]).toEqual([false, true, false]);
});

test('with an endpoint, requests to this machine go there', () => {
  const backend = { op: 'backend', kind: 'sglang', url: 'http://localhost:30000' };
  expect(redirected(backend, null)).toBe(backend);
  expect(redirected(backend, 'https://gpu:8000/')).toEqual({
    ...backend,
    url: 'https://gpu:8000/',
  });
  expect(redirected({ ...backend, url: 'http://other:1' }, 'https://gpu:8000')).toEqual({
    ...backend,
    url: 'http://other:1',
  });
  expect(
    redirected({ op: 'http', url: 'http://127.0.0.1:1/generate?a=1' }, 'https://gpu:8000/'),
  ).toEqual({
    op: 'http',
    url: 'https://gpu:8000/generate?a=1',
  });
  const ollama = { op: 'backend', kind: 'openai', url: 'http://localhost:11434/v1' };
  expect(redirected(ollama, 'https://gpu:8000')).toBe(ollama);
  expect(redirected({ op: 'get', sid: 1 }, 'https://gpu:8000')).toEqual({ op: 'get', sid: 1 });
});

test('notices are told from log lines, also when they come in pieces', () => {
  const seen: string[] = [];
  const lines = new RuntimeLines(
    (text) => seen.push(`log ${text}`),
    (text) => seen.push(`notice ${text}`),
  );
  for (const piece of ['a\nb', 'c\nNOT', 'ICE: hear\nd\ne', 'f']) lines.push(piece);
  lines.end();
  expect(seen).toEqual(['log a\n', 'log bc\n', 'notice hear', 'log d\n', 'log ef\n']);
});
