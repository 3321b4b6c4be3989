/**
 * VS Code in a browser alone, as vscode.dev is: the server's web workbench without the server, whose
 * extension host is a web worker. A small HTTP server gives the page its files: the workbench's own, this
 * checkout's extension, and the workspace, which another web extension reads and writes over HTTP.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Scheme of the workspace: no disk behind it that an extension could see. */
export const WEB_SCHEME = 'webfiles';

export interface WebHostOptions {
  /** Origin of the VS Code server that has the workbench. */
  readonly vscode: string;
  /** Checkout whose extension is loaded. */
  readonly extension: string;
  readonly workspace: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

/** The workspace of the page: whole files over HTTP. */
const FILES_EXTENSION: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'webfiles',
    publisher: 'test',
    version: '0.0.1',
    engines: { vscode: '^1.104.0' },
    browser: './main.js',
    activationEvents: [`onFileSystem:${WEB_SCHEME}`],
    capabilities: { virtualWorkspaces: true, untrustedWorkspaces: { supported: true } },
  }),
  'main.js': `
const { EventEmitter, FileSystemError, workspace } = require('vscode');
exports.activate = ({ extensionUri }) => {
  const address = (uri) => extensionUri.with({ path: '/files' + uri.path }).toString(true);
  const ask = async (uri, query) => {
    const answer = await fetch(address(uri) + '?' + query);
    if (!answer.ok) throw FileSystemError.FileNotFound(uri);
    return answer;
  };
  const refuse = (uri) => { throw FileSystemError.NoPermissions(uri); };
  workspace.registerFileSystemProvider('${WEB_SCHEME}', {
    onDidChangeFile: new EventEmitter().event,
    watch: () => ({ dispose() {} }),
    stat: async (uri) => (await ask(uri, 'stat')).json(),
    readDirectory: async (uri) => (await ask(uri, 'list')).json(),
    readFile: async (uri) => new Uint8Array(await (await ask(uri, 'read')).arrayBuffer()),
    writeFile: async (uri, body) => { await fetch(address(uri), { method: 'PUT', body }); },
    createDirectory: refuse, delete: refuse, rename: refuse,
  });
};
`,
};

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer | string;
  readonly policy?: string;
}

const NOT_FOUND: Reply = { status: 404, type: 'text/plain', body: 'not found' };

export async function startWebHost(options: WebHostOptions): Promise<Server> {
  const server = createServer((request, response) => void serve(request, response, options));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: WebHostOptions,
): Promise<void> {
  try {
    const { status, type, body, policy } = await reply(request, options);
    response.writeHead(status, {
      'Content-Type': type,
      ...(policy === undefined ? {} : { 'Content-Security-Policy': policy }),
    });
    response.end(body);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}

async function reply(request: IncomingMessage, options: WebHostOptions): Promise<Reply> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  const [, first = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  if (first === 'extension') return file(join(options.extension, ...rest));
  if (first === 'webfiles') return text200(FILES_EXTENSION[rest.join('/')], rest.join('/'));
  if (first === 'files') return workspaceFile(request, url, join(options.workspace, ...rest));
  const answer = await fetch(new URL(url.pathname + url.search, options.vscode));
  const body = Buffer.from(await answer.arrayBuffer());
  const type = answer.headers.get('content-type') ?? 'application/octet-stream';
  if (url.pathname === '/') {
    const policy = answer.headers.get('content-security-policy') ?? '';
    const host = request.headers.host ?? '';
    return { status: 200, type, body: page(body.toString(), host, options), policy };
  }
  const isWorkbench = url.pathname.endsWith('/workbench/workbench.js');
  return { status: answer.status, type, body: isWorkbench ? localOnly(body.toString()) : body };
}

/** code-server's workbench takes the page's own host for a remote one, and keeps settings there: VS Code's does not. */
const PATCHES: readonly (readonly [RegExp, string])[] = [
  [/remoteAuthority:location\.host/, 'remoteAuthority:undefined'],
  [/(\.file\(this\.userDataPath\)\.with\(\{scheme:\w+\.)vscodeRemote/, '$1vscodeUserData'],
];

function localOnly(workbench: string): string {
  return PATCHES.reduce((source, [pattern, replacement]) => {
    if (!pattern.test(source)) throw new Error(`the workbench has no ${String(pattern)}`);
    return source.replace(pattern, replacement);
  }, workbench);
}

/** The page's configuration without a server, with two extensions under development. */
function page(html: string, host: string, { settings }: WebHostOptions): string {
  const pattern = /(id="vscode-workbench-web-configuration" data-settings=")([^"]*)"/;
  const [, , escaped] = pattern.exec(html) ?? [];
  if (escaped === undefined) throw new Error('the workbench’s page has no configuration');
  const known: Record<string, unknown> = JSON.parse(escaped.replaceAll('&quot;', '"'));
  const extension = (path: string) => ({ scheme: 'http', authority: host, path });
  const configuration = JSON.stringify({
    ...known,
    remoteAuthority: undefined,
    userDataPath: '/',
    folderUri: { scheme: WEB_SCHEME, path: '/' },
    configurationDefaults: settings,
    developmentOptions: {
      ...Object(known['developmentOptions']),
      extensions: [extension('/extension'), extension('/webfiles')],
    },
  });
  return html.replace(pattern, (_, start) => `${start}${configuration.replaceAll('"', '&quot;')}"`);
}

async function workspaceFile(request: IncomingMessage, url: URL, path: string): Promise<Reply> {
  if (request.method === 'PUT') {
    writeFileSync(path, await text(request));
    return { status: 200, type: 'text/plain', body: '' };
  }
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) return NOT_FOUND;
  const kind = (folder: boolean) => (folder ? 2 : 1);
  if (url.search === '?read') return file(path);
  const answer =
    url.search === '?list'
      ? readdirSync(path, { withFileTypes: true }).map((entry) => [
          entry.name,
          kind(entry.isDirectory()),
        ])
      : {
          type: kind(status.isDirectory()),
          ctime: status.ctimeMs,
          mtime: status.mtimeMs,
          size: status.size,
        };
  return { status: 200, type: 'application/json', body: JSON.stringify(answer) };
}

function file(path: string): Reply {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  return isFile ? { status: 200, type: typeOf(path), body: readFileSync(path) } : NOT_FOUND;
}

function text200(body: string | undefined, name: string): Reply {
  return body === undefined ? NOT_FOUND : { status: 200, type: typeOf(name), body };
}

function typeOf(path: string): string {
  return TYPES[extname(path)] ?? 'application/octet-stream';
}
