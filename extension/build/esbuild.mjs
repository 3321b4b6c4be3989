// Builds every process of the project into dist/: its bundles, plus the files that are shipped as they
// are. `--watch` rebuilds on change, `--production` minifies and lists the packages
// that went into the bundles, `--out FOLDER` builds elsewhere than into dist/.
import { build, context } from 'esbuild';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundles } from './bundles.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const production = process.argv.includes('--production');
const watch = process.argv.includes('--watch');
const outIndex = process.argv.indexOf('--out');
const dist = outIndex === -1 ? join(root, 'dist') : resolve(process.argv[outIndex + 1] ?? 'dist');

const pyodideFiles = [
  'pyodide.mjs',
  'pyodide.asm.mjs',
  'pyodide.asm.wasm',
  'python_stdlib.zip',
  'pyodide-lock.json',
];

const copies = [
  { from: 'extension/kernel/guest/python', to: 'python' },
  { from: 'runtime/starter-model/starter.gguf', to: 'starter.gguf' },
  { from: 'runtime/starter-model/starter-mmproj.gguf', to: 'starter-mmproj.gguf' },
  { from: 'node_modules/@jsquash/webp/codec/dec/webp_dec.wasm', to: 'webp_dec.wasm' },
  ...pyodideFiles.map((file) => ({ from: `node_modules/pyodide/${file}`, to: `pyodide/${file}` })),
];

function esbuildOptions({ entry, out, options }) {
  return {
    entryPoints: [join(root, entry)],
    outfile: join(dist, out),
    bundle: true,
    minify: production,
    sourcemap: production ? false : 'linked',
    logLevel: 'warning',
    legalComments: 'none',
    metafile: production,
    ...options,
  };
}

/** Names of the npm packages that esbuild took files from. */
function packagesIn(results) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const names = inputs.flatMap((input) => {
    const match = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    return match ? [match[1]] : [];
  });
  return [...new Set(names)].toSorted((left, right) => (left < right ? -1 : 1));
}

async function copyAsset({ from, to }) {
  const target = join(dist, to);
  await mkdir(dirname(target), { recursive: true });
  await cp(join(root, from), target, {
    recursive: true,
    filter: (source) => !source.includes('__pycache__'),
  });
}

const started = performance.now();
if (production) await rm(dist, { recursive: true, force: true });
for (const missing of [...bundles.map((row) => row.entry), ...copies.map((row) => row.from)]) {
  if (!existsSync(join(root, missing))) {
    console.error(`build: ${missing} is missing; the checkout is incomplete`);
    process.exitCode = 1;
  }
}
if (process.exitCode !== 1) {
  const [results] = await Promise.all([
    Promise.all(
      bundles.map(async (row) => {
        if (!watch) return build(esbuildOptions(row));
        const watching = await context(esbuildOptions(row));
        return watching.watch();
      }),
    ),
    ...copies.map(copyAsset),
  ]);
  if (production) {
    await writeFile(join(dist, 'bundled-packages.json'), JSON.stringify(packagesIn(results)));
  }
  console.log(`built dist/ in ${Math.round(performance.now() - started)} ms`);
}
