import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ProjectorError } from './projector-error.ts';
import { type ProjectorShape, readProjector } from './projector-file.ts';

export type FoundProjector =
  /** `notice`: why a projector beside the model is not used. */
  | { readonly kind: 'none'; readonly notice: string | null }
  /** The runtime's own graph computes it. */
  | { readonly kind: 'clip'; readonly shape: ProjectorShape }
  /** Of another architecture; `reason` says which. */
  | {
      readonly kind: 'other';
      readonly file: string;
      readonly reason: string;
      readonly isNamed: boolean;
    };

/**
 * The vision projector of a model: the named file, or the mmproj file beside the model, where
 * downloads put it. A named one that does not fit is an error (`ProjectorError`); one that merely
 * lies there is left alone, with a notice. Whether one of another kind can be used depends on the
 * library: `find-mtmd.ts`.
 */
export function findProjector(
  modelFile: string,
  embeddingLength: number | null,
  named: string | null,
): FoundProjector {
  const file = named ?? projectorBeside(modelFile);
  if (file === null) return { kind: 'none', notice: null };
  try {
    return { kind: 'clip', shape: fitting(file, embeddingLength) };
  } catch (error) {
    if (!(error instanceof ProjectorError)) throw error;
    if (error.code === 'UNSUPPORTED') {
      return { kind: 'other', file, reason: error.message, isNamed: named !== null };
    }
    if (named !== null) throw error;
    // Folders with several models have projectors of others.
    const notice = error.code === 'MISMATCH' ? null : `Images are refused: ${error.message}`;
    return { kind: 'none', notice };
  }
}

function fitting(file: string, embeddingLength: number | null): ProjectorShape {
  const { shape } = readProjector(file);
  if (embeddingLength === null || shape.outputLength === embeddingLength) return shape;
  throw new ProjectorError(
    'MISMATCH',
    `${file} belongs to another model: it projects to ${shape.outputLength} numbers per token, the model reads ${embeddingLength}.`,
  );
}

/** The mmproj file whose name shares the longest beginning or end with the model's. */
function projectorBeside(modelFile: string): string | null {
  const directory = dirname(modelFile);
  const stem = words(modelFile);
  const names = readdirSync(directory).filter((name) => /mmproj.*\.gguf$/i.test(name));
  const shared = (name: string): number =>
    words(name).filter((word) => stem.includes(word)).length - words(name).length / 100;
  const [best] = names.toSorted((a, b) => shared(b) - shared(a) || a.localeCompare(b));
  return best === undefined ? null : join(directory, best);
}

function words(file: string): string[] {
  return basename(file)
    .toLowerCase()
    .replace(/\.gguf$/, '')
    .split(/[^a-z0-9.]+/);
}
