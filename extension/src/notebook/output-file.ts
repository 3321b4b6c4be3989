/** A file for the text of a cell that is too long to show; the system clears its folder in its own time. */
import { createWriteStream, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OutputFile } from './long-output.ts';

/** `failed` is told when the text cannot be written, such as on a full disk. */
export function openOutputFile(failed: (reason: string) => void): OutputFile {
  const path = join(mkdtempSync(join(tmpdir(), 'sglnb-output-')), 'output.txt');
  const stream = createWriteStream(path, { mode: 0o600 });
  stream.on('error', (error) => failed(error.message));
  return {
    path,
    write: (text) => void stream.write(text),
    close: () => void stream.end(),
  };
}
