/** LSP ⇄ language service. The only file that listens to the protocol. */
import {
  ErrorCodes,
  NotebookDocuments,
  ResponseError,
  TextDocuments,
  TextDocumentSyncKind,
  MarkupKind,
  type CallHierarchyItem,
  type Connection,
  type Diagnostic,
  type InitializeResult,
  type Location as LspLocation,
  type TextEdit as LspTextEdit,
  type NotebookDocument,
  type Position,
  SymbolKind,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { HierarchyCall, HierarchyItem } from './features/call-hierarchy.ts';
import type { Location } from './features/lookup.ts';
import { RenameError } from './features/navigation.ts';
import { tokenTypes } from './features/semantic-tokens.ts';
import { programSource } from './features/program-source.ts';
import type { GeneratedValues } from './generated-values.ts';
import {
  encodeTokens,
  toCodeAction,
  toCompletionItem,
  toDiagnostic,
  toRange,
  toSignatureHelp,
  toSymbol,
} from './lsp-convert.ts';
import {
  PROGRAMS_REQUEST,
  VALUES_NOTIFICATION,
  type ProgramsParams,
  type ProgramsResult,
  type ValuesParams,
} from './lsp-messages.ts';
import {
  cleanCompletions,
  cleanHover,
  cleanLocations,
  cleanRename,
  cleanSignatureHelp,
  rangeAt,
  mergeDiagnostics,
} from './lsp-type-answers.ts';
import type { CellRequest, TypeEngine, TypeEngineOptions } from './lsp-type-engine.ts';
import type { LanguageService } from './service.ts';
import { parseSettings } from './settings.ts';
import { literalTypes, stateTypes } from './type-engine/hidden-cell.ts';
import { splitUnitUri } from './unit-uri.ts';
import { virtualCell } from './type-engine/virtual-cell.ts';

export const NOTEBOOK_TYPE = 'sglang-notebook';
/** Jupyter's cells have a Python extension of their own; we add what concerns SGLang. */
const JUPYTER_TYPE = 'jupyter-notebook';
export const CELL_LANGUAGE = 'sglang-python';

const capabilities: InitializeResult['capabilities'] = {
  textDocumentSync: TextDocumentSyncKind.Incremental,
  notebookDocumentSync: {
    notebookSelector: [
      { notebook: NOTEBOOK_TYPE, cells: [{ language: CELL_LANGUAGE }, { language: 'python' }] },
      { notebook: JUPYTER_TYPE, cells: [{ language: 'python' }] },
    ],
  },
  completionProvider: { triggerCharacters: ['"', "'", '(', ',', '[', '.'] },
  hoverProvider: true,
  definitionProvider: true,
  referencesProvider: true,
  renameProvider: { prepareProvider: true },
  signatureHelpProvider: { triggerCharacters: ['(', ','] },
  documentSymbolProvider: true,
  workspaceSymbolProvider: true,
  foldingRangeProvider: true,
  inlayHintProvider: true,
  codeActionProvider: true,
  callHierarchyProvider: true,
  semanticTokensProvider: {
    legend: { tokenTypes: [...tokenTypes], tokenModifiers: [] },
    full: true,
  },
};

/** A `.py` file is ours only if it has to do with SGLang. */
const mentionsSglang = /\bsglang\b/;

export interface ServerParts {
  readonly connection: Connection;
  readonly service: LanguageService;
  readonly values: GeneratedValues;
  /** Text of a file that is not open; absent where there are no files. */
  readonly readText?: (uri: string) => string | null;
  /** Tells the module finder which folders are open. */
  readonly onFolders: (uris: readonly string[]) => void;
  /** Starts the type engine for plain Python in cells; absent where there is none. */
  readonly startEngine?: (onDiagnostics: TypeEngineOptions['onDiagnostics']) => TypeEngine;
}

export function startServer({
  connection,
  service,
  values,
  readText = () => null,
  onFolders,
  startEngine,
}: ServerParts): void {
  const texts = new TextDocuments(TextDocument);
  const notebooks = new NotebookDocuments(texts);
  const scheduled = new Set<string>();
  const engineDiagnostics = new Map<string, readonly Diagnostic[]>();
  let engine: TypeEngine | null = null;
  let isEnding = false;
  let canConfigure = false;

  /* -------------------------------------------------------------- documents */

  const cellsOf = (notebook: NotebookDocument) =>
    notebook.cells.flatMap((cell) => {
      const document = notebooks.getCellTextDocument(cell);
      return document && [CELL_LANGUAGE, 'python'].includes(document.languageId)
        ? [{ uri: document.uri, text: document.getText() }]
        : [];
    });
  /** Cells whose Python is ours to explain, too. */
  const isManaged = (uri: string) =>
    notebooks.findNotebookDocumentForCell(uri)?.notebookType === NOTEBOOK_TYPE;
  const documentOf = (uri: string) => texts.get(uri) ?? notebooks.cellTextDocuments.get(uri);
  const offsetAt = (uri: string, position: Position) => documentOf(uri)?.offsetAt(position) ?? 0;

  /** Many changes of one keystroke lead to one round of diagnostics. */
  const publishSoon = (uris: readonly string[]) => {
    const isFirst = scheduled.size === 0;
    for (const uri of uris) scheduled.add(uri);
    if (isFirst && scheduled.size > 0) setTimeout(publish, 5);
  };
  const publish = () => {
    const uris = [...scheduled];
    scheduled.clear();
    for (const uri of uris) {
      const document = documentOf(uri);
      if (!document) continue;
      const isForeign = notebooks.getNotebookCell(uri) !== undefined && !isManaged(uri);
      const own = service
        .diagnostics(uri)
        .filter(({ code }) => !(isForeign && code === 'syntax-error'))
        .map((entry) => toDiagnostic(document, entry));
      const diagnostics = mergeDiagnostics(own, engineDiagnostics.get(uri) ?? []);
      void connection.sendDiagnostics({ uri, version: document.version, diagnostics });
    }
    syncEngine(uris);
  };
  /** Once our own diagnostics are out, and only for who has a notebook: it takes a second and 200 MiB. */
  const wantEngine = () => {
    if (isEnding) return null;
    engine ??=
      startEngine?.((uri, diagnostics) => {
        engineDiagnostics.set(uri, diagnostics);
        publishSoon([uri]);
      }) ?? null;
    return engine;
  };
  /** The engine gets the same cells, each followed by the types of its programs. */
  const syncEngine = (uris: readonly string[]) => {
    const changed = new Set(uris.map((uri) => notebooks.findNotebookDocumentForCell(uri)));
    for (const notebook of changed) {
      if (notebook?.notebookType !== NOTEBOOK_TYPE) continue;
      const analysis = service.analysis(service.unitsOf(notebook.uri)[0] ?? '');
      if (!analysis) continue;
      wantEngine()?.setNotebook(notebook.uri, {
        types: stateTypes(analysis),
        cells: analysis.units.map(({ uri }) => ({
          uri,
          ...virtualCell(analysis, uri),
          hidden: literalTypes(analysis, uri),
        })),
      });
    }
  };
  /** Asks the engine about a cell; `.py` files belong to the user's own Python extension. */
  const askEngine = async (method: string, params: CellRequest): Promise<unknown> =>
    engine && isManaged(params.textDocument.uri) ? engine.request(method, params) : null;
  const clear = (uri: string) => void connection.sendDiagnostics({ uri, diagnostics: [] });

  const refreshNotebook = (notebook: NotebookDocument) => {
    const cells = cellsOf(notebook);
    const isOurs =
      notebook.notebookType === NOTEBOOK_TYPE ||
      cells.some(({ text }) => mentionsSglang.test(text));
    if (isOurs) service.setNotebook(notebook.uri, cells);
    else forget(notebook.uri);
    publishSoon(service.unitsOf(notebook.uri));
  };
  const forget = (uri: string) => {
    for (const unit of service.unitsOf(uri)) clear(unit);
    service.close(uri);
  };
  notebooks.onDidOpen(refreshNotebook);
  notebooks.onDidChange(({ notebookDocument, cells }) => {
    for (const cell of cells?.removed ?? []) clear(cell.document);
    refreshNotebook(notebookDocument);
  });
  notebooks.onDidClose((notebook) => {
    forget(notebook.uri);
    values.close(notebook.uri);
    engine?.closeNotebook(notebook.uri);
  });

  const refreshFile = (document: TextDocument) => {
    if (mentionsSglang.test(document.getText())) {
      service.setFile(document.uri, document.getText());
      publishSoon([document.uri]);
    } else if (service.unitsOf(document.uri).length > 0) {
      service.close(document.uri);
      clear(document.uri);
    }
  };
  texts.onDidChangeContent(({ document }) => refreshFile(document));
  texts.onDidClose(({ document }) => {
    service.close(document.uri);
    clear(document.uri);
  });

  /* -------------------------------------------------------------- lifetime and settings */

  connection.onInitialize((params) => {
    canConfigure = params.capabilities.workspace?.configuration === true;
    onFolders((params.workspaceFolders ?? []).map((folder) => folder.uri));
    return { capabilities, serverInfo: { name: 'sglang-language-server' } };
  });
  const configure = async () => {
    if (!canConfigure) return;
    const { workspace } = connection;
    const [severity, backend, serverVersion]: readonly unknown[] = await Promise.all([
      workspace.getConfiguration('sglang.diagnostics.severity'),
      workspace.getConfiguration('sglang.diagnostics.backend'),
      workspace.getConfiguration('sglang.diagnostics.serverVersion'),
    ]);
    service.configure(parseSettings({ severity, backend, serverVersion }));
    publishSoon(
      [...texts.all(), ...notebooks.cellTextDocuments.all()].map((document) => document.uri),
    );
  };
  connection.onInitialized(() => {
    void configure();
  });
  const end = () => {
    isEnding = true;
    engine?.stop();
  };
  connection.onShutdown(end);
  connection.onExit(end);
  connection.onDidChangeConfiguration(() => void configure());

  /* -------------------------------------------------------------- features */

  /** A place in an open cell or file, or in a closed file. */
  const locate = ({ uri, start, end }: Location): LspLocation[] => {
    const open = documentOf(uri);
    if (open) return [{ uri, range: toRange(open, { start, end }) }];
    const unit = splitUnitUri(uri);
    const text = readText(unit.uri);
    if (text === null) return [];
    const document = TextDocument.create(unit.uri, 'python', 0, text);
    const span = { start: start + unit.offset, end: end + unit.offset };
    return [{ uri: unit.uri, range: toRange(document, span) }];
  };

  connection.onCompletion(async (params) => {
    const { uri } = params.textDocument;
    const document = documentOf(uri);
    if (!document) return [];
    const own = service.completions(uri, document.offsetAt(params.position));
    const items = own.map((item) => toCompletionItem(document, item));
    // Inside a string ours are all there is; parameters stand beside what Python offers.
    if (own.some((item) => item.kind !== 'parameter')) return items;
    return [...items, ...cleanCompletions(await askEngine('textDocument/completion', params))];
  });
  connection.onHover(async (params) => {
    const { uri } = params.textDocument;
    const document = documentOf(uri);
    const found = document && service.hover(uri, document.offsetAt(params.position));
    if (!found) return cleanHover(await askEngine('textDocument/hover', params));
    return {
      range: toRange(document, found),
      contents: { kind: MarkupKind.Markdown, value: found.markdown },
    };
  });
  connection.onDefinition(async (params) => {
    const { uri } = params.textDocument;
    const offset = offsetAt(uri, params.position);
    const own = service.definitions(uri, offset).flatMap(locate);
    if (own.length > 0) return own;
    return cleanLocations(await askEngine('textDocument/definition', params), (cellUri) => {
      const found = service.assignmentIn(cellUri, uri, offset);
      return found ? locate(found) : [];
    });
  });
  connection.onReferences(async (params) => {
    const { uri } = params.textDocument;
    const offset = offsetAt(uri, params.position);
    const own = service.references(uri, offset, params.context.includeDeclaration).flatMap(locate);
    if (own.length > 0) return own;
    return cleanLocations(await askEngine('textDocument/references', params), () => []);
  });
  connection.onPrepareRename(async (params) => {
    const { uri } = params.textDocument;
    const document = documentOf(uri);
    if (!document) return null;
    const target = service.prepareRename(uri, document.offsetAt(params.position));
    if (target) return { range: toRange(document, target), placeholder: target.placeholder };
    const trial = { ...params, newName: 'renamed' };
    const edit = cleanRename(await askEngine('textDocument/rename', trial));
    const range = rangeAt(edit?.[uri] ?? [], params.position);
    return range ? { range, placeholder: document.getText(range) } : null;
  });
  connection.onRenameRequest(async (params) => {
    const { uri } = params.textDocument;
    try {
      const changes: Record<string, LspTextEdit[]> = {};
      for (const edit of service.rename(uri, offsetAt(uri, params.position), params.newName)) {
        for (const { range, uri: target } of locate(edit))
          (changes[target] ??= []).push({ range, newText: edit.text });
      }
      if (Object.keys(changes).length > 0) return { changes };
      const edits = cleanRename(await askEngine('textDocument/rename', params));
      return edits ? { changes: edits } : null;
    } catch (error) {
      if (error instanceof RenameError)
        return new ResponseError(ErrorCodes.InvalidParams, error.message);
      throw error;
    }
  });
  connection.onSignatureHelp(async (params) => {
    const { uri } = params.textDocument;
    const found = service.signatureHelp(uri, offsetAt(uri, params.position));
    if (found) return toSignatureHelp(found);
    return cleanSignatureHelp(await askEngine('textDocument/signatureHelp', params));
  });
  connection.onDocumentSymbol(({ textDocument: { uri } }) => {
    const document = documentOf(uri);
    return document ? service.documentSymbols(uri).map((symbol) => toSymbol(document, symbol)) : [];
  });
  connection.onWorkspaceSymbol(({ query }) =>
    service.workspaceSymbols(query).flatMap((symbol) =>
      locate(symbol).map((location) => ({
        name: symbol.name,
        kind: symbol.kind === 'program' ? SymbolKind.Class : SymbolKind.Field,
        location,
        containerName: symbol.container,
      })),
    ),
  );
  connection.onFoldingRanges(({ textDocument: { uri } }) => {
    const document = documentOf(uri);
    if (!document) return [];
    return service.foldingRanges(uri).map((range) => ({
      startLine: document.positionAt(range.start).line,
      endLine: document.positionAt(range.end).line,
    }));
  });
  connection.languages.inlayHint.on(({ textDocument: { uri }, range }) => {
    const document = documentOf(uri);
    if (!document) return [];
    return service
      .inlayHints(uri, document.offsetAt(range.start), document.offsetAt(range.end))
      .map((hint) => ({
        position: document.positionAt(hint.offset),
        label: hint.label,
        kind: 1 as const,
      }));
  });
  connection.languages.semanticTokens.on(({ textDocument: { uri } }) => {
    const document = documentOf(uri);
    return { data: document ? encodeTokens(document, service.semanticTokens(uri)) : [] };
  });
  connection.onCodeAction(({ textDocument: { uri }, range }) => {
    const document = documentOf(uri);
    if (!document) return [];
    return service
      .codeActions(uri, document.offsetAt(range.start), document.offsetAt(range.end))
      .map((action) => toCodeAction(document, action));
  });

  /* -------------------------------------------------------------- call hierarchy */

  const toItem = (item: HierarchyItem): CallHierarchyItem[] =>
    locate(item).flatMap(({ uri, range }) =>
      locate({ uri: item.uri, ...item.selection }).map((selection) => ({
        name: item.name,
        kind: SymbolKind.Function,
        uri,
        range,
        selectionRange: selection.range,
        data: item,
      })),
    );
  const toRanges = (call: HierarchyCall) =>
    call.places.flatMap((place) => locate(place).map(({ range }) => range));
  // SAFETY: clients hand back the `data` of the items that `toItem` gave them, unchanged.
  const fromItem = (item: CallHierarchyItem): HierarchyItem => item.data as HierarchyItem;
  connection.languages.callHierarchy.onPrepare(({ textDocument: { uri }, position }) => {
    const item = service.prepareCallHierarchy(uri, offsetAt(uri, position));
    return item ? toItem(item) : null;
  });
  connection.languages.callHierarchy.onIncomingCalls(({ item }) =>
    service
      .incomingCalls(fromItem(item))
      .flatMap((call) => toItem(call.item).map((from) => ({ from, fromRanges: toRanges(call) }))),
  );
  connection.languages.callHierarchy.onOutgoingCalls(({ item }) =>
    service
      .outgoingCalls(fromItem(item))
      .flatMap((call) => toItem(call.item).map((to) => ({ to, fromRanges: toRanges(call) }))),
  );

  /* -------------------------------------------------------------- own messages */

  connection.onRequest(PROGRAMS_REQUEST, ({ uri }: ProgramsParams): ProgramsResult => {
    const document = documentOf(uri);
    if (!document) return { programs: [] };
    return {
      programs: service.codeLenses(uri).map(({ name, parameters, runnable, start, end }) => ({
        name,
        parameters,
        runnable,
        range: toRange(document, { start, end }),
      })),
    };
  });
  connection.onNotification(VALUES_NOTIFICATION, ({ notebook, values: added }: ValuesParams) => {
    const analysis = service.analysis(service.unitsOf(notebook)[0] ?? '');
    for (const { program, name, ...value } of added) {
      const source = program && analysis ? programSource(analysis, program) : null;
      values.add(notebook, program, name, value, source);
    }
  });

  texts.listen(connection);
  notebooks.listen(connection);
  connection.listen();
}
