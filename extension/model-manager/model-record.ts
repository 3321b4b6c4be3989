/**
 * What is known about an installed model, in a small file next to it. The runtime reads `names` to
 * find the model that a program's `--model-path` means.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';

export interface RecordedFile {
  /** Name within the model's folder. */
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export interface ModelRecord {
  /** What programs may call the model. */
  readonly names: readonly string[];
  /** Repository that it came from, or the program whose file is linked. */
  readonly source: string;
  /** The model's file; several for a split model, first part first. */
  readonly files: readonly RecordedFile[];
}

/** Ending of the record, after the name of the model's (first) file. */
export const RECORD_ENDING = '.sglnb.json';

export async function writeRecord(modelPath: string, record: ModelRecord): Promise<void> {
  const path = modelPath + RECORD_ENDING;
  const fresh = `${path}.${randomUUID()}`;
  await writeFile(fresh, `${JSON.stringify(record, null, 2)}\n`);
  await rename(fresh, path);
}

/** `null` when there is none or it is damaged: the model is then one of unknown origin. */
export async function readRecord(modelPath: string): Promise<ModelRecord | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(modelPath + RECORD_ENDING, 'utf8'));
    return isRecord(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is ModelRecord {
  if (typeof value !== 'object' || value === null) return false;
  if (!('names' in value && 'source' in value && 'files' in value)) return false;
  const { names, source, files } = value;
  return (
    Array.isArray(names) &&
    names.every((name) => typeof name === 'string') &&
    typeof source === 'string' &&
    Array.isArray(files) &&
    files.every(isRecordedFile)
  );
}

function isRecordedFile(value: unknown): value is RecordedFile {
  if (typeof value !== 'object' || value === null) return false;
  if (!('name' in value && 'size' in value && 'sha256' in value)) return false;
  const isPlainName = typeof value.name === 'string' && !/[\\/]/.test(value.name);
  return isPlainName && typeof value.size === 'number' && typeof value.sha256 === 'string';
}
