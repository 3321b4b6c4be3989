import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOWNLOAD_DEFAULTS } from '../../extension/model-manager/download.ts';
import { HubClient } from '../../extension/model-manager/hub-client.ts';
import {
  ModelAnswers,
  type ModelAsker,
  type ModelDecision,
} from '../../extension/model-manager/model-answers.ts';
import { ModelChoices } from '../../extension/model-manager/model-choices.ts';
import { ModelManager } from '../../extension/model-manager/model-manager.ts';
import { ModelStore } from '../../extension/model-manager/model-store.ts';
import { encodeHeader } from '../support/gguf/gguf-writer.ts';

const NAME = 'Qwen/Qwen2.5-1.5B-Instruct';
const never = new AbortController().signal;

let folder: string;
let asked: string[];
let decision: ModelDecision;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'answers-'));
  asked = [];
  decision = { kind: 'later' };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const asker: ModelAsker = {
  decide: async ({ name, entry, fit }) => {
    asked.push(`${name}: ${entry?.licence ?? 'unknown'}, ${fit?.fit ?? 'unknown'}`);
    return decision;
  },
  download: async (name) => {
    asked.push(`download ${name}`);
    return true;
  },
};

function answers(withAsker: ModelAsker | null = asker): ModelAnswers {
  const manager = new ModelManager({
    store: new ModelStore(folder),
    hub: new HubClient({ base: 'http://127.0.0.1:9', token: null, answerMilliseconds: 1000 }),
    places: { lmStudio: [], ollama: [], llamaCpp: [], huggingFace: [] },
    freeMemory: () => 8e9,
    gpus: () => Promise.resolve([]),
    download: DOWNLOAD_DEFAULTS,
  });
  return new ModelAnswers(manager, new ModelChoices(folder), withAsker);
}

const place = (name: string) => ({
  notebook: join(folder, 'work', 'deep', name),
  workspace: join(folder, 'work'),
});

async function answer(name = NAME, notebook = 'a.sglnb'): Promise<string | null> {
  return answers().answer(name, place(notebook), never);
}

async function install(path: string): Promise<void> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  const header = encodeHeader({ 'general.architecture': { type: 'string', value: 'llama' } }, []);
  writeFileSync(file, header);
}

describe('a model that a program names', () => {
  it('is not asked about when it is here, under its file name', async () => {
    await install('Qwen/qwen2.5-1.5b-instruct-q4_k_m.gguf');
    expect([await answer(), asked]).toEqual([null, []]);
  });

  it('is asked about with what the catalogue knows, each time it is put off', async () => {
    await answer();
    await answer();
    expect(asked).toEqual(Array(2).fill(`${NAME}: Apache-2.0, fits`));
    await answer('lab/unknown-7B');
    expect(asked.at(-1)).toBe('lab/unknown-7B: unknown, unknown');
  });

  it('is downloaded once the user says so', async () => {
    decision = { kind: 'download' };
    expect(await answer()).toBe(null);
    expect(asked.at(-1)).toBe(`download ${NAME}`);
  });

  it('is asked about once when the answer is meant for the workspace', async () => {
    decision = { kind: 'starter' };
    expect(await answer()).toBe(null);
    expect(await answer(NAME.toLowerCase(), 'b.sglnb')).toBe(null);
    expect(asked).toHaveLength(1);
    const elsewhere = { notebook: join(folder, 'other'), workspace: join(folder, 'other') };
    await answers().answer(NAME, elsewhere, never);
    expect(asked).toHaveLength(2);
  });

  it('may be a file, as long as that exists', async () => {
    const path = join(folder, 'mine.gguf');
    writeFileSync(path, '');
    decision = { kind: 'file', path };
    expect([await answer(), await answer()]).toEqual([path, path]);
    expect(asked).toHaveLength(1);
    rmSync(path);
    decision = { kind: 'later' };
    expect(await answer()).toBe(null);
    expect(asked).toHaveLength(2);
  });

  it('is left to the runtime where nobody can be asked', async () => {
    expect(await answers(null).answer(NAME, place('a.sglnb'), never)).toBe(null);
  });

  it('is asked about again after a decision was damaged or forgotten', async () => {
    decision = { kind: 'starter' };
    await answer();
    await new ModelChoices(folder).forget(join(folder, 'work'));
    await answer();
    expect(asked).toHaveLength(2);
    writeFileSync(join(folder, 'choices.json'), '{"/": {"a/b": 3}, "x": [');
    await answer();
    expect(asked).toHaveLength(3);
  });

  it('is decided by nobody once the cell was interrupted', async () => {
    decision = { kind: 'download' };
    const cell = new AbortController();
    const late: ModelAsker = {
      ...asker,
      decide: async (question, signal) => {
        cell.abort();
        return asker.decide(question, signal);
      },
    };
    expect(await answers(late).answer(NAME, place('a.sglnb'), cell.signal)).toBe(null);
    expect(asked).toHaveLength(1);
  });
});
