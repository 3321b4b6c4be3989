import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  modelDirectories,
  ModelError,
  resolveModel,
  STARTER_NAME,
} from '../../../runtime/src/model/resolve-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'resolve-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

const put = (path: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), '');
};
put('starter.gguf');
put('models/Qwen2.5-1.5B-Instruct-Q8_0.gguf');
put('models/Qwen2.5-1.5B-Instruct-Q8_0-long.gguf');
put('models/microsoft/Phi-3/phi-3-Q4-00001-of-00002.gguf');
put('models/microsoft/Phi-3/phi-3-Q4-00002-of-00002.gguf');
put('models/Llava/llava-7b.gguf');
put('models/Llava/mmproj-llava-7b.gguf');
put('two/a.gguf');
put('two/b.gguf');
mkdirSync(join(folder, 'none'));

/** `file` relative to the folder, and the path that is reported. */
function check(asked: string): string {
  try {
    const model = resolveModel(asked, {
      modelDirectories: [join(folder, 'models'), join(folder, 'missing')],
      starterFiles: [join(folder, 'elsewhere.gguf'), join(folder, 'starter.gguf')],
    });
    const note = model.notice === null ? '' : ' (notice)';
    return `${relative(folder, model.file)} as ${relative(folder, model.reportedPath) === '' ? '.' : model.reportedPath.replace(`${folder}/`, '')}${note}`;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return `${error.code}: ${error.message.replaceAll(`${folder}/`, '')}`;
  }
}

describe('resolveModel', () => {
  it.each([
    [join(folder, 'two/a.gguf'), 'two/a.gguf as two/a.gguf'],
    [join(folder, 'models/Llava'), 'models/Llava/llava-7b.gguf as models/Llava'],
    [join(folder, 'two'), 'AMBIGUOUS: two holds several models: a.gguf, b.gguf. Name one of them.'],
    [join(folder, 'none'), 'NOT_FOUND: There is no .gguf file in none.'],
    ['./missing', 'NOT_FOUND: There is no model at ./missing. Check --model-path.'],
    ['missing.gguf', 'NOT_FOUND: There is no model at missing.gguf. Check --model-path.'],
    [
      '~/nothing-like-this',
      'NOT_FOUND: There is no model at ~/nothing-like-this. Check --model-path.',
    ],
    [
      'Qwen/Qwen2.5-1.5B-Instruct',
      'models/Qwen2.5-1.5B-Instruct-Q8_0.gguf as Qwen/Qwen2.5-1.5B-Instruct',
    ],
    ['microsoft/Phi-3', 'models/microsoft/Phi-3/phi-3-Q4-00001-of-00002.gguf as microsoft/Phi-3'],
    ['Qwen/Qwen2.5-7B-Instruct', 'starter.gguf as Qwen/Qwen2.5-7B-Instruct (notice)'],
    ['Qwen/Qwen2.5-VL-7B-Instruct', `starter.gguf as ${STARTER_NAME} (notice)`],
    ['meta-llama/Llama-3.1-8B-Instruct', `starter.gguf as ${STARTER_NAME} (notice)`],
    ['lmms-lab/llama3-llava-next-8b', `starter.gguf as ${STARTER_NAME} (notice)`],
    ['', `starter.gguf as ${STARTER_NAME} (notice)`],
  ])('%s → %s', (asked, expected) => expect(check(asked)).toBe(expected));

  it('takes the bundled model without a word when that is asked for', () => {
    expect(check('starter')).toBe(`starter.gguf as ${STARTER_NAME}`);
    expect(check('')).toBe(`starter.gguf as ${STARTER_NAME} (notice)`);
  });

  it('says where to put a model', () => {
    const { notice } = resolveModel('org/model', {
      modelDirectories: ['/models'],
      starterFiles: [join(folder, 'starter.gguf')],
    });
    expect(notice).toContain('The model org/model is not on this machine');
    expect(notice).toContain('into /models');
  });

  it('says when even the starter model is missing', () => {
    expect(() => resolveModel('a', { modelDirectories: [], starterFiles: [] })).toThrow(ModelError);
  });
});

describe('modelDirectories', () => {
  it('follows the variable, then the platform', () => {
    expect(modelDirectories({ SGLNB_MODELS: '/m' }, 'linux')).toEqual(['/m']);
    expect(modelDirectories({ XDG_CACHE_HOME: '/c' }, 'linux')).toEqual([
      join('/c', 'sglang-notebooks', 'models'),
    ]);
    expect(modelDirectories({}, 'darwin')[0]).toContain(join('Library', 'Caches'));
    expect(modelDirectories({ LOCALAPPDATA: '/l' }, 'win32')[0]).toContain('sglang-notebooks');
  });
});
