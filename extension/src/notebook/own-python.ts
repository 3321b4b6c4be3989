/** The user's own Python that the kernel picker offers: the one of the setting, or the one before. */
import { existsSync } from 'node:fs';
import type { Memento } from 'vscode';
import { kernelSettings } from '../settings.ts';

const MEMORY_KEY = 'kernel.ownPython';

export class OwnPython {
  readonly #memory: Memento;

  /** `memory` is this workspace's own. */
  constructor(memory: Memento) {
    this.#memory = memory;
    this.remember();
  }

  /** `null` until one was chosen; looks for none. */
  get known(): string | null {
    const set = kernelSettings(undefined).python;
    if (set !== null) return set;
    const before: unknown = this.#memory.get(MEMORY_KEY);
    return typeof before === 'string' && existsSync(before) ? before : null;
  }

  /** Keeps the one of the setting, for when the setting names none. */
  remember(): void {
    const { python } = kernelSettings(undefined);
    if (python !== null && python !== this.#memory.get(MEMORY_KEY))
      void this.#memory.update(MEMORY_KEY, python);
  }
}
