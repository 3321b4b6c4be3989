/** Which kernels outlive this window, and which one an opened notebook gets back. */
import { workspace, type Memento, type NotebookDocument } from 'vscode';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttachedRun, KernelRecord } from '../../protocol/attach-protocol.ts';
import { KERNEL_PROTOCOL_VERSION } from '../../protocol/kernel-protocol.ts';
import { AttachError, type DetachedOptions } from '../kernel-client/detached-kernel.ts';
import { forgetKernel, readKernelRecords } from '../kernel-client/kernel-records.ts';
import type { KernelSession, RunSink } from '../kernel-client/kernel-session.ts';
import { kernelKeepAlive } from '../settings.ts';

/** Milliseconds that the extension host of a reloaded window may take to let its kernels go. */
const LETTING_GO = 10_000;
const RETRY = 250;

export class KernelSurvival {
  readonly #folder: string;
  readonly #memory: Memento;

  /** `folder` is private to the user and shared by all windows; `memory` is this workspace's own. */
  constructor(folder: string, memory: Memento) {
    this.#folder = folder;
    this.#memory = memory;
  }

  /** Live kernels of this user, also those of other windows. */
  get records(): KernelRecord[] {
    return readKernelRecords(this.#folder);
  }

  get folder(): string {
    return this.#folder;
  }

  /** `undefined`: the setting lets kernels end with their window. */
  options(notebook: NotebookDocument): DetachedOptions | undefined {
    const keepAlive = kernelKeepAlive(notebook.uri);
    if (keepAlive === 0) return undefined;
    return { folder: this.#folder, notebook: keyOf(notebook), keepAlive };
  }

  remember(notebook: NotebookDocument, kernel: string): void {
    const key = memoryKey(notebook);
    if (this.#memory.get(key) !== kernel) void this.#memory.update(key, kernel);
  }

  /** A kernel for this notebook exists that this window may take. */
  hasKernelFor(notebook: NotebookDocument): boolean {
    return this.#candidate(notebook) !== undefined;
  }

  /** Whether `session` now has a kernel that was running before. Never rejects. */
  async attach(
    notebook: NotebookDocument,
    session: KernelSession,
    sinkOf: (run: AttachedRun) => RunSink | null,
    wanted?: KernelRecord,
  ): Promise<boolean> {
    const deadline = performance.now() + LETTING_GO;
    for (;;) {
      const record = wanted ?? this.#candidate(notebook);
      if (!record) return false;
      try {
        await session.attach(record, wanted !== undefined, sinkOf);
        return true;
      } catch (error) {
        const inUse = error instanceof AttachError && error.code === 'KERNEL_IN_USE';
        if (!inUse && record.protocolVersion === KERNEL_PROTOCOL_VERSION)
          forgetKernel(this.#folder, record.id);
        if (!inUse || performance.now() > deadline) return false;
      }
      await sleep(RETRY);
    }
  }

  /** This window's kernel, also while its former extension host still holds it, else one without a window. */
  #candidate(notebook: NotebookDocument): KernelRecord | undefined {
    const key = keyOf(notebook);
    const own = this.#memory.get(memoryKey(notebook));
    const records = this.records.filter((record) => record.notebook === key);
    return records.find(({ id }) => id === own) ?? records.findLast(({ driven }) => !driven);
  }
}

/** Names the notebook on this machine; an untitled one only within its workspace. */
function keyOf(notebook: NotebookDocument): string {
  const uri = notebook.uri.toString();
  if (!notebook.isUntitled) return uri;
  const place = workspace.workspaceFile ?? workspace.workspaceFolders?.[0]?.uri;
  return `${uri}@${place?.toString() ?? ''}`;
}

function memoryKey(notebook: NotebookDocument): string {
  return `kernel.${notebook.uri.toString()}`;
}
