/** Ends a kernel that this window does not drive. */
import type { KernelRecord } from '../../protocol/attach-protocol.ts';
import { DetachedKernel } from './detached-kernel.ts';
import { forgetKernel, isAlive } from './kernel-records.ts';

/** Milliseconds that a kernel has to stop what it runs. */
const PATIENCE = 5_000;

/** Asks it to shut down, then kills it; settles when its process is gone. */
export async function endKernel(folder: string, record: KernelRecord): Promise<void> {
  const gone = Promise.withResolvers<void>();
  const listener = { event: () => {}, stray: () => {}, exited: () => gone.resolve() };
  try {
    const isWindowThere = async (): Promise<void> => {};
    const options = { folder, keepAlive: 0, takeOver: true, isWindowThere };
    const kernel = await DetachedKernel.attach(record, options, listener, () => {});
    kernel.send({ type: 'shutdown' });
    const killer = setTimeout(() => kernel.kill(), PATIENCE);
    await gone.promise;
    clearTimeout(killer);
  } catch {
    // Nobody listens: the process is another one by now, or cannot be reached.
    if (!isAlive(record.pid)) forgetKernel(folder, record.id);
    else throw new Error(`Process ${record.pid} does not answer as a kernel.`);
  }
}
