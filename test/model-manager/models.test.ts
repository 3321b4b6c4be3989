import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { byteText } from '../../extension/model-manager/byte-text.ts';
import { CATALOGUE, findInCatalogue } from '../../extension/model-manager/catalogue.ts';
import {
  DOWNLOAD_DEFAULTS,
  type DownloadProgress,
} from '../../extension/model-manager/download.ts';
import { HubClient, isSafePath } from '../../extension/model-manager/hub-client.ts';
import { importPlaces } from '../../extension/model-manager/import-sources.ts';
import { fitText } from '../../extension/cli/models-command.ts';
import { estimateMemory, gpuShare, memoryFit } from '../../extension/model-manager/memory-fit.ts';
import {
  importableFile,
  ModelManager,
  type ManagerOptions,
} from '../../extension/model-manager/model-manager.ts';
import { parseModelRequest } from '../../extension/model-manager/model-request.ts';
import { ModelStore } from '../../extension/model-manager/model-store.ts';
import { TransferSpeed } from '../../extension/model-manager/transfer-speed.ts';
import { planOffload } from '../../runtime/src/devices/offload.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { encodeHeader } from '../support/gguf/gguf-writer.ts';

const tiny = encodeHeader(
  {
    'general.architecture': { type: 'string', value: 'llama' },
    'general.name': { type: 'string', value: 'Tiny' },
    'llama.context_length': { type: 'u32', value: 4096 },
    'llama.block_count': { type: 'u32', value: 2 },
    'llama.embedding_length': { type: 'u32', value: 64 },
    'llama.attention.head_count': { type: 'u32', value: 4 },
    'llama.attention.head_count_kv': { type: 'u32', value: 2 },
    'tokenizer.ggml.tokens': { type: 'strings', value: ['a', 'b', 'c'] },
  },
  [],
);

let hub: FakeHub;
let root: string;
let options: ManagerOptions;
let models: ModelManager;

