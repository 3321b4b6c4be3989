import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  chooseLibrary,
  libraryCandidates,
  type LibraryPlaces,
  type LibraryProbe,
} from '../../../runtime/src/devices/choose-library.ts';

const places: LibraryPlaces = { given: null, fetched: [], allowsGpu: true, hasGpuDriver: false };
const works: LibraryProbe = { kind: 'works', devices: [] };
const crash: LibraryProbe = { kind: 'fails', reason: 'it was ended by SIGSEGV' };

const names = (some: Partial<LibraryPlaces>): string[] =>
  libraryCandidates({ ...places, ...some }).map(
    ({ name, risky }) => `${name}${risky ? ', tried first' : ''}`,
  );

it('begins with what the user names and ends with the processor', () => {
  expect(names({ given: '/mine', hasGpuDriver: true })).toEqual([
    'the library in /mine, tried first',
    'the bundled library, tried first',
    'the bundled library on the processor',
  ]);
  expect(names({})).toEqual(['the bundled library', 'the bundled library on the processor']);
  expect(names({ allowsGpu: false, hasGpuDriver: true })).toEqual([
    'the bundled library on the processor',
  ]);
});

it('takes fetched builds before the bundled one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backends-'));
  const bins = join(folder, 'linux-x64-cuda@3.21.1', 'bins', 'linux-x64-cuda');
  mkdirSync(bins, { recursive: true });
  writeFileSync(join(folder, 'notes.txt'), '');
  try {
    expect(names({ fetched: [folder, join(folder, 'nowhere')] })[0]).toBe(
      `the fetched library in ${bins}, tried first`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('goes on to the next when one ends its process, and keeps the reason', async () => {
  const candidates = libraryCandidates({ ...places, given: '/mine', hasGpuDriver: true });
  const probes = [crash, crash];
  const choice = await chooseLibrary(candidates, async () => probes.shift() ?? works);
  expect(choice.candidate.library).toEqual({ cpuOnly: true });
  expect(choice.skipped).toEqual([
    'the library in /mine cannot be used: it was ended by SIGSEGV',
    'the bundled library cannot be used: it was ended by SIGSEGV',
  ]);
});

it('goes on to the next when a build that was fetched for a GPU finds none, with the reason', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'backends-'));
  const bins = join(folder, 'linux-x64-cuda@3.21.1', 'bins', 'linux-x64-cuda');
  mkdirSync(bins, { recursive: true });
  try {
    const candidates = libraryCandidates({ ...places, fetched: [folder], hasGpuDriver: true });
    const gpu = { name: 'Vulkan0', description: '', kind: 'gpu', free: 1, total: 1 } as const;
    const lacks = 'libcudart.so.13: cannot open shared object file';
    const probes: LibraryProbe[] = [
      { kind: 'works', devices: [], lacks },
      { kind: 'works', devices: [gpu] },
    ];
    const choice = await chooseLibrary(candidates, async () => probes.shift() ?? works);
    expect(choice).toMatchObject({ candidate: { name: 'the bundled library' }, devices: [gpu] });
    expect(choice.skipped).toEqual([
      `the fetched library in ${bins} cannot be used: it finds no GPU (${lacks})`,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('tries nothing where nothing can crash', async () => {
  const choice = await chooseLibrary(libraryCandidates(places), () => {
    throw new Error('not asked for');
  });
  expect(choice).toMatchObject({ devices: null, skipped: [], candidate: { library: {} } });
});
