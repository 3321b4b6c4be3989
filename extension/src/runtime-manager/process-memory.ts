/** How much memory processes use, for the views; cheap enough to be asked every few seconds. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** Resident bytes by process id; processes that are gone, or that the system does not tell of, are missing. */
export async function residentMemory(pids: readonly number[]): Promise<Map<number, number>> {
  if (pids.length === 0 || process.platform === 'win32') return new Map();
  return process.platform === 'linux' ? fromProc(pids) : fromPs(pids);
}

async function fromProc(pids: readonly number[]): Promise<Map<number, number>> {
  const sizes = await Promise.all(
    pids.map(async (pid): Promise<[number, number][]> => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
      return kibibytes === undefined ? [] : [[pid, Number(kibibytes) * 1024]];
    }),
  );
  return new Map(sizes.flat());
}

function fromPs(pids: readonly number[]): Promise<Map<number, number>> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'pid=,rss=', '-p', pids.join(',')], (_error, stdout) => {
      const rows = [...stdout.matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm)];
      resolve(new Map(rows.map(([, pid, rss]) => [Number(pid), Number(rss) * 1024])));
    });
  });
}
