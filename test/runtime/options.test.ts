import { describe, expect, it } from 'vitest';
import { HELP, OptionsError, parseOptions } from '../../runtime/src/options.ts';
import type { RuntimeOptions } from '../../runtime/src/options.ts';

function parse(line: string): RuntimeOptions {
  const options = parseOptions(line.split(' ').filter((word) => word !== ''));
  if (options === 'help') throw new Error('help');
  return options;
}

function error(line: string): string {
  try {
    parse(line);
    return 'accepted';
  } catch (caught) {
    if (!(caught instanceof OptionsError)) throw caught;
    return caught.message;
  }
}

describe('parseOptions', () => {
  it('has the defaults of SGLang', () => {
    expect(parse('')).toMatchObject({
      port: 30_000,
      modelPath: '',
      apiKey: null,
      logLevel: 'info',
    });
  });

  it('reads the command line of the tutorial', () => {
    const options = parse(
      '--model-path Qwen/Qwen2.5-1.5B-Instruct --port 30001 --host 0.0.0.0 --mem-fraction-static 0.8',
    );
    expect(options).toMatchObject({ modelPath: 'Qwen/Qwen2.5-1.5B-Instruct', port: 30_001 });
    expect(options.notices.map((notice) => notice.split(' ')[0])).toEqual([
      '--host',
      '--mem-fraction-static',
    ]);
  });

  it('takes = and _ and the short name of the model', () => {
    expect(parse('--model=a --max_running_requests=7')).toMatchObject({
      modelPath: 'a',
      maxRunningRequests: 7,
    });
  });

  it('accepts flags without a counterpart, with a notice each', () => {
    const options = parse('--tp 2 --disable-cuda-graph --dtype bfloat16 --chunked-prefill-size -1');
    expect(options.chunkedPrefillSize).toBe(Number.MAX_SAFE_INTEGER);
    expect(options.notices).toEqual([
      '--tp has no effect here: one process on one device computes everything.',
      '--disable-cuda-graph has no effect here: llama.cpp computes with its own kernels.',
      '--dtype has no effect here: the GGUF file decides.',
    ]);
  });

  it('reads the sizes and policies of the scheduler', () => {
    expect(parse('')).toMatchObject({
      disableJumpForward: false,
      hostCacheBytes: 2 ** 29,
      schedulePolicy: 'lpm',
    });
    const flags =
      '--disable-jump-forward --enable-hierarchical-cache --hicache-size 1.5 --schedule-policy fcfs';
    expect(parse(flags)).toMatchObject({
      disableJumpForward: true,
      hostCacheBytes: 1.5 * 2 ** 30,
      schedulePolicy: 'fcfs',
      notices: [],
    });
  });

  it('says nothing about loopback hosts', () => {
    expect(parse('--host 127.0.0.1').notices).toEqual([]);
    expect(parse('--host localhost').notices).toEqual([]);
  });

  it.each([
    ['--prot 1', 'unknown flag --prot; did you mean --port?'],
    ['--qqqqqqqqqqqqqqqqqqq', 'unknown flag --qqqqqqqqqqqqqqqqqqq; see --help'],
    ['model.gguf', 'unexpected argument "model.gguf"; flags start with --, see --help'],
    ['--port', '--port needs a value'],
    ['--port --api-key x', '--port needs a value'],
    ['--port 70000', '--port must be a whole number, 0 to 65535; got "70000"'],
    ['--context-length 1k', '--context-length must be a whole number, from 8; got "1k"'],
    [
      '--mem-fraction-static 8',
      '--mem-fraction-static must be a number above 0 and up to 1; got "8"',
    ],
    [
      '--log-level loud',
      '--log-level must be one of debug, info, warning, error, critical; got "loud"',
    ],
    ['--hicache-size x', '--hicache-size must be a number of gigabytes, 0 or more; got "x"'],
    ['--schedule-policy dfs', '--schedule-policy must be one of lpm, fcfs; got "dfs"'],
    ['--tp', '--tp needs a value'],
  ])('%s → %s', (line, message) => expect(error(line)).toBe(message));

  it('documents every flag that it knows', () => {
    expect(parseOptions(['--help'])).toBe('help');
    for (const flag of ['--model-path', '--threads', '--parent-pid', '--logprob-layout']) {
      expect(HELP).toContain(flag);
    }
  });
});
