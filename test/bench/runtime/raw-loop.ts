import type { Engine } from '../../../runtime/src/engine/engine.ts';
import { argmax } from '../../../runtime/src/sampling/token-set.ts';

/** The engine without scheduler or server: forward and argmax. */

export function rawPrefill(engine: Engine, ids: readonly number[]): void {
  const tokens = ids.map((token, position) => ({
    token,
    position,
    sequence: 0,
    wantsLogits: position === ids.length - 1,
  }));
  engine.forward(tokens);
  argmax(engine.logits(ids.length - 1), null);
}

export function rawDecode(engine: Engine, from: number, count: number): void {
  let token = 300;
  for (let position = from; position < from + count; position += 1) {
    engine.forward([{ token, position, sequence: 0, wantsLogits: true }]);
    token = argmax(engine.logits(0), null);
  }
}
