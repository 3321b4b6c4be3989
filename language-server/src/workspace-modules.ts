/** Imported modules, and all Python files and notebooks, from the folders of the workspace. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { splitCells } from './cell-split.ts';
import type { ModuleHost, ProjectFile } from './service.ts';
import { unitUri } from './unit-uri.ts';

const maximumSize = 1_000_000;
const maximumFiles = 5000;
/** The folders are not walked again within this time, in milliseconds. */
const listingLasts = 2000;
const skippedFolders: ReadonlySet<string> = new Set([
  'node_modules',
  '__pycache__',
  'venv',
  'site-packages',
]);

interface KnownFile extends ProjectFile {
  readonly modified: number;
  readonly size: number;
}

/** `openText` gives the text of a file that is open in the editor. */
export class WorkspaceModules implements ModuleHost {
  readonly #roots: () => readonly string[];
  readonly #openText: (uri: string) => string | undefined;
  readonly #known = new Map<string, KnownFile>();
  #listed: { readonly at: number; readonly files: readonly ProjectFile[] } | null = null;

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

  /** Text of a file, as it is in the editor or on disk; `null` when it cannot be read. */
  read(uri: string): string | null {
    try {
      return this.#read(fileURLToPath(uri))?.text ?? null;
    } catch {
      // No file's uri.
      return null;
    }
  }

  files(): readonly ProjectFile[] {
    const now = performance.now();
    if (this.#listed && now - this.#listed.at < listingLasts) return this.#listed.files;
    const paths: string[] = [];
    for (const root of this.#roots()) collect(root, paths);
    const files = paths.flatMap((path) => this.#file(path) ?? []);
    this.#listed = { at: now, files };
    return files;
  }

  filesWillChange(): void {
    this.#listed = null;
  }

  #file(path: string): ProjectFile | null {
    try {
      const { size, mtimeMs: modified } = statSync(path);
      const known = this.#known.get(path);
      if (known?.size === size && known.modified === modified) return known;
      if (size > maximumSize) return null;
      const uri = pathToFileURL(path).href;
      const text = readFileSync(path, 'utf8');
      const file = { uri, units: unitsOf(path, uri, text), modified, size };
      this.#known.set(path, file);
      return file;
    } catch {
      // Gone since the folder was listed, or not ours to read: it has nothing to say.
      return null;
    }
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

function collect(folder: string, paths: string[]): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (paths.length >= maximumFiles) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.') && !skippedFolders.has(entry.name)) collect(path, paths);
      } else if (/\.(?:py|sglnb)$/.test(entry.name)) paths.push(path);
    }
  } catch {
    // A folder that cannot be listed has no files for us.
  }
}

function unitsOf(path: string, uri: string, text: string): ProjectFile['units'] {
  if (path.endsWith('.py')) return [{ uri, text }];
  const starts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)];
  return (splitCells(path, text) ?? []).map((cell) => ({
    uri: unitUri(uri, starts[cell.line] ?? 0),
    text: cell.text,
  }));
}
