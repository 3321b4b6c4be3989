import { expect, test } from 'vitest';
import { hostPath, planMounts } from '../../../extension/kernel/guest/pyodide-mounts.ts';

test('folders of the machine lie at their own paths, the system folders are the guest’s own', () => {
  const plan = planMounts('linux', '/home/me/book', ['home', 'lib', 'tmp', 'usr', 'proc', 'data']);
  expect(plan.cwd).toBe('/home/me/book');
  expect(plan.mounts.map((mount) => mount.guest)).toEqual(['/home', '/tmp', '/data']);
  expect(plan.mounts.every((mount) => mount.guest === mount.host)).toBe(true);
});

test('a notebook inside a system folder is mounted by itself', () => {
  const plan = planMounts('linux', '/usr/share/book', ['usr', 'home']);
  expect(plan.mounts.at(-1)).toEqual({ guest: '/usr/share/book', host: '/usr/share/book' });
});

test('a folder with a similar name is another folder', () => {
  const plan = planMounts('linux', '/homework/a', ['home']);
  expect(plan.mounts.at(-1)?.guest).toBe('/homework/a');
});

test('on Windows the notebook’s folder has a name of its own', () => {
  const plan = planMounts('win32', 'C:\\Users\\me', []);
  expect(plan).toEqual({
    mounts: [{ guest: '/notebook', host: 'C:\\Users\\me' }],
    cwd: '/notebook',
  });
  expect(hostPath(plan.mounts, '/notebook/a/b.png')).toBe('C:\\Users\\me/a/b.png');
});

test('a path outside all mounts stays', () => {
  expect(hostPath([{ guest: '/a', host: '/b' }], '/ab/c')).toBe('/ab/c');
  expect(hostPath([{ guest: '/a', host: '/b' }], '/a')).toBe('/b');
});
