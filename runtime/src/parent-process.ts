/** What the process that started the runtime tells it: a key, and whose connections need none. */
import process from 'node:process';

/** Variable that holds the key: unlike a command line, nobody else can read it. */
const KEY = 'SGLNB_RUNTIME_KEY';
/** Milliseconds. */
const PATIENCE = 6_000;

/** Whether a connection comes from a program of the parent; by the port of its other end. */
export type AdmitsPeer = (port: number) => Promise<boolean>;

/** The parent's key, which then leaves the environment; null if there is none. */
export function takeParentKey(environment: NodeJS.ProcessEnv): string | null {
  const key = environment[KEY];
  delete environment[KEY];
  return key === undefined || key === '' ? null : key;
}

/** Asks over the parent's channel: `{peer: 7, port: 50000}`, answered by `{peer: 7, own: true}`. */
export function askParentAboutPeers(): AdmitsPeer {
  const waiting = new Map<number, (own: boolean) => void>();
  let last = 0;
  process.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !('peer' in message)) return;
    const id = Number(message.peer);
    waiting.get(id)?.('own' in message && message.own === true);
    waiting.delete(id);
  });
  // Listening alone must not keep the process alive.
  process.channel?.unref();
  return (port) => {
    if (!process.connected) return Promise.resolve(false);
    last += 1;
    const id = last;
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        waiting.delete(id);
        resolve(false);
      }, PATIENCE);
      waiting.set(id, (own) => {
        clearTimeout(late);
        resolve(own);
      });
      process.send?.({ peer: id, port });
    });
  };
}
