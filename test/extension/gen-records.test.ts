import { describe, expect, it } from 'vitest';
import {
  cachedShare,
  GenRecords,
  tokensPerSecond,
} from '../../extension/src/insight/gen-records.ts';
import type { GenRecord } from '../../extension/protocol/kernel-protocol.ts';

function record(more: Partial<GenRecord>): GenRecord {
  return {
    program: 'qa',
    name: 'answer',
    kind: 'gen',
    value: 'Paris',
    error: null,
    cellId: null,
    line: null,
    promptTokens: 30,
    cachedTokens: 10,
    completionTokens: 20,
    milliseconds: 100,
    probability: null,
    request: null,
    ...more,
  };
}

describe('GenRecords', () => {
  it('sums a run of a cell and forgets it when the cell runs again', () => {
    const records = new GenRecords();
    records.add('a', record({}));
    records.add(
      'a',
      record({ error: 'refused', completionTokens: null, promptTokens: null, cachedTokens: null }),
    );
    records.add('b', record({}));
    expect(records.totals('a')).toEqual({
      generations: 2,
      failed: 1,
      completionTokens: 20,
      milliseconds: 100,
      promptTokens: 30,
      cachedTokens: 10,
    });
    records.startCell('a');
    expect(records.totals('a')).toBeUndefined();
    expect(records.totals('b')).toBeDefined();
  });

  it('keeps the latest values of a variable, newest first', () => {
    const records = new GenRecords();
    for (const value of ['1', '2', '3', '4', '5', '6']) records.add(null, record({ value }));
    expect(records.values('answer').map(({ value }) => value)).toEqual(['6', '5', '4', '3', '2']);
    expect(records.values('other')).toEqual([]);
    records.clear();
    expect(records.values('answer')).toEqual([]);
  });

  it('keeps the latest of all, unnamed ones too, and knows which variables there are', () => {
    const records = new GenRecords();
    for (let index = 0; index < 60; index += 1) {
      records.add(null, record({ name: index === 59 ? null : 'answer', value: String(index) }));
    }
    expect(records.recent()).toHaveLength(50);
    expect(records.recent().map(({ value }) => value)).toMatchObject({ 0: '59', 49: '10' });
    expect(records.names()).toEqual(['answer']);
    records.clear();
    expect(records.recent()).toEqual([]);
  });

  it('knows no rate and no share where nothing was measured', () => {
    const records = new GenRecords();
    records.add('a', record({}));
    records.add('b', record({ completionTokens: null, promptTokens: null }));
    const [known, unknown] = [records.totals('a'), records.totals('b')];
    expect(known && tokensPerSecond(known)).toBe(200);
    expect(known && cachedShare(known)).toBeCloseTo(1 / 3);
    expect(unknown && tokensPerSecond(unknown)).toBeNull();
    expect(unknown && cachedShare(unknown)).toBeNull();
  });
});
