/**
 * The user's own Python that the kernel picker offers: the one of the setting, else the one before, else what
 * the Python extension says.
 */
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Memento } from 'vscode';
import { kernelSettings } from '../settings.ts';
import { knownChoiceOfPythonExtension } from './select-python.ts';

const MEMORY_KEY = 'kernel.ownPython';

export class OwnPython {
  readonly #memory: Memento;

  /** `memory` is this workspace's own. */
  constructor(memory: Memento) {
    this.#memory = memory;
    this.remember();
  }

  /** `null` until one was chosen; looks for none and starts nothing. */
  get known(): string | null {
    const set = kernelSettings(undefined).python;
    if (set !== null) return set;
    const before: unknown = this.#memory.get(MEMORY_KEY);
    if (typeof before === 'string' && isFile(before)) return before;
    const chosen = knownChoiceOfPythonExtension(undefined);
    return chosen !== null && isFile(chosen) ? chosen : null;
  }

  /** Keeps the one of the setting, for when the setting names none. */
  remember(): void {
    const { python } = kernelSettings(undefined);
    if (python !== null && python !== this.#memory.get(MEMORY_KEY))
      void this.#memory.update(MEMORY_KEY, python);
  }
}

/** The Python extension also names folders of environments, and commands. */
function isFile(path: string): boolean {
  return isAbsolute(path) && (statSync(path, { throwIfNoEntry: false })?.isFile() ?? false);
}
