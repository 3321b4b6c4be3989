import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProbeMemory } from '../../../runtime/src/devices/probe-memory.ts';

let folder: string;
let library: string;
const memory = (): ProbeMemory => new ProbeMemory(join(folder, 'backends'));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'probes-'));
  library = join(folder, 'libllama.so');
  writeFileSync(library, 'one');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('knows what worked, once: a start that crashes leaves it unknown', () => {
  expect(memory().take(library)).toBe(false);
  memory().remember(library);
  expect(memory().take(library)).toBe(true);
  expect(memory().take(library)).toBe(false);
});

it('does not know a library that has changed or gone, nor a damaged list', () => {
  memory().remember(library);
  writeFileSync(library, 'another');
  expect(memory().take(library)).toBe(false);
  memory().remember(library);
  rmSync(library);
  expect(memory().take(library)).toBe(false);
  writeFileSync(join(folder, 'backends', 'probed.json'), '{"a":');
  expect(memory().take(library)).toBe(false);
});

it('knows nothing where nothing can be written', () => {
  const blocked = new ProbeMemory(join(library, 'below-a-file'));
  blocked.remember(library);
  expect(blocked.take(library)).toBe(false);
});
