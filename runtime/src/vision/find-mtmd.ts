import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNativeLibrary, type NativeLibraryOptions } from '../engine/native-library.ts';
import { ProjectorError } from './projector-error.ts';

const MTMD = /^(lib)?mtmd(\.[\w.-]+)?\.(so|dylib|dll)$/;

/**
 * Where `runtime/mtmd/build.ts` puts the library: in a package beside the bundle, otherwise beside its own
 * source, as seen from this file and from the bundle of a checkout.
 */
const BUILT = ['./llama', '../../mtmd/lib', '../runtime/mtmd/lib'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/**
 * libmtmd, llama.cpp's own library for images: the named file, or the one beside the libraries in use
 * or beside this program. Null: there is none.
 */
export function findMtmd(given: string | null, engine: NativeLibraryOptions): string | null {
  if (given !== null) {
    if (existsSync(given)) return given;
    throw new ProjectorError('NOT_FOUND', `--mtmd-library: there is no file ${given}.`);
  }
  const folders = [dirname(findNativeLibrary(engine).llama), ...BUILT];
  for (const folder of folders) {
    const name = existsSync(folder)
      ? readdirSync(folder).find((file) => MTMD.test(file))
      : undefined;
    if (name !== undefined) return join(folder, name);
  }
  return null;
}

/** What to do where there is none. */
export const MTMD_ADVICE =
  "Others need llama.cpp's libmtmd, which is not here: build it with `npm run build:mtmd` in this project, or name a build of the same llama.cpp with --mtmd-library (SGLNB_MTMD_LIBRARY). Or run the model on an SGLang server.";
