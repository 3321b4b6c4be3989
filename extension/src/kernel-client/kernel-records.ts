/**
 * The kernels of this user that outlive windows, as they describe themselves in a private folder. Files
 * of kernels that died without a chance to clean up are removed when they are seen.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelRecord } from '../../protocol/attach-protocol.ts';

/** Makes the folder, readable by its user only. */
export function makeRecordsFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Kernels whose process exists, oldest first. */
export function readKernelRecords(folder: string): KernelRecord[] {
  const records = names(folder).flatMap((name) => {
    const record = readRecord(join(folder, name));
    if (record !== null && isAlive(record.pid)) return [record];
    if (record !== null) forgetKernel(folder, record.id);
    return [];
  });
  return records.toSorted((left, right) => left.startedAt - right.startedAt);
}

/** Removes what a dead kernel left in the folder. */
export function forgetKernel(folder: string, id: string): void {
  for (const name of [`${id}.json`, `${id}.log`]) rmSync(join(folder, name), { force: true });
}

export function stderrFile(folder: string, id: string): string {
  return join(folder, `${id}.log`);
}

/** The last lines that a kernel wrote to stderr. */
export function lastWords(folder: string, id: string, lines: number): string[] {
  try {
    const text = readFileSync(stderrFile(folder, id), 'utf8').slice(-65_536);
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-lines);
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

/** `null` for a file that is no record, or is just being written. */
function readRecord(file: string): KernelRecord | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is KernelRecord {
  if (typeof value !== 'object' || value === null) return false;
  const texts = ['id', 'address', 'token', 'notebook'];
  const numbers = ['pid', 'protocolVersion', 'startedAt'];
  return (
    texts.every((key) => typeof Reflect.get(value, key) === 'string') &&
    numbers.every((key) => Number.isInteger(Reflect.get(value, key))) &&
    typeof Reflect.get(value, 'driven') === 'boolean'
  );
}
