/** Entry of the language server process: standard input and output. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { NO_TYPES_NOTIFICATION } from './lsp-messages.ts';
import { createTypeEngine } from './lsp-type-engine.ts';
import { GeneratedValues } from './generated-values.ts';
import { createLanguageService, type LanguageService } from './service.ts';
import { startServer } from './server.ts';
import { WorkspaceModules } from './workspace-modules.ts';

const connection = createConnection(ProposedFeatures.all, process.stdin, process.stdout);
const values = new GeneratedValues();
let folders: readonly string[] = [];
const modules: WorkspaceModules = new WorkspaceModules(
  () => folders,
  (uri) => service.text(uri),
);
const service: LanguageService = createLanguageService({ modules, lastValues: values });

/** Beside the bundle when installed, in `node_modules` of a checkout. */
const here = dirname(fileURLToPath(import.meta.url));
const engineEntry = [
  join(here, 'basedpyright', 'langserver.index.js'),
  join(here, '..', 'node_modules', 'basedpyright', 'langserver.index.js'),
  join(here, '..', '..', 'node_modules', 'basedpyright', 'langserver.index.js'),
].find((path) => existsSync(path));
const wantsEngine = !process.argv.includes('--no-type-engine');

startServer({
  connection,
  service,
  values,
  readText: (uri) => modules.read(uri),
  ...(engineEntry !== undefined && wantsEngine
    ? {
        startEngine: (onDiagnostics) =>
          createTypeEngine({
            entry: engineEntry,
            folders,
            onDiagnostics,
            log: (message) => connection.console.info(message),
            onGivenUp: () => void connection.sendNotification(NO_TYPES_NOTIFICATION),
          }),
      }
    : {}),
  onFolders: (uris) => {
    folders = uris.filter((uri) => uri.startsWith('file:')).map((uri) => fileURLToPath(uri));
  },
});
