import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { notebookFolder } from '../../extension/src/notebook/notebook-folder.ts';

const onDisk = (fsPath: string) => ({ scheme: 'file', fsPath });
const elsewhere = (fsPath: string) => ({ scheme: 'vscode-vfs', fsPath });
const untitled = { scheme: 'untitled', fsPath: 'Untitled-1.sglnb' };

describe('notebookFolder', () => {
  it('is that of the notebook, whatever the workspace', () => {
    expect(notebookFolder(onDisk('/home/ada/chats/a.sglnb'), [onDisk('/work')])).toBe(
      '/home/ada/chats',
    );
  });

  it('is the first folder of the workspace that is on disk for a notebook that is not', () => {
    const folders = [elsewhere('/ada/repository'), onDisk('/work'), onDisk('/other')];
    expect(notebookFolder(untitled, folders)).toBe('/work');
    expect(notebookFolder(elsewhere('/ada/repository/a.sglnb'), folders)).toBe('/work');
  });

  it('is home where nothing is on disk', () => {
    expect(notebookFolder(untitled, [])).toBe(homedir());
    expect(notebookFolder(untitled, [elsewhere('/ada/repository')])).toBe(homedir());
  });
});
