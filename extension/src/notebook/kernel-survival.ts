/** Which kernels outlive this window, and which one an opened notebook gets back. */
import { commands, workspace, type Memento, type NotebookDocument } from 'vscode';
import type { AttachedRun, KernelRecord } from '../../protocol/attach-protocol.ts';
import { KERNEL_PROTOCOL_VERSION } from '../../protocol/kernel-protocol.ts';
import { AttachError, type DetachedOptions } from '../kernel-client/detached-kernel.ts';
import { forgetKernel, readKernelRecords } from '../kernel-client/kernel-records.ts';
import type { KernelSession, RunSink } from '../kernel-client/kernel-session.ts';
import { kernelKeepAlive } from '../settings.ts';

/** Only the window itself answers this; it waits while the window is gone. */
const isWindowThere = async (): Promise<unknown> => commands.getCommands(true);

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
    return { folder: this.#folder, notebook: keyOf(notebook), keepAlive, isWindowThere };
  }

  remember(notebook: NotebookDocument, kernel: string): void {
    const known = this.#remembered(notebook);
    if (known.includes(kernel)) return;
    // Windows on one folder share this memory, and each has a kernel of its own.
    const alive = new Set(this.records.map(({ id }) => id));
    const kept = known.filter((id) => alive.has(id));
    void this.#memory.update(memoryKey(notebook), [...kept, kernel]);
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
    const record = wanted ?? this.#candidate(notebook);
    if (!record) return false;
    try {
      await session.attach(record, wanted !== undefined, sinkOf);
      return true;
    } catch (error) {
      const inUse = error instanceof AttachError && error.code === 'KERNEL_IN_USE';
      if (!inUse && record.protocolVersion === KERNEL_PROTOCOL_VERSION)
        forgetKernel(this.#folder, record.id);
      return false;
    }
  }

  /**
   * A kernel of this workspace without a window, else any such one, else one whose window may be gone: it
   * is never taken from a window that answers.
   */
  #candidate(notebook: NotebookDocument): KernelRecord | undefined {
    const key = keyOf(notebook);
    const known = this.#remembered(notebook);
    const records = this.records.filter((record) => record.notebook === key);
    const isOwn = ({ id }: KernelRecord): boolean => known.includes(id);
    const free = records.filter(({ driven }) => !driven);
    return free.findLast(isOwn) ?? free.at(-1) ?? records.findLast(isOwn) ?? records.at(-1);
  }

  /** Kernels that windows of this workspace started for the notebook, the latest last. */
  #remembered(notebook: NotebookDocument): readonly string[] {
    const value: unknown = this.#memory.get(memoryKey(notebook));
    return Array.isArray(value) ? value.filter((id) => typeof id === 'string') : [];
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
