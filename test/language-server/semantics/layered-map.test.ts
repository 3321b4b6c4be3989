import { expect, it } from 'vitest';
import { LayeredMap } from '../../../language-server/src/semantics/layered-map.ts';
import { randomFrom } from '../support/mutations.ts';

it('behaves like copied maps under random forks, writes and joins', () => {
  const random = randomFrom(7);
  const pick = (count: number) => Math.floor(random() * count);
  const pairs = [{ layered: new LayeredMap<number, number>(), plain: new Map<number, number>() }];
  for (let step = 0; step < 4000; step++) {
    const one = pairs[pick(pairs.length)]!;
    const other = pairs[pick(pairs.length)]!;
    const action = pick(4);
    if (action === 0) pairs.push({ layered: one.layered.fork(), plain: new Map(one.plain) });
    else if (action === 1 && one !== other) {
      // Equal values stay, others add up: the join of every key, shared layers or not.
      const add = (a: number | undefined, b: number | undefined) =>
        a === b ? a : (a ?? 0) + (b ?? 0);
      const layered = LayeredMap.join(one.layered, other.layered, add);
      const plain = new Map<number, number>();
      for (const key of new Set([...one.plain.keys(), ...other.plain.keys()])) {
        plain.set(key, add(one.plain.get(key), other.plain.get(key)) ?? 0);
      }
      pairs.push({ layered, plain });
    } else {
      const [key, value] = [pick(40), pick(1000)];
      one.layered.set(key, value);
      one.plain.set(key, value);
    }
    if (pairs.length > 30) pairs.splice(pick(pairs.length), 1);
    const checked = pairs[pick(pairs.length)]!;
    expect([...checked.layered.toMap()].toSorted((a, b) => a[0] - b[0])).toEqual(
      [...checked.plain].toSorted((a, b) => a[0] - b[0]),
    );
    const key = pick(40);
    expect(checked.layered.get(key)).toBe(checked.plain.get(key));
  }
});
