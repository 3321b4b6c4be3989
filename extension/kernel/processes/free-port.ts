/** A port for a server that a program starts. */
import { createServer } from 'node:net';

/** The ports that SGLang's own `launch_server_cmd` chooses from. */
const [FIRST, LAST] = [30_000, 39_999];
const TRIES = 32;

/** One that nothing listens on now, at random, so that two programs seldom choose the same. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    const found = await listen(port).catch(() => null);
    if (found !== null) return found;
  }
  return listen(0);
}

/** The port, once a server on it has listened and ended; 0 is any. */
function listen(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
