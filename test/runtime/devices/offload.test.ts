import { describe, expect, it } from 'vitest';
import {
  loadWithOffload,
  planOffload,
  type OffloadNeed,
} from '../../../runtime/src/devices/offload.ts';
import type { Device } from '../../../runtime/src/engine/device-list.ts';
import { EngineError } from '../../../runtime/src/engine/engine.ts';

const GB = 1e9;
const cpu: Device = { name: 'CPU', description: '', kind: 'cpu', free: 64 * GB, total: 64 * GB };
const gpu = (free: number, total = free): Device => ({
  name: 'CUDA0',
  description: 'a GPU',
  kind: 'gpu',
  free,
  total,
});
/** An 8B model in Q4_K_M with 8192 tokens: 33 parts of about 180 MB. */
const need: OffloadNeed = { layers: 32, weights: 4.9 * GB, cache: 1.07 * GB, buffers: 0.26 * GB };

describe('the layers that go to the GPU', () => {
  it('are all that fit into its free memory', () => {
    expect(planOffload(need, [cpu, gpu(24 * GB)])).toBe(-1);
    expect(planOffload(need, [cpu, gpu(4 * GB, 8 * GB)])).toBe(16);
    expect(planOffload(need, [cpu, gpu(0.5 * GB, 8 * GB)])).toBe(0);
    expect(planOffload(need, [cpu])).toBe(0);
  });

  it('may be split between several', () => {
    expect(planOffload(need, [cpu, gpu(4 * GB), gpu(4 * GB)])).toBe(-1);
  });
});

describe('loading', () => {
  const full = () => new EngineError('OUT_OF_MEMORY', 'cudaMalloc failed');
  function load(gpuLayers: number, fits: number): { asked: number[]; result: unknown } {
    const asked: number[] = [];
    const tries = (layers: number): string => {
      asked.push(layers);
      if (layers < 0 || layers > fits) throw full();
      return `${layers} layers`;
    };
    try {
      return { asked, result: loadWithOffload(gpuLayers, 32, tries, () => {}) };
    } catch (error) {
      return { asked, result: error };
    }
  }

  it('tries fewer layers as long as the memory does not suffice', () => {
    expect(load(-1, 40)).toEqual({
      asked: [-1, 24],
      result: '24 layers',
    });
    expect(load(20, 12)).toEqual({ asked: [20, 15, 11], result: '11 layers' });
    expect(load(4, 0)).toEqual({ asked: [4, 3, 2, 1, 0], result: '0 layers' });
  });

  it('fails when not even the processor can hold it, and at once for other reasons', () => {
    const { asked, result } = load(1, -1);
    expect(asked).toEqual([1, 0]);
    expect(result).toMatchObject({ code: 'OUT_OF_MEMORY' });
    let tries = 0;
    const damaged = (): never => {
      tries += 1;
      throw new EngineError('MODEL_INVALID', 'damaged');
    };
    expect(() => loadWithOffload(-1, 32, damaged, () => {})).toThrow('damaged');
    expect(tries).toBe(1);
  });
});
