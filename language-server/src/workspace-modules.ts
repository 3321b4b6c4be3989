/** Imported modules from the folders of the workspace. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ModuleHost } from './service.ts';

const maximumSize = 1_000_000;

/** `openText` gives the text of a file that is open in the editor. */
export class WorkspaceModules implements ModuleHost {
  readonly #roots: () => readonly string[];
  readonly #openText: (uri: string) => string | undefined;

  constructor(roots: () => readonly string[], openText: (uri: string) => string | undefined) {
    this.#roots = roots;
    this.#openText = openText;
  }

  resolve(
    path: string,
    level: number,
    from: string,
  ): { readonly uri: string; readonly text: string } | null {
    const parts = path === '' ? [] : path.split('.');
    for (const base of this.#bases(level, from)) {
      const target = join(base, ...parts);
      for (const file of [`${target}.py`, join(target, '__init__.py')]) {
        const found = this.#read(file);
        if (found) return found;
      }
    }
    return null;
  }

  /** `import x` looks beside the importing file and in the roots; `from . import x` only there. */
  #bases(level: number, from: string): readonly string[] {
    const folder = folderOf(from);
    if (level > 0)
      return folder === null
        ? []
        : [join(folder, ...Array.from({ length: level - 1 }, () => '..'))];
    return [...(folder === null ? [] : [folder]), ...this.#roots()];
  }

  #read(file: string): { readonly uri: string; readonly text: string } | null {
    const uri = pathToFileURL(file).href;
    const open = this.#openText(uri);
    if (open !== undefined) return { uri, text: open };
    try {
      const { size } = statSync(file);
      return size > maximumSize ? null : { uri, text: readFileSync(file, 'utf8') };
    } catch {
      // Not there: the import is of an installed package, which is not analysed.
      return null;
    }
  }
}

/** Folder of a file or of the notebook that a cell belongs to. */
function folderOf(uri: string): string | null {
  const file = uri.replace(/^vscode-notebook-cell:(?:\/\/)?/, 'file://').replace(/#.*$/, '');
  if (!file.startsWith('file://')) return null;
  try {
    return dirname(fileURLToPath(file));
  } catch {
    // A file URI of another platform; nothing can be read from there.
    return null;
  }
}
