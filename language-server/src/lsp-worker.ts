/** Entry of the language server in a web worker: everything but files of the workspace. */
import {
  BrowserMessageReader,
  BrowserMessageWriter,
  createConnection,
} from 'vscode-languageserver/browser';
import { GeneratedValues } from './generated-values.ts';
import { createLanguageService } from './service.ts';
import { startServer } from './server.ts';

// SAFETY: this module is only ever loaded as a dedicated worker, whose global object is its port.
const port = globalThis as unknown as ConstructorParameters<typeof BrowserMessageReader>[0];
const values = new GeneratedValues();

startServer({
  connection: createConnection(new BrowserMessageReader(port), new BrowserMessageWriter(port)),
  service: createLanguageService({ lastValues: values }),
  values,
  onFolders: () => {},
});
