import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../extension/model-manager/catalogue.ts';
import type { FitReport } from '../../extension/model-manager/model-manager.ts';
import type { InstalledModel } from '../../extension/model-manager/model-store.ts';
import {
  catalogueRows,
  fitDetail,
  installedRows,
  settingFor,
  type FitWords,
} from '../../extension/src/models/model-rows.ts';

const words: FitWords = {
  unknown: '?',
  sum: ([verdict, weights, cache, buffers, total, free]) =>
    `${verdict}: ${weights} + ${cache} + ${buffers} = ${total} of ${free}`,
  share: ([some, all, names, free]) => `${some}/${all} on ${names} with ${free}`,
  allLayers: ([, all, names, free]) => `${all} on ${names} with ${free}`,
  verdicts: { fits: 'fits', tight: 'tight', 'too big': 'too big' },
};

function report(weights: number, free: number): FitReport {
  const estimate = { weights, cache: 1e8, overhead: 2e8, total: weights + 3e8 };
  const fit = estimate.total > free ? 'too big' : 'fits';
  return { estimate, free, gpu: null, fit };
}

function installed(path: string, names: readonly string[]): InstalledModel {
  const record = names.length > 0 ? { names, source: 'lab', files: [] } : null;
  return { path: `/m/${path}`, id: path, size: 5e8, record, facts: null };
}

describe('the rows of the picker', () => {
  it('show the sum behind the verdict', () => {
    expect(fitDetail(report(1.12e9, 8e9), words)).toBe(
      'fits: 1.12 GB + 100 MB + 200 MB = 1.42 GB of 8.00 GB',
    );
    expect(fitDetail(null, words)).toBe('?');
  });

  it('say how much of it goes to the GPU', () => {
    const gpu = { names: 'T4', free: 4e9, layers: 12, allLayers: 29 };
    const place = (layers: number) =>
      fitDetail({ ...report(1.12e9, 8e9), gpu: { ...gpu, layers } }, words).split('; ')[1];
    expect([place(12), place(29)]).toEqual(['12/29 on T4 with 4.00 GB', '29 on T4 with 4.00 GB']);
  });

  it('list what fits first, and nothing that is here already', () => {
    const manager = {
      fitOfEntry: (entry: (typeof CATALOGUE)[number]) => report(entry.approximateBytes, 2e9),
    };
    const first = CATALOGUE[0]!.names[0];
    const rows = catalogueRows([installed('x.gguf', [first])], manager, words);
    expect(rows).toHaveLength(CATALOGUE.length - 1);
    const verdicts = rows.map(({ detail }) => detail.split(':')[0]);
    expect(verdicts.lastIndexOf('fits')).toBeLessThan(verdicts.indexOf('too big'));
    expect(rows[0]?.description).toMatch(/^~\d+ MB · /);
  });

  it('call installed models by their names', () => {
    const models = [installed('a/x.gguf', ['lab/x']), installed('y.gguf', [])];
    const rows = installedRows(models, { fitOfInstalled: () => null }, words);
    expect(rows.map(({ label }) => label)).toEqual(['lab/x', 'y.gguf']);
    expect(rows[0]?.description).toBe('500 MB · a/x.gguf');
  });
});

describe('the setting for a model', () => {
  it('is its name when that is unique, else its path', () => {
    const small = installed('small.gguf', ['lab/x']);
    const exact = installed('exact.gguf', ['lab/x']);
    const nameless = installed('nameless.gguf', []);
    expect(settingFor(small, [small, nameless])).toBe('lab/x');
    expect(settingFor(small, [small, exact])).toBe('/m/small.gguf');
    expect(settingFor(nameless, [nameless])).toBe('/m/nameless.gguf');
  });
});
