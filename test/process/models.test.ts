import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInstalled } from '../../extension/model-manager/model-answers.ts';
import { ModelStore } from '../../extension/model-manager/model-store.ts';
import { modelDirectory } from '../../extension/model-manager/model-directory.ts';
import { readGgufFacts } from '../../extension/model-manager/gguf-metadata.ts';
import { ModelManagerError } from '../../extension/model-manager/model-error.ts';
import { GgufError, readGgufHeader } from '../../runtime/src/engine/gguf-header.ts';
import { modelDirectories, resolveModel } from '../../runtime/src/model/resolve-model.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { root, RuntimeProcess, starter } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let hub: FakeHub;
beforeEach(async () => {
  hub = await FakeHub.start();
});
afterEach(() => hub.close());

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function sglnb(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return start(args, env).ended;
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const main = join(root, 'extension', 'cli', 'main.ts');
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { ...process.env, SGLNB_MODELS: join(folder, 'models'), SGLNB_MIRROR: hub.url, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

describe('a pulled model', () => {
  // Its file name does not begin like the model's: only the record connects the two.
  const name = 'some-lab/Wonder-1B-Chat';
  const path = `${name}-GGUF/weights-Q4_K_M.gguf`;

  it('is what --model-path org/name runs', async () => {
    hub.host(path, readFileSync(starter));
    hub.misbehaviours.push({ kind: 'cut', after: 500_000 });
    const pulled = await sglnb(['models', 'pull', name]);
    expect(pulled.stderr).toBe('');
    expect(pulled.stdout).toContain('downloading 100 %');
    expect(pulled.code).toBe(0);
    expect((await sglnb(['models', 'list'])).stdout).toContain(`${path}  `);
    expect((await sglnb(['models', 'verify'])).stdout).toContain('size and SHA-256 are right');

    const runtime = await RuntimeProcess.start(['--model-path', name], {
      SGLNB_MODELS: join(folder, 'models'),
    });
    try {
      expect(runtime.output).not.toContain('is not on this machine');
      const { body } = await runtime.get('/get_model_info');
      expect(body.model_path).toBe(name);
      const answer = await runtime.generate({
        text: 'Hello',
        sampling_params: { max_new_tokens: 4 },
      });
      expect(answer.text).not.toBe('');
    } finally {
      await runtime.stop();
    }
    const removed = await sglnb(['models', 'rm', name]);
    expect(removed.stdout).toContain(`deleted ${path}`);
    expect(existsSync(join(folder, 'models', path))).toBe(false);
  });

  it('fails with a reason and exit code 1, or 2 for a name that is none', async () => {
    const missing = await sglnb(['models', 'pull', 'no/such']);
    expect(missing.stderr).toMatch(/^sglnb: The server has no /);
    expect(missing.code).toBe(1);
    expect((await sglnb(['models', 'pull', 'nonsense'])).code).toBe(2);
    expect((await sglnb(['models', 'fly'])).stderr).toContain('there are list, search, pull');
  });

  it('continues where Ctrl-C or kill -9 ended the download before', async () => {
    hub.host(path, readFileSync(starter));
    const part = join(folder, 'models', `${path}.part`);
    const size = () => (existsSync(part) ? statSync(part).size : 0);
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      hub.misbehaviours.push({ kind: 'trickle' });
      const before = size();
      const { child, ended } = start(['models', 'pull', name]);
      while (size() < before + 5) await delay(10);
      child.kill(signal);
      expect((await ended).code).toBe(signal === 'SIGINT' ? 130 : null);
      expect(size()).toBeGreaterThanOrEqual(before + 5);
    }
    expect((await sglnb(['models', 'pull', name])).code).toBe(0);
    expect(hub.requests.at(-1)).toMatch(/bytes=\d\d+-$/);
    expect((await sglnb(['models', 'verify', name])).stdout).toContain('SHA-256 are right');
    await sglnb(['models', 'rm', name]);
  });

  it('may be another program’s, linked by a short name; damage is found, with what to do', async () => {
    const home = mkdtempSync(join(folder, 'home-'));
    const models = join(home, 'ours');
    const bytes = readFileSync(starter);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const ollama = join(home, '.ollama', 'models');
    const blob = join(ollama, 'blobs', `sha256-${digest}`);
    const manifest = join(ollama, 'manifests/registry.ollama.ai/library/tiny/latest');
    for (const file of [blob, manifest]) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(blob, bytes);
    const layer = {
      mediaType: 'application/vnd.ollama.image.model',
      digest: `sha256:${digest}`,
      size: bytes.length,
    };
    writeFileSync(manifest, JSON.stringify({ layers: [layer] }));
    const env = { HOME: home, USERPROFILE: home, SGLNB_MODELS: models, OLLAMA_MODELS: ollama };
    const imported = await sglnb(['models', 'import', 'tiny'], env);
    expect([imported.code, imported.stderr]).toEqual([0, '']);
    const linked = join(models, 'imported', 'tiny-latest.gguf');
    expect(statSync(linked).ino).toBe(statSync(blob).ino);
    expect((await sglnb(['models', 'verify'], env)).code).toBe(0);
    const file = openSync(blob, 'r+');
    writeSync(file, 'damage', bytes.length - 100);
    closeSync(file);
    const verified = await sglnb(['models', 'verify'], env);
    expect(verified.stdout).toMatch(/✗ imported\/tiny-latest\.gguf: .* has SHA-256 .* instead of/);
    expect(verified.stdout).toContain('"sglnb models rm NAME", and pull or import it again');
    expect(verified.code).toBe(1);
    await sglnb(['models', 'rm', 'tiny:latest'], env);
    expect([existsSync(linked), existsSync(blob)]).toEqual([false, true]);
  });

  it('lies where the runtime looks', () => {
    for (const platform of ['linux', 'darwin', 'win32']) {
      for (const env of [
        {},
        { SGLNB_MODELS: '/m' },
        { XDG_CACHE_HOME: '/x', LOCALAPPDATA: '/l' },
      ]) {
        expect([modelDirectory(env, platform)]).toEqual(modelDirectories(env, platform));
      }
    }
  });
});

describe('a name that a program gives', () => {
  it('is asked about exactly when the runtime would run the starter model', async () => {
    const models = mkdtempSync(join(folder, 'agree-'));
    const path = join(models, 'lab', 'Wonder-1B-Chat-GGUF', 'wonder-1b-chat-q8_0.gguf');
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(starter, path);
    writeFileSync(join(models, 'Plain.Model-Q4.gguf'), readFileSync(starter));
    writeFileSync(
      `${path}.sglnb.json`,
      JSON.stringify({ names: ['some/alias'], source: 'lab', files: [] }),
    );
    const installed = await new ModelStore(models).list();
    const places = { modelDirectories: [models], starterFiles: [starter] };
    const names = ['lab/Wonder-1B-Chat', 'Some/Alias', 'x/plain.model', 'lab/Wonder', 'no/such'];
    for (const name of names) {
      const isHere = resolveModel(name, places).file !== starter;
      expect([name, isInstalled(installed, name)]).toEqual([name, isHere]);
    }
    expect(names.map((name) => isInstalled(installed, name))).toContain(true);
    expect(names.map((name) => isInstalled(installed, name))).toContain(false);
  });
});

describe('sglnb doctor', () => {
  it('runs the starter model and finds nothing to repair', async () => {
    const { code, stdout } = await sglnb(['doctor']);
    expect(stdout).toMatch(/✓ engine library: @node-llama-cpp\//);
    expect(stdout).toMatch(/✓ images: models of (LLaVA's kind|all kinds)/);
    expect(stdout).toMatch(/✓ runtime: starts in [\d.]+ s and generates \d+ tokens\/s/);
    expect(stdout).toContain('Everything works.');
    expect(code).toBe(0);
  });

  it('exits 1 when a model is damaged', async () => {
    const models = mkdtempSync(join(folder, 'damaged-'));
    writeFileSync(join(models, 'bad.gguf'), 'GGUF');
    const { code, stdout } = await sglnb(['doctor'], { SGLNB_MODELS: models });
    expect(stdout).toMatch(/✗ model: bad\.gguf .*\n\s+unreadable/);
    expect(stdout).toContain('1 of these must be repaired.');
    expect(code).toBe(1);
  });
});

describe('sglnb check', () => {
  it('reports a mistake with its place and exits 1', async () => {
    const file = join(folder, 'wrong.py');
    writeFileSync(
      file,
      'import sglang as sgl\n\n@sgl.function\ndef f(s):\n    s += sgl.gen("a", regx="b")\n',
    );
    const text = await sglnb(['check', file]);
    expect(text.stdout).toMatch(/^wrong\.py:5:\d+: (error|warning): .*\[/);
    expect(text.code).toBe(1);
    const json = await sglnb(['check', '--format', 'json', file]);
    expect(JSON.parse(json.stdout)).toMatchObject({ files: 1 });
    expect((await sglnb(['check', '--format', 'xml', file])).code).toBe(2);
    expect((await sglnb(['check', join(folder, 'nowhere')])).code).toBe(1);
  });

  it('writes stubs that pyright and mypy users get their types from', async () => {
    writeFileSync(
      join(folder, 'programs.py'),
      `import sglang as sgl
class Doc: ...
@sgl.function
def triage(s, ticket: str, doc: Doc, *, k: int = 3):
    s += ticket + sgl.gen("kind", choices=["bug", "idea"])
    forks = s.fork(k)
    forks += sgl.gen("tips")
    forks.join()
`,
    );
    writeFileSync(
      join(folder, 'use.py'),
      `from programs import triage
st = triage.run("x", None, k=2, temperature=0.5)
reveal_type(st["kind"])
reveal_type(triage.run_batch([])[0]["tips"])
triage.run()
`,
    );
    const { stdout, code } = await sglnb(['check', '--emit-stubs', 'stubs', 'programs.py']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('programs.pyi')]);
    expect((await sglnb(['check', '--emit-stubs', '', 'programs.py'])).code).toBe(2);

    writeFileSync(join(folder, 'pyrightconfig.json'), '{"stubPath": "stubs"}');
    const pyright = join(root, 'node_modules', 'basedpyright', 'index.js');
    const child = spawn(process.execPath, [pyright, '--outputjson', 'use.py'], { cwd: folder });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    await new Promise((done) => child.on('close', done));
    const report: { generalDiagnostics: { severity: string; message: string; file: string }[] } =
      JSON.parse(output);
    const said = report.generalDiagnostics.map(({ message }) => message).join('\n');
    expect(said).toContain(`Type of "st["kind"]" is "Literal['bug', 'idea']"`);
    expect(said).toContain('is "list[str]"');
    expect(said).toContain('Arguments missing for parameters "ticket", "doc"');
    // Nothing is wrong in the stub itself, apart from the package that is not installed here.
    const inStub = report.generalDiagnostics.filter(
      ({ file, severity }) => file.endsWith('.pyi') && severity === 'error',
    );
    expect(inStub).toEqual([]);
  });
});

/** `SGLNB_FUZZ=full`: as many mutations as before a release. */
const full = process.env['SGLNB_FUZZ'] === 'full';
const MUTATIONS = full ? 10_000 : 1_000;
const RUNTIME_MUTATIONS = full ? 200 : 8;
/** Milliseconds. */
const FUZZ_TIMEOUT = full ? 1_200_000 : 120_000;

describe(`damaged GGUF files (${MUTATIONS} mutations)`, () => {
  const original = readFileSync(starter);
  const random = seededRandom(7);
  const HEADER_BYTES = 200_000;

  /** Flips, fills and inflates, mostly in the first kilobytes, where the counts are. */
  function mutate(bytes: Buffer): Buffer {
    const copy = Buffer.from(bytes);
    for (let changes = 1 + random.below(4); changes > 0; changes -= 1) {
      const nearStart = random.below(10) < 7;
      const at = random.below(Math.min(nearStart ? 2_000 : HEADER_BYTES, copy.length) - 64);
      const kind = random.below(4);
      if (kind === 0) copy[at] = random.below(256);
      else if (kind === 1) copy.writeUInt32LE(0xffffffff, at);
      else if (kind === 2) copy.writeBigUInt64LE(BigInt(random.below(2 ** 31)) << 31n, at);
      else copy.fill(0, at, at + random.below(64));
    }
    return copy;
  }

  const cutLength = () => (random.below(8) === 0 ? random.below(HEADER_BYTES) : original.length);

  it('always have a reason, and never hang a reader', { timeout: FUZZ_TIMEOUT }, () => {
    const path = join(folder, 'mutated.gguf');
    writeFileSync(path, original);
    const file = openSync(path, 'r+');
    let refused = 0;
    for (let i = 0; i < MUTATIONS; i += 1) {
      ftruncateSync(file, original.length);
      writeSync(file, mutate(original.subarray(0, HEADER_BYTES)), 0, HEADER_BYTES, 0);
      ftruncateSync(file, cutLength());
      try {
        readGgufHeader(path);
      } catch (error) {
        refused += 1;
        expect(error).toBeInstanceOf(GgufError);
        expect(error).toHaveProperty('message', expect.stringContaining('mutated.gguf'));
      }
      try {
        readGgufFacts(path);
      } catch (error) {
        expect(error).toBeInstanceOf(ModelManagerError);
      }
    }
    closeSync(file);
    // Some mutations change only text: neither all nor none are refused.
    expect(refused).toBeGreaterThan(MUTATIONS / 4);
    expect(refused).toBeLessThan(MUTATIONS);
  });

  /** What a runtime makes of a file, each time with a reason that it prints or answers. */
  async function fateOf(path: string): Promise<'refused' | 'answered' | 'failed' | 'ended'> {
    let runtime: RuntimeProcess;
    try {
      runtime = await RuntimeProcess.start(['--model-path', path]);
    } catch (error) {
      expect(String(error)).toMatch(/error: .+/);
      return 'refused';
    }
    const request = { text: 'Hello', sampling_params: { max_new_tokens: 4 } };
    try {
      const { status, body } = await runtime.post('/generate', request);
      if (status === 200) return 'answered';
      expect(body.error.message).not.toBe('');
      return 'failed';
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      console.log(await runtime.exited, runtime.output.slice(-1500));
      return 'ended';
    } finally {
      await runtime.stop();
    }
  }

  it(
    'end a runtime with a reason, or run',
    async () => {
      const path = join(folder, 'mutated.gguf');
      const count = { refused: 0, answered: 0, failed: 0, ended: 0 };
      for (let i = 0; i < RUNTIME_MUTATIONS; i += 1) {
        writeFileSync(path, mutate(original).subarray(0, cutLength()));
        const fate = await fateOf(path);
        count[fate] += 1;
      }
      expect(count.ended).toBe(0);
      console.log(`${RUNTIME_MUTATIONS} damaged files: ${JSON.stringify(count)}`);
      expect(count.refused).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT,
  );
});
