/** Side questions that lead into a program state: its values are here, and Python does not wait for them. */
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import type { BridgeReply, HostBridge } from './guest.ts';

/** Python answers with the number of a state whose values it needs; they come with the question asked again. */
export async function askWithStates(
  query: JsonValue,
  ask: (query: JsonValue) => JsonValue | Promise<JsonValue>,
  bridge: Pick<HostBridge, 'call'>,
): Promise<JsonValue> {
  const answer = await ask(query);
  const sid: unknown = Reflect.get(Object(answer), 'state');
  if (typeof sid !== 'number') return answer;
  const { signal } = new AbortController();
  const [variables, snapshot] = await Promise.all([
    bridge.call({ op: 'variables', sid }, signal),
    bridge.call({ op: 'snapshot', sid }, signal),
  ]);
  const text: unknown = Reflect.get(Object(valueOf(snapshot)), 'text');
  const state = { variables: valueOf(variables), text: String(text) };
  return ask({ ...Object(query), state });
}

function valueOf(reply: BridgeReply): JsonValue {
  if ('error' in reply) throw new Error(reply.error.message);
  return reply.ok;
}
