/** Who answers at a port that a launch wants: a stranger's server must not pass for the launched one. */
import { connect } from 'node:net';

/** Milliseconds. */
const CONNECT = 500;
const ANSWER = 1_000;

/** What holds the port, for a sentence; `null` when it is free. */
export async function portHolder(port: number): Promise<string | null> {
  if (!(await accepts('127.0.0.1', port))) return null;
  const url = `http://127.0.0.1:${port}`;
  const model = await ask(`${url}/get_model_info`).then(modelOf, () => null);
  if (model !== null) return `another SGLang server (model ${model})`;
  const isHttp = await ask(url).then(
    () => true,
    () => false,
  );
  return isHttp ? 'another web server' : 'another program';
}

/** Programs that say `localhost` may reach this one in place of a server at 127.0.0.1. */
export function holdsSixth(port: number): Promise<boolean> {
  return accepts('::1', port);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}

async function ask(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER), redirect: 'manual' });
  return answer.text();
}

function modelOf(text: string): string | null {
  const info: unknown = JSON.parse(text);
  if (typeof info !== 'object' || info === null || !('model_path' in info)) return null;
  return typeof info.model_path === 'string' ? info.model_path.slice(0, 200) : null;
}
