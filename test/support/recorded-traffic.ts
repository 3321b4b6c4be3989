/** What a program asked a server and what came out, and how two such recordings are compared. */
import { expect } from 'vitest';

export interface Recorded {
  readonly case: string;
  readonly result: unknown;
  readonly requests: readonly {
    readonly method: string;
    readonly path: string;
    readonly body: unknown;
  }[];
}

/** What differs from a recording, and what it is here instead. */
export interface Difference {
  readonly reason: string;
  /** The result here, as JSON: a text that it must contain. */
  readonly result?: string;
  /** Requests here that the recording lacks, as JSON: texts that they must contain, in any order. */
  readonly added?: readonly string[];
  /** Requests of the recording that are not made here. */
  readonly removed?: readonly string[];
}

/** JSON without what differs by chance: token ids, the last digits of sums, node numbers. */
export function normal(value: unknown): string {
  const nodes = new Map<string, number>();
  const number = (id: string): number => nodes.get(id) ?? nodes.set(id, nodes.size + 1).size;
  const text = JSON.stringify(value, (key, item: unknown) => {
    if (key === 'input_ids') return 'ids';
    if (typeof item === 'number') return Math.round(item * 1e9) / 1e9;
    const isLogprob = Array.isArray(item) && item.length === 3 && typeof item[1] === 'number';
    return isLogprob ? [item[0], item[2]] : item;
  });
  return (text ?? 'null').replace(/%\d+/g, (id) => `%${number(id)}`);
}

/** `head`: the recording is of v0.5, which always sends two parameters that are optional here. */
export function compareRecorded(
  reference: Recorded,
  ours: Recorded,
  difference: Difference | undefined,
  head = false,
): void {
  const wire = ({ method, path, body }: Recorded['requests'][number]): string =>
    `${method} ${path} ${normal(head ? withoutNewFields(body) : body)}`;
  const [theirs, mine] = [reference.requests.map(wire), ours.requests.map(wire)];
  expectEach(surplus(mine, theirs), difference?.added ?? []);
  expectEach(surplus(theirs, mine), difference?.removed ?? []);
  if (difference?.result === undefined)
    expect(normal(joined(ours.case, ours.result))).toBe(
      normal(joined(ours.case, reference.result)),
    );
  else expect(normal(ours.result)).toContain(difference.result);
}

/** Where a stream was cut into pieces depends on timing; what the pieces add up to does not. */
function joined(name: string, result: unknown): unknown {
  return name === 'tutorial_stream' && Array.isArray(result) ? result.join('') : result;
}

/** What is in `left` and not in `right`, each as often as it is there. */
function surplus(left: readonly string[], right: readonly string[]): string[] {
  const rest = [...right];
  return left.filter((item) => {
    const index = rest.indexOf(item);
    if (index !== -1) rest.splice(index, 1);
    return index === -1;
  });
}

function expectEach(requests: readonly string[], expected: readonly string[]): void {
  if (requests.length !== expected.length) expect(requests).toEqual(expected);
  for (const part of expected)
    expect(
      requests.some((request) => request.includes(part)),
      part,
    ).toBe(true);
}

/** v0.5 always sends two parameters that older servers refuse; here only when they are set. */
function withoutNewFields(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('sampling_params' in body)) return body;
  const { n, stop_regex, ...sampling } = body.sampling_params as Record<string, unknown>;
  const set = { ...(n === 1 ? {} : { n }), ...(normal(stop_regex) === '[]' ? {} : { stop_regex }) };
  return { ...body, sampling_params: { ...sampling, ...set } };
}
