import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  describeInterpreter,
  findEnvironments,
  isSupported,
  type SearchPlaces,
} from '../../extension/python-environments/find-environments.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'environments-')));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Makes files (`path`, `path=content`), and compares what is found: `kind name version path`. */
function check(
  files: readonly string[],
  places: Partial<SearchPlaces>,
  ...expected: string[]
): void {
  for (const file of files) {
    const [path = '', content = ''] = file.split('=', 2);
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (content.startsWith('->')) symlinkSync(join(root, content.slice(2)), join(root, path));
    else writeFileSync(join(root, path), content.replace(':', ' = '));
  }
  const found = findEnvironments({
    platform: 'linux',
    home: join(root, 'home'),
    env: {},
    folders: [join(root, 'work')],
    ...places,
  });
  const shown = found.map(({ kind, name, version, executable }) =>
    `${kind} ${name} ${version ?? '?'} ${executable}`.replaceAll(root, ''),
  );
  expect(shown).toEqual(expected);
}

test('virtual environments of the workspace, .venv first', () =>
  check(
    [
      'work/aaa/pyvenv.cfg=version:3.9.1',
      'work/aaa/bin/python3',
      'work/.venv/pyvenv.cfg=version_info:3.12.4.final.0',
      'work/.venv/bin/python',
      'work/src/main.py',
      'work/broken/pyvenv.cfg=version:3.12.1',
    ],
    {},
    'venv .venv 3.12.4 /work/.venv/bin/python',
    'venv aaa 3.9.1 /work/aaa/bin/python3',
  ));

test('conda: its base, its environments, and those that it has listed elsewhere', () =>
  check(
    [
      'home/miniconda3/bin/python',
      'home/miniconda3/conda-meta/python-3.11.5-h1_0.json',
      'home/miniconda3/envs/ml/bin/python',
      'home/miniconda3/envs/ml/conda-meta/python-3.10.2-h1_0.json',
      'far/own/bin/python',
      'far/own/conda-meta/history',
    ],
    { env: { CONDA_PREFIX: '' } },
    'conda miniconda3 3.11.5 /home/miniconda3/bin/python',
    'conda ml 3.10.2 /home/miniconda3/envs/ml/bin/python',
  ));

test('the active environment is not listed twice', () => {
  const files = ['work/.venv/pyvenv.cfg=version:3.13.0', 'work/.venv/bin/python'];
  const env = { VIRTUAL_ENV: join(root, 'work/.venv') };
  check(files, { env }, 'venv .venv 3.13.0 /work/.venv/bin/python');
});

test('uv and pyenv', () =>
  check(
    [
      'home/.local/share/uv/python/cpython-3.12.7-linux-x86_64-gnu/bin/python',
      'home/.pyenv/versions/3.9.19/bin/python',
      'home/.pyenv/shims/python3',
    ],
    { env: { PATH: '/nowhere' } },
    'uv cpython-3.12.7-linux-x86_64-gnu 3.12.7 /home/.local/share/uv/python/cpython-3.12.7-linux-x86_64-gnu/bin/python',
    'pyenv 3.9.19 3.9.19 /home/.pyenv/versions/3.9.19/bin/python',
  ));

test('the path: each interpreter once, shims left out', () => {
  const files = [
    'bin/python3.11',
    'bin/python3=->bin/python3.11',
    'bin/python3-config',
    'shims/python3',
  ];
  const env = { PATH: `${join(root, 'shims')}:${join(root, 'bin')}` };
  check(files, { env }, 'system /bin/python3 3.11 /bin/python3');
});

test('Windows', () => {
  const files = ['work/.venv/pyvenv.cfg=version:3.12.4', 'work/.venv/Scripts/python.exe'];
  check(files, { platform: 'win32' }, 'venv .venv 3.12.4 /work/.venv/Scripts/python.exe');
});

test('nothing is there', () => check([], {}));

test.for<readonly [version: string | null, supported: boolean]>([
  ['3.9.0', true],
  ['3.14', true],
  ['3.8.19', false],
  ['2.7', false],
  [null, true],
])('%s', ([version, supported]) => expect(isSupported(version)).toBe(supported));

test.for([
  ['work/.venv/bin/python', '.venv 3.12.4'],
  ['home/miniconda3/envs/nlp/bin/python', 'nlp 3.11.9'],
  ['home/.pyenv/versions/3.10.13/bin/python', 'null 3.10.13'],
  ['data/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3', 'null 3.13.1'],
  ['usr/bin/python3', 'null 3.14'],
  ['opt/tool/bin/py', 'null null'],
])('%s is shown as %s', ([path, expected]) => {
  const files: Readonly<Record<string, string>> = {
    'work/.venv/pyvenv.cfg': 'version_info = 3.12.4.final.0',
    'home/miniconda3/envs/nlp/conda-meta/python-3.11.9-h1.json': '',
    'usr/bin/python3.14': '',
  };
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  }
  const executable = join(root, path!);
  mkdirSync(dirname(executable), { recursive: true });
  if (path === 'usr/bin/python3') symlinkSync('python3.14', executable);
  else writeFileSync(executable, '');
  const { name, version } = describeInterpreter(executable, 'linux');
  expect(`${name} ${version}`).toBe(expected);
});
