import { expect, it } from 'vitest';
import { nodeComplaint } from '../../extension/cli/oldest-node.ts';

it('is refused with what to do, unless the doctor is asked', () => {
  expect(nodeComplaint('20.20.2', 'run')).toMatch(/^sglnb: Node 22 or newer .* this is 20\.20\.2/);
  expect(nodeComplaint('20.20.2', undefined)).toContain('npm run sglnb');
  expect(nodeComplaint('20.20.2', 'doctor')).toBe(null);
  expect([nodeComplaint('22.0.0', 'run'), nodeComplaint('24.21.0', 'run')]).toEqual([null, null]);
});
