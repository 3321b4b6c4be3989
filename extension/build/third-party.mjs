// Licences of software in the VSIX that comes without a package of its own: what others have bundled or
// linked into theirs. Texts are in `licences/`; where a package has its own file, that one is used.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const licences = join(dirname(fileURLToPath(import.meta.url)), 'licences');

/**
 * What basedpyright's bundle contains, by npm name; its source map is compared with this list, so that
 * a new version cannot bring in something unnamed.
 */
const inBasedpyright = {
  '@core-js/pure': ['MIT', 'Copyright (c) 2013-2026 Denis Pushkarev and CoreJS Company'],
  '@yarnpkg/fslib': ['BSD-2-Clause', 'Copyright (c) 2016-present, Yarn Contributors'],
  '@yarnpkg/libzip': ['BSD-2-Clause', 'Copyright (c) 2016-present, Yarn Contributors'],
  'buffer-from': ['MIT', 'Copyright (c) 2016, 2018 Linus Unnebäck'],
  'ci-info': ['MIT', 'Copyright (c) 2016 Thomas Watson Steen'],
  'is-ci': ['MIT', 'Copyright (c) 2016-2021 Thomas Watson Steen'],
  'jsonc-parser': ['MIT', 'Copyright (c) Microsoft'],
  lodash: [
    'MIT',
    'Copyright OpenJS Foundation and other contributors. Based on Underscore.js, copyright Jeremy Ashkenas, DocumentCloud and Investigative Reporters & Editors',
  ],
  'smol-toml': ['BSD-3-Clause', 'Copyright (c) Squirrel Chat et al., All rights reserved.'],
  'source-map': ['BSD-3-Clause', 'Copyright (c) 2009-2011, Mozilla Foundation and contributors'],
  'source-map-support': ['MIT', 'Copyright (c) 2014 Evan Wallace'],
  tmp: ['MIT', 'Copyright (c) 2014 KARASZI István'],
  tslib: ['0BSD', 'Copyright (c) Microsoft Corporation.'],
  'vscode-jsonrpc': ['MIT', 'Copyright (c) Microsoft Corporation'],
  'vscode-languageserver': ['MIT', 'Copyright (c) Microsoft Corporation'],
  'vscode-languageserver-protocol': ['MIT', 'Copyright (c) Microsoft Corporation'],
  'vscode-languageserver-textdocument': ['MIT', 'Copyright (c) Microsoft Corporation'],
  'vscode-languageserver-types': ['MIT', 'Copyright (c) Microsoft Corporation'],
  'vscode-uri': ['MIT', 'Copyright (c) Microsoft'],
};

/** Linked into Pyodide's WebAssembly, and undici's parser. */
const linked = {
  'CPython and its standard library (in Pyodide)': [
    'PSF-2.0',
    'Copyright (c) 2001-2026 Python Software Foundation; All Rights Reserved. Built and patched by Pyodide, https://github.com/pyodide/pyodide',
  ],
  'libffi (in Pyodide)': ['MIT', 'Copyright (c) 1996-2024 Anthony Green, Red Hat, Inc and others'],
  'Expat (in Pyodide)': [
    'MIT',
    'Copyright (c) 1998-2000 Thai Open Source Software Center Ltd and Clark Cooper; Copyright (c) 2001-2025 Expat maintainers',
  ],
  'mpdecimal (in Pyodide)': ['BSD-2-Clause', 'Copyright (c) 2008-2024 Stefan Krah'],
  'bzip2 (in Pyodide)': ['bzip2-1.0.6', 'Copyright (C) 1996-2019 Julian R Seward'],
  'zlib (in Pyodide)': ['Zlib', 'Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler'],
  'musl (in Pyodide)': ['MIT', 'Copyright (c) 2005-2020 Rich Felker, et al.'],
  'Emscripten (in Pyodide)': ['MIT', 'Copyright (c) 2010-2014 Emscripten authors'],
  'llhttp (in undici)': ['MIT', 'Copyright Fedor Indutny, 2018'],
};

const engine = {
  'llama.cpp and ggml': [
    'MIT',
    'Copyright (c) 2023-2026 The ggml authors, https://github.com/ggml-org/llama.cpp',
  ],
  'libwebp (in @jsquash/webp)': [
    'BSD-3-Clause',
    'Copyright (c) 2010, Google Inc. All rights reserved.',
  ],
};

/** For packages whose npm archive has no licence file. */
export const withoutFile = {
  pyodide:
    'Mozilla Public License 2.0, https://www.mozilla.org/MPL/2.0/; the source of this version is at https://github.com/pyodide/pyodide',
};

export function licenceText(id) {
  return readFileSync(join(licences, `${id}.txt`), 'utf8').trim();
}

function sections(table, suffix = '') {
  return Object.entries(table).map(
    ([name, [id, copyright]]) =>
      `## ${name}${suffix}\n\n${id}\n\n\`\`\`text\n${copyright}\n\n${licenceText(id)}\n\`\`\``,
  );
}

/**
 * Notices of parts without a package. `sourceMap` is the text of basedpyright's.
 * @throws when it names a package that is not listed here.
 */
export function partNotices(sourceMap, hasEngine) {
  const unlisted = packagesIn(sourceMap).filter((name) => !(name in inBasedpyright));
  if (unlisted.length > 0) {
    throw new Error(
      `basedpyright contains ${unlisted.join(', ')}: name their licences in extension/build/third-party.mjs`,
    );
  }
  return [
    ...sections(inBasedpyright, ' (in basedpyright)'),
    ...sections(linked),
    ...(hasEngine ? sections(engine) : []),
  ];
}

/** Names of the npm packages that a source map says went into a bundle. */
export function packagesIn(sourceMap) {
  const names = JSON.parse(sourceMap).sources.flatMap((source) => {
    const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source) ?? [];
    return name === undefined ? [] : [name];
  });
  return [...new Set(names)];
}