beforeEach(async () => {
  hub = await FakeHub.start();
  root = mkdtempSync(join(tmpdir(), 'models-'));
  options = {
    store: new ModelStore(join(root, 'models')),
    hub: new HubClient({ base: `${hub.url}/`, token: null, answerMilliseconds: 5_000 }),
    places: importPlaces({ OLLAMA_MODELS: join(root, 'ollama') }, 'linux', join(root, 'home')),
    freeMemory: () => 1e9,
    gpus: () => Promise.resolve([]),
    download: DOWNLOAD_DEFAULTS,
  };
  models = new ModelManager(options);
});
afterEach(async () => {
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

function put(path: string, bytes: Uint8Array | string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  return file;
}

describe('names', () => {
  const check = (text: string, repository: string, file: string | null, quantisation?: string) =>
    expect(parseModelRequest(text)).toEqual({
      repository,
      file,
      quantisation: quantisation ?? null,
    });

  it('may be a repository, a quantisation, a file or an address', () => {
    check('Qwen/Qwen2.5-0.5B-Instruct', 'Qwen/Qwen2.5-0.5B-Instruct', null);
    check('a/b:Q8_0', 'a/b', null, 'Q8_0');
    check('a/b/sub/c.gguf', 'a/b', 'sub/c.gguf');
    check('https://huggingface.co/a/b', 'a/b', null);
    check('https://huggingface.co/a/b/blob/main/c%20d.gguf?download=true', 'a/b', 'c d.gguf');
    check('hf.co/a/b', 'a/b', null);
  });

  it.each([
    '',
    'name',
    '../up',
    'a/..',
    'a/b/../c.gguf',
    'a/b/readme.md',
    'a b/c',
    'https://example.com/a/b',
  ])('may not be %j', (text) => expect(() => parseModelRequest(text)).toThrow(/names no model/));

  it('of files must stay in their folder', () => {
    expect(['a.gguf', 'a/b.gguf'].every(isSafePath)).toBe(true);
    const bad = ['../a', '/a', 'a//b', 'C:/a', 'a\\b', 'a\nb', '.', 'a/./b'];
    expect(bad.filter(isSafePath)).toEqual([]);
  });
});

describe('choosing files', () => {
  const plan = async (text: string) => (await models.plan(text)).files.map(({ path }) => path);

  it('takes the catalogue entry without listing the repository', async () => {
    hub.host('Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf', tiny);
    expect(await plan('qwen/qwen2.5-0.5b-instruct')).toEqual(['qwen2.5-0.5b-instruct-q4_k_m.gguf']);
    expect(hub.requests.some((line) => line.includes('/api/'))).toBe(false);
  });

  it('prefers Q4_K_M, or what is asked for, and says what there is', async () => {
    for (const name of ['m-Q8_0', 'm-Q4_K_M', 'm-Q2_K']) hub.host(`o/m/${name}.gguf`, tiny);
    expect(await plan('o/m')).toEqual(['m-Q4_K_M.gguf']);
    expect(await plan('o/m:q8_0')).toEqual(['m-Q8_0.gguf']);
    expect(await plan('o/m/m-Q2_K.gguf')).toEqual(['m-Q2_K.gguf']);
    await expect(plan('o/m:Q9')).rejects.toThrow(/no file with Q9. It has: m-Q8_0.gguf, m-Q4_K_M/);
  });

  it('finds the repository of GGUF files next to the one of the weights', async () => {
    hub.host('o/m/model.safetensors', tiny);
    hub.host('bartowski/m-GGUF/m-Q4_K_M.gguf', tiny);
    expect(await models.plan('o/m')).toMatchObject({
      repository: 'bartowski/m-GGUF',
      names: ['o/m', 'bartowski/m-GGUF'],
    });
  });

  it('takes all parts of a split model, and refuses when one is missing', async () => {
    hub.host('o/s/s-q4_k_m-00002-of-00002.gguf', tiny);
    await expect(plan('o/s/s-q4_k_m-00002-of-00002.gguf')).rejects.toThrow(/lacks parts/);
    hub.host('o/s/s-q4_k_m-00001-of-00002.gguf', tiny);
    expect(await plan('o/s')).toEqual([
      's-q4_k_m-00001-of-00002.gguf',
      's-q4_k_m-00002-of-00002.gguf',
    ]);
    const model = await models.pull(await models.plan('o/s'));
    expect(model.size).toBe(2 * tiny.length);
    expect(await models.store.list()).toHaveLength(1);
    await models.store.remove(model);
    expect(await models.store.list()).toEqual([]);
  });

  it('takes the projector of a vision model along, and deletes it with the last that needs it', async () => {
    for (const name of ['m-Q8_0', 'm-Q4_K_M', 'mmproj-m-Q8_0', 'mmproj-m-f16']) {
      hub.host(`o/m-GGUF/${name}.gguf`, tiny);
    }
    const paths = async (name: string) => (await models.plan(name)).files.map(({ path }) => path);
    expect(await paths('o/m-GGUF')).toEqual(['m-Q4_K_M.gguf', 'mmproj-m-f16.gguf']);
    expect(await paths('o/m-GGUF:Q8_0')).toEqual(['m-Q8_0.gguf', 'mmproj-m-f16.gguf']);
    const first = await models.pull(await models.plan('o/m-GGUF'));
    const second = await models.pull(await models.plan('o/m-GGUF:Q8_0'));
    expect([first.size, (await models.store.verify(first)).ok]).toEqual([tiny.length * 2, true]);
    expect((await models.store.list()).map(({ id }) => id)).toEqual([
      'o/m-GGUF/m-Q4_K_M.gguf',
      'o/m-GGUF/m-Q8_0.gguf',
    ]);
    const projector = join(dirname(first.path), 'mmproj-m-f16.gguf');
    await models.store.remove(first);
    expect(existsSync(projector)).toBe(true);
    await models.store.remove(second);
    expect(existsSync(projector)).toBe(false);
  });

  it('searches', async () => {
    hub.host('o/needle-GGUF/a.gguf', tiny);
    hub.host('o/other/a.gguf', tiny);
    expect(await models.search('needle')).toEqual([{ repository: 'o/needle-GGUF', downloads: 7 }]);
  });

  it('refuses a mirror that is no address', () => {
    expect(() => new HubClient({ base: 'mirror', token: null, answerMilliseconds: 1 })).toThrow(
      /SGLNB_MIRROR/,
    );
  });
});

describe('installed models', () => {
  it('are found by id, file, name and repository, verified and deleted', async () => {
    hub.host('o/m-GGUF/m-Q4_K_M.gguf', tiny);
    const model = await models.pull(await models.plan('o/m'));
    for (const name of ['o/m', 'O/M-GGUF', 'm-q4_k_m.gguf', 'o/m-GGUF/m-Q4_K_M.gguf']) {
      expect((await models.store.find(name)).path).toBe(model.path);
    }
    expect(await models.store.verify(model)).toMatchObject({ ok: true });
    const bytes = readFileSync(model.path);
    bytes[bytes.length - 1] = 0xff;
    writeFileSync(model.path, bytes);
    expect(await models.store.verify(model)).toMatchObject({
      ok: false,
      text: expect.stringContaining('SHA-256'),
    });
    truncateSync(model.path, 20);
    const [damaged] = await models.store.list();
    expect(damaged?.facts).toBeNull();
    expect(await models.store.verify(damaged!)).toMatchObject({ ok: false });
    await models.store.remove(damaged!);
    expect(await models.store.list()).toEqual([]);
    await expect(models.store.find('o/m')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('may have been put there by hand, with a damaged record', async () => {
    put('models/mine.gguf', tiny);
    put('models/mine.gguf.sglnb.json', '{"names": 3}');
    const model = await models.store.find('mine.gguf');
    expect(model).toMatchObject({ record: null, facts: { name: 'Tiny', context: 4096 } });
    expect(await models.store.verify(model)).toMatchObject({ ok: true });
  });
});

describe('importing', () => {
  it('links models of LM Studio, Ollama, llama.cpp and the Hugging Face cache', async () => {
    const digest = createHash('sha256').update(tiny).digest('hex');
    const layers = [
      { mediaType: 'application/vnd.ollama.image.template', digest: `sha256:${'0'.repeat(64)}` },
      { mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${digest}` },
    ];
    put(`ollama/blobs/sha256-${digest}`, tiny);
    put('ollama/manifests/registry.ollama.ai/library/llama3.2/1b', JSON.stringify({ layers }));
    put('ollama/manifests/registry.ollama.ai/library/broken/latest', '{');
    put('home/.lmstudio/models/pub/repo/lm.gguf', tiny);
    put('home/.cache/llama.cpp/cpp.gguf', tiny);
    put('home/.cache/huggingface/hub/models--o--r/snapshots/abc/hf.gguf', tiny);
    const found = await models.importable();
    expect(found.map(({ program, name }) => `${program} ${name}`).toSorted()).toEqual([
      'Hugging Face o/r/hf.gguf',
      'LM Studio pub/repo/lm.gguf',
      'Ollama llama3.2:1b',
      'llama.cpp cpp.gguf',
    ]);
    for (const model of found) {
      const installed = await models.import(model);
      expect(statSync(installed.path).ino).toBe(statSync(model.path).ino);
      expect(lstatSync(installed.path).size).toBe(tiny.length);
      expect(await models.store.verify(installed)).toMatchObject({ ok: true });
      await expect(models.import(model)).rejects.toThrow(/is there already/);
    }
    await models.store.remove(await models.store.find('llama3.2:1b'));
    expect(statSync(join(root, 'ollama', 'blobs', `sha256-${digest}`)).size).toBe(tiny.length);
  });

  it('tells how far it has read, and undoes the link when it is cancelled', async () => {
    const large = Buffer.concat([tiny, Buffer.alloc(5 << 20, 7)]);
    const model = await importableFile(put('large.gguf', large));
    const stop = new AbortController();
    const linking = models.import(model, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(linking).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(readdirSync(join(root, 'models', 'imported'))).toEqual([]);
    const seen: DownloadProgress[] = [];
    const installed = await models.import(model, { onProgress: (at) => seen.push(at) });
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.at(-1)).toMatchObject({
      phase: 'checking',
      received: large.length,
      total: large.length,
    });
    const verified: DownloadProgress[] = [];
    await models.store.verify(installed, { onProgress: (at) => verified.push(at) });
    expect(verified.at(-1)?.received).toBe(large.length);
  });

  it('links what a vision model sees with beside it', async () => {
    const seeing = Buffer.concat([tiny, Buffer.from('seeing')]);
    const [model, projector] = [tiny, seeing].map((bytes) =>
      createHash('sha256').update(bytes).digest('hex'),
    );
    const layers = [
      { mediaType: 'application/vnd.ollama.image.projector', digest: `sha256:${projector}` },
      { mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${model}` },
    ];
    put(`ollama/blobs/sha256-${model}`, tiny);
    put(`ollama/blobs/sha256-${projector}`, seeing);
    put('ollama/manifests/registry.ollama.ai/library/llava/7b', JSON.stringify({ layers }));
    put('home/.lmstudio/models/pub/repo/lm.gguf', tiny);
    put('home/.lmstudio/models/pub/repo/mmproj-model-f16.gguf', seeing);
    // A folder of many: only what is alike belongs together.
    put('home/.cache/llama.cpp/o_a-Q4_K_M.gguf', tiny);
    put('home/.cache/llama.cpp/o_b-Q4_K_M.gguf', tiny);
    put('home/.cache/llama.cpp/o_mmproj-b-f16.gguf', seeing);
    const projectors: Record<string, string[]> = {};
    for (const each of await models.importable()) {
      const { path, record } = await models.import(each);
      projectors[each.name] = record?.files.slice(1).map(({ name }) => name) ?? [];
      for (const name of projectors[each.name]!) {
        expect(readFileSync(join(dirname(path), name))).toEqual(seeing);
      }
    }
    expect(projectors).toEqual({
      'llava:7b': ['llava-7b-mmproj.gguf'],
      'pub/repo/lm.gguf': ['lm-mmproj.gguf'],
      'o_a-Q4_K_M.gguf': [],
      'o_b-Q4_K_M.gguf': ['o_b-Q4_K_M-mmproj.gguf'],
    });
    expect(await models.store.list()).toHaveLength(4);
  });

  it('links all parts of a model, or none', async () => {
    const name = (part: number) => `big-Q8_0-0000${part}-of-00003.gguf`;
    const folder = 'home/.cache/huggingface/hub/models--o--big-GGUF/snapshots/abc/Q8_0';
    const first = put(`${folder}/${name(1)}`, tiny);
    put(`${folder}/${name(2)}`, 'second');
    // The third is not here yet.
    expect(await models.importable()).toEqual([]);
    await expect(importableFile(first)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const third = put(`${folder}/${name(3)}`, 'third');
    await expect(importableFile(third)).rejects.toThrow(/name the first part/);
    const [big] = await models.importable();
    expect([big?.name, big?.size]).toEqual([
      `o/big-GGUF/Q8_0/${name(1)}`,
      tiny.length + 'secondthird'.length,
    ]);
    const taken = put(`models/imported/${name(3)}`, 'something else');
    await expect(models.import(big!)).rejects.toThrow(/is there already/);
    expect(readdirSync(join(root, 'models', 'imported'))).toEqual([name(3)]);
    rmSync(taken);
    const installed = await models.import(big!);
    expect(installed.record?.files.map((file) => file.name)).toEqual([1, 2, 3].map(name));
    expect(await models.store.verify(installed)).toMatchObject({ ok: true });
    expect(await models.store.list()).toHaveLength(1);
    await models.store.remove(installed);
    expect(readFileSync(third, 'utf8')).toBe('third');
    expect(existsSync(join(root, 'models', 'imported', name(3)))).toBe(false);
  });

  it('takes any GGUF file, and nothing else', async () => {
    const model = await models.import(await importableFile(put('any.gguf', tiny)));
    expect(model.id).toBe('imported/any.gguf');
    const text = await importableFile(put('text.gguf', 'text'));
    await expect(models.import(text)).rejects.toMatchObject({ code: 'NOT_A_MODEL' });
    await expect(importableFile(join(root, 'missing'))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('the memory estimate', () => {
  it('counts weights, cache and buffers', () => {
    // Qwen2.5-1.5B: 28 layers, 2 key-value heads of 128; 28672 bytes per token in half precision.
    const shape = findInCatalogue('Qwen/Qwen2.5-1.5B-Instruct')!.shape;
    const { cache, total, weights, overhead } = estimateMemory(1.12e9, shape, 32_768);
    expect(cache).toBe(32_768 * 28_672);
    expect(total).toBe(weights + cache + overhead);
    expect(estimateMemory(0, shape, 1).cache).toBe(8192 * 28_672);
  });

  it('reads the shape from the file', async () => {
    put('models/tiny.gguf', tiny);
    const report = models.fitOfInstalled(await models.store.find('tiny.gguf'));
    // 2 layers × (32 + 32) numbers × 2 bytes × 8192 tokens.
    expect(report?.estimate.cache).toBe(2 * 64 * 2 * 8192);
    expect(report?.fit).toBe('fits');
  });

  it('puts as many layers on GPUs as the runtime does', () => {
    const shape = findInCatalogue('Qwen/Qwen2.5-1.5B-Instruct')!.shape;
    const estimate = estimateMemory(1.12e9, shape, 8192);
    const { weights, cache } = estimate;
    const need = { layers: shape.layers, weights, cache, buffers: 512 * shape.vocabulary * 4 };
    const card = (free: number, total = 8e9) => ({ name: 'T4', free, total });
    const sets = [[0.3e9], [1e9], [1.4e9], [2e9], [2.4e9], [8e9], [1e9, 1e9], [0.1e9, 2e9]];
    const seen = new Set<number | undefined>();
    for (const free of sets) {
      const gpus = free.map((bytes) => card(bytes));
      const devices = gpus.map((gpu) => ({ ...gpu, description: '', kind: 'gpu' as const }));
      const planned = planOffload(need, devices);
      const share = gpuShare(estimate, shape, gpus);
      expect(share?.layers, free.join()).toBe(planned < 0 ? shape.layers + 1 : planned);
      seen.add(share?.layers);
    }
    expect(seen.size).toBeGreaterThan(4);
    expect(gpuShare(estimate, shape, [])).toBe(null);
  });

  it('asks of the main memory what the GPUs do not take', async () => {
    const name = 'Qwen/Qwen2.5-1.5B-Instruct';
    const entry = findInCatalogue(name)!;
    const withGpu = (free: number) =>
      new ModelManager({
        ...options,
        freeMemory: () => 1e9,
        gpus: () => Promise.resolve([{ name: 'T4', free, total: 16e9 }]),
      });
    const [large, small] = [withGpu(12e9), withGpu(2e9)];
    expect(large.fitOfEntry(entry)).toMatchObject({ fit: 'too big', gpu: null });
    expect(await large.findGpus()).toBe(true);
    const { layers } = entry.shape;
    const all = { names: 'T4', free: 12e9, layers: layers + 1, allLayers: layers + 1 };
    expect(large.fitOfEntry(entry)).toMatchObject({ fit: 'fits', gpu: all });
    await small.findGpus();
    const partly = small.fitOfEntry(entry);
    expect(partly.gpu?.layers).toBeLessThan(layers);
    expect(partly.fit).toBe('too big');
    expect(fitText(large.fitOfEntry(entry))).toMatch(/ free; all layers on T4, 12\.0 GB free$/);
    expect(fitText(partly)).toMatch(/ free; \d+ of 29 layers on T4, 2\.00 GB free$/);
  });

  it('tells what fits', () => {
    expect([memoryFit(80, 100), memoryFit(95, 100), memoryFit(101, 100)]).toEqual([
      'fits',
      'tight',
      'too big',
    ]);
  });

  it('is possible for the whole catalogue', () => {
    expect(CATALOGUE.length).toBeGreaterThanOrEqual(10);
    for (const entry of CATALOGUE) {
      expect(models.fitOfEntry(entry).estimate.total).toBeGreaterThan(entry.approximateBytes);
      // Four to ten bits per parameter: a wrong size or count falls out of this range.
      const bits = (entry.approximateBytes * 8) / (entry.billions * 1e9);
      expect(bits, entry.file).toBeGreaterThan(4);
      expect(bits, entry.file).toBeLessThan(10);
    }
  });
});

describe('texts', () => {
  it('show bytes', () => {
    expect([5, 1000, 491_400_032, 999_600_000, 1.12e9].map(byteText)).toEqual([
      '5 B',
      '1.00 kB',
      '491 MB',
      '1.00 GB',
      '1.12 GB',
    ]);
  });

  it('show the speed of the last seconds', () => {
    const speed = new TransferSpeed(1000);
    speed.add(10, 0);
    expect(speed.bytesPerSecond).toBe(0);
    for (const time of [5000, 5500, 6000]) speed.add(100, time);
    expect(speed.bytesPerSecond).toBe(200);
  });
});
