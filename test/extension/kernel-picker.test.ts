/**
 * When the kernel picker offers its second entry: never while a notebook is opening. Of VS Code only what the
 * picker uses is there; test/vscode/kernel-picker.test.ts is about the real one.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { KernelPicker } from '../../extension/src/notebook/kernel-picker.ts';

interface Entry {
  readonly id: string;
  readonly listeners: ((event: { notebook: object; selected: boolean }) => void)[];
}
interface Shown {
  readonly notebook: object;
}

const code = vi.hoisted(() => ({
  entries: [] as Entry[],
  shown: [] as Shown[],
  notebooks: [] as object[],
  opened: [] as ((notebook: object) => void)[],
  selections: [] as string[],
}));

vi.mock('vscode', () => {
  const nothing = () => ({ dispose: () => undefined });
  return {
    NotebookControllerAffinity: { Default: 1, Preferred: 2 },
    l10n: { t: (text: string) => text },
    window: {
      onDidChangeVisibleNotebookEditors: nothing,
      get visibleNotebookEditors() {
        return code.shown;
      },
    },
    workspace: {
      onDidChangeConfiguration: nothing,
      onDidOpenNotebookDocument: (listener: (notebook: object) => void) => {
        code.opened.push(listener);
        return nothing();
      },
      getConfiguration: () => ({ get: () => undefined }),
      get notebookDocuments() {
        return code.notebooks;
      },
    },
    commands: {
      executeCommand: async (_: string, choice: { notebookEditor: Shown; id: string }) => {
        const entry = code.entries.find(({ id }) => id === choice.id);
        code.selections.push(choice.id);
        await new Promise((resolve) => setTimeout(resolve, 10));
        for (const listener of entry?.listeners ?? [])
          listener({ notebook: choice.notebookEditor.notebook, selected: true });
      },
    },
    notebooks: {
      createNotebookController: (id: string) => {
        const entry = {
          id,
          listeners: [] as Entry['listeners'],
          onDidChangeSelectedNotebooks: (listener: Entry['listeners'][number]) =>
            void entry.listeners.push(listener),
          updateNotebookAffinity: () => undefined,
          dispose: () => void code.entries.splice(code.entries.indexOf(entry), 1),
        };
        code.entries.push(entry);
        return entry;
      },
    },
  };
});

let picker: KernelPicker;
const offered = () => code.entries.map(({ id }) => id);
const settle = () => vi.advanceTimersByTimeAsync(300);

/** VS Code has read the notebook and opens it, in an editor or not. */
function open(notebook: object, isShown = true): void {
  code.notebooks.push(notebook);
  if (isShown) code.shown.push({ notebook });
  for (const listener of code.opened) listener(notebook);
}
const book = () => ({ notebookType: 'sglang-notebook', uri: { path: '/a.sglnb' } });

beforeEach(async () => {
  vi.useFakeTimers();
  for (const list of Object.values(code)) list.length = 0;
  picker = new KernelPicker({
    execute: async () => undefined,
    interrupt: () => undefined,
    guest: () => 'wasm',
    preferred: () => 'wasm',
    ownPython: () => null,
    picked: () => undefined,
  });
  await settle();
});
afterEach(() => {
  picker.dispose();
  vi.useRealTimers();
});

it('offers both, but one while a notebook is read and until it has its kernel', async () => {
  expect(offered()).toEqual(['sglang-bundled', 'sglang-own']);
  picker.opening();
  expect(offered()).toEqual(['sglang-bundled']);
  open(book());
  await settle();
  expect(offered()).toEqual(['sglang-bundled', 'sglang-own']);
});

it('offers one until the last of several notebooks that are read together has its kernel', async () => {
  const [first, second] = [book(), book()];
  picker.opening();
  picker.opening();
  open(first);
  await settle();
  expect(picker.isSelected(first as never)).toBe(true);
  expect(offered()).toEqual(['sglang-bundled']);
  open(second);
  await settle();
  expect(picker.isSelected(second as never)).toBe(true);
  expect(offered()).toEqual(['sglang-bundled', 'sglang-own']);
});

it('waits no longer than a while for what is read and never opened, or opened and never shown', async () => {
  picker.opening();
  await vi.advanceTimersByTimeAsync(19_000);
  expect(offered()).toEqual(['sglang-bundled']);
  await vi.advanceTimersByTimeAsync(2000);
  expect(offered()).toEqual(['sglang-bundled', 'sglang-own']);
  picker.opening();
  open(book(), false);
  await vi.advanceTimersByTimeAsync(21_000);
  expect(offered()).toEqual(['sglang-bundled', 'sglang-own']);
});

it('selects a kernel once, however many ask for it at once', async () => {
  open(book());
  void picker.refresh();
  void picker.refresh();
  await settle();
  expect(code.selections).toEqual(['sglang-bundled']);
});
