/** Ends a process with everything that it started, and tells when they are gone. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
}

/** The process and all its descendants, as far as the system tells. */
export function processTree(root: number): readonly number[] {
  const entries = listProcesses();
  const tree = [root];
  for (let index = 0; index < tree.length; index += 1) {
    for (const entry of entries) {
      if (entry.parent === tree[index] && !tree.includes(entry.pid)) tree.push(entry.pid);
    }
  }
  return tree;
}

/** Signals each process, and the group of the first, which also holds orphans of the tree. */
export function signalTree(
  pids: readonly number[],
  signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL',
): void {
  const [root] = pids;
  if (root === undefined) return;
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(root), '/T', '/F'], { windowsHide: true });
    return;
  }
  for (const target of [-root, ...pids]) {
    try {
      process.kill(target, signal);
    } catch {
      // It has ended already, or the process leads no group.
    }
  }
}

/** Whether the process still runs; one that only waits to be collected by its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return processState(pid) !== 'Z';
}

function listProcesses(): readonly ProcessEntry[] {
  if (process.platform === 'linux') return linuxProcesses();
  if (process.platform === 'win32') return []; // taskkill /T finds them itself
  try {
    return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .map(([pid = 0, parent = 0]) => ({ pid, parent }));
  } catch {
    return [];
  }
}

function linuxProcesses(): readonly ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? statFields(Number(name))[1] : undefined;
    if (parent !== undefined) entries.push({ pid: Number(name), parent: Number(parent) });
  }
  return entries;
}

function processState(pid: number): string | undefined {
  return process.platform === 'linux' ? statFields(pid)[0] : undefined;
}

/** Fields of `/proc/<pid>/stat` from the state on; the command before it may hold any character. */
function statFields(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
