/** Entry of the language server process: standard input and output. */
import { fileURLToPath } from 'node:url';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { GeneratedValues } from './generated-values.ts';
import { createLanguageService } from './service.ts';
import { startServer } from './server.ts';
import { WorkspaceModules } from './workspace-modules.ts';

const connection = createConnection(ProposedFeatures.all, process.stdin, process.stdout);
const values = new GeneratedValues();
let folders: readonly string[] = [];
const modules = new WorkspaceModules(
  () => folders,
  () => undefined,
);
const service = createLanguageService({ modules, lastValues: values });

startServer({
  connection,
  service,
  values,
  onFolders: (uris) => {
    folders = uris.filter((uri) => uri.startsWith('file:')).map((uri) => fileURLToPath(uri));
  },
});
