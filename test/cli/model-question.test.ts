/** The question on the terminal about a model that is not on this machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputPrompt } from '../../extension/cli/input-prompt.ts';
import { TerminalModelAsker } from '../../extension/cli/model-question.ts';
import type { Terminal } from '../../extension/cli/terminal.ts';
import { findInCatalogue } from '../../extension/model-manager/catalogue.ts';
import { DOWNLOAD_DEFAULTS } from '../../extension/model-manager/download.ts';
import { HubClient } from '../../extension/model-manager/hub-client.ts';
import { ModelManager } from '../../extension/model-manager/model-manager.ts';
import { ModelStore } from '../../extension/model-manager/model-store.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { encodeHeader } from '../support/gguf/gguf-writer.ts';

const NAME = 'Qwen/Qwen2.5-1.5B-Instruct';

let hub: FakeHub;
let folder: string;
let stdin: PassThrough;
let screen: string;

const terminal: Terminal = {
  isTty: true,
  colour: false,
  columns: 100,
  write: (text) => (screen += text),
};

beforeEach(async () => {
  hub = await FakeHub.start();
  folder = mkdtempSync(join(tmpdir(), 'question-'));
  stdin = new PassThrough();
  screen = '';
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

function asker(): { asker: TerminalModelAsker; manager: ModelManager } {
  const manager = new ModelManager({
    store: new ModelStore(folder),
    hub: new HubClient({ base: hub.url, token: null, answerMilliseconds: 5_000 }),
    places: { lmStudio: [], ollama: [], llamaCpp: [], huggingFace: [] },
    freeMemory: () => 8e9,
    gpus: () => Promise.resolve([]),
    download: { ...DOWNLOAD_DEFAULTS, attempts: 1 },
  });
  return {
    asker: new TerminalModelAsker(manager, terminal, new InputPrompt(stdin, null)),
    manager,
  };
}

const signal = new AbortController().signal;

async function decide(typed: string): Promise<string> {
  const { asker: one, manager } = asker();
  const entry = findInCatalogue(NAME)!;
  stdin.write(typed);
  return (await one.decide({ name: NAME, entry, fit: manager.fitOfEntry(entry) })).kind;
}

describe('the question', () => {
  it('names size, licence and fit, and takes one letter', async () => {
    expect(await decide('d\n')).toBe('download');
    expect(screen).toContain(`The model ${NAME} is not on this machine.`);
    expect(screen).toMatch(/download it \(~1\.12 GB, Apache-2\.0; fits: .* of 8\.00 GB free\)/);
  });

  it('asks again for anything else, and takes Enter or the end of input as "this time"', async () => {
    expect(await decide('what?\nS\n')).toBe('starter');
    expect(screen).toContain('Type d, s or nothing');
    stdin = new PassThrough();
    expect(await decide('\n')).toBe('later');
    stdin = new PassThrough();
    const { asker: one } = asker();
    const answer = one.decide({ name: 'a/b', entry: null, fit: null });
    stdin.end();
    expect((await answer).kind).toBe('later');
  });
});

it('downloads with progress, and says why it could not', async () => {
  const { asker: one, manager } = asker();
  expect(await one.download('lab/small', signal)).toBe(false);
  expect(screen).toContain('The server has no');
  const header = encodeHeader({ 'general.architecture': { type: 'string', value: 'llama' } }, []);
  hub.host('lab/small-GGUF/small-Q4_K_M.gguf', Buffer.concat([header, Buffer.alloc(5000)]));
  expect(await one.download('lab/small', signal)).toBe(true);
  expect(screen).toContain('downloading 100 %');
  expect((await manager.store.list()).map(({ id }) => id)).toEqual([
    'lab/small-GGUF/small-Q4_K_M.gguf',
  ]);
});
