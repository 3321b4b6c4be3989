import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { findNativeLibrary } from '../../../runtime/src/engine/native-library.ts';

const folder = mkdtempSync(join(tmpdir(), 'native-library-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Lays empty files out and returns the URL of a bundle in `dist`. */
function layout(name: string, files: readonly string[]): { root: string; from: string } {
  const root = join(folder, name);
  for (const file of [...files, 'dist/runtime.mjs']) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  return { root, from: pathToFileURL(join(root, 'dist/runtime.mjs')).href };
}

test('the package of the platform, from node_modules above the bundle', () => {
  const name = 'node_modules/@node-llama-cpp/linux-x64-vulkan';
  const { root, from } = layout('packages', [
    `${name}/dist/index.js`,
    `${name}/bins/linux-x64-vulkan/libllama-common.so`,
    `${name}/bins/linux-x64-vulkan/libllama.vulkan.v0.4.0.so`,
    `${name}/bins/linux-x64-vulkan/libggml-base.so`,
    `${name}/bins/linux-x64-vulkan/libggml.vulkan.v0.4.0.so`,
  ]);
  const manifest = {
    name: '@node-llama-cpp/linux-x64-vulkan',
    exports: { '.': './dist/index.js' },
  };
  writeFileSync(join(root, name, 'package.json'), JSON.stringify(manifest));
  const library = findNativeLibrary({ from, platform: 'linux-x64' });
  expect(library.llama.endsWith('libllama.vulkan.v0.4.0.so')).toBe(true);
  expect(library.ggml.endsWith('libggml.vulkan.v0.4.0.so')).toBe(true);
  expect(() => findNativeLibrary({ from, platform: 'linux-arm64' })).toThrow(
    'npm install @node-llama-cpp/linux-arm64',
  );
});

test('a folder beside the bundle, on any platform', () => {
  const { root, from } = layout('beside', ['dist/llama/llama.dll', 'dist/llama/ggml.v0.4.0.dll']);
  const library = findNativeLibrary({ from, platform: 'win32-x64' });
  expect(library.llama).toBe(join(root, 'dist/llama/llama.dll'));
});

test('a given folder is the only place', () => {
  const { root } = layout('given', ['lib/libllama.dylib', 'lib/libggml.dylib']);
  expect(findNativeLibrary({ directory: join(root, 'lib') }).directory).toBe(join(root, 'lib'));
  expect(() => findNativeLibrary({ directory: root })).toThrow('Name a folder');
});

test('an unknown platform says so', () => {
  const { from } = layout('unknown', []);
  expect(() => findNativeLibrary({ from, platform: 'sunos-x64' })).toThrow(
    'no build for this platform',
  );
});
