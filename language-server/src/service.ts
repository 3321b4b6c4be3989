/**
 * The language service: texts in, plain data out, offsets in UTF-16 units of the cell or file.
 * Knows nothing of the language server protocol, of files or of processes.
 */
import { Documents, type CellText, type SourceModule } from './documents/documents.ts';
import {
  outgoingCalls,
  prepareCallHierarchy,
  type HierarchyCall,
  type HierarchyItem,
} from './features/call-hierarchy.ts';
import { codeActions, type CodeAction } from './features/code-actions.ts';
import { programLenses, type ProgramLens } from './features/code-lens.ts';
import { completions, type CompletionItem } from './features/completion.ts';
import { diagnose, type Diagnostic } from './features/diagnostics.ts';
import { foldingRanges, type FoldingRange } from './features/folding.ts';
import { hover, type Hover, type LastValue, type LastValues } from './features/hover.ts';
import { inlayHints, type InlayHint } from './features/inlay-hints.ts';
import type { Location } from './features/lookup.ts';
import {
  assignmentIn,
  definitions,
  prepareRename,
  rename,
  type RenameEdit,
  type RenameTarget,
} from './features/navigation.ts';
import {
  projectIncomingCalls,
  projectReferences,
  workspaceSymbols,
  type Project,
  type WorkspaceSymbol,
} from './features/project-navigation.ts';
import { programSource } from './features/program-source.ts';
import type { SeverityOverrides } from './features/rules.ts';
import { semanticTokens, type SemanticToken } from './features/semantic-tokens.ts';
import { signatureHelp, type SignatureHelp } from './features/signatures.ts';
import { documentSymbols, type DocumentSymbol } from './features/symbols.ts';
import { AnalysisMemory } from './semantics/analysis-memory.ts';
import { analyzeModule, type BackendChoice, type ModuleAnalysis } from './semantics/analysis.ts';
import type { Value } from './semantics/value.ts';

export interface Settings {
  readonly severities: SeverityOverrides;
  /** Report Python's syntax errors of notebook cells. In `.py` files other extensions do. */
  readonly syntaxErrors: boolean;
  /** What the code does not say about the backend. */
  readonly backend?: BackendChoice;
}

/** A file of the workspace that may not be open. Uris of a file's cells differ from those in an editor. */
export interface ProjectFile {
  readonly uri: string;
  readonly units: readonly CellText[];
}

/** Finds the text of imported modules, and all files of the workspace. Absent in browsers. */
export interface ModuleHost {
  /** Python files and notebooks below the workspace's folders. */
  files(): readonly ProjectFile[];
  /** What was read of them is not to be trusted for a while: an answer changes them. */
  filesWillChange(): void;
  /** `path` is dotted, `level` counts leading dots, `from` is the importing cell or file. */
  resolve(
    path: string,
    level: number,
    from: string,
  ): { readonly uri: string; readonly text: string } | null;
}

/** What kernels generated for the variables of a notebook; `source`: the program's code as it is now. */
export interface GeneratedValueSource {
  lastValues(
    notebook: string,
    program: string | null,
    name: string,
    source: string | null,
  ): readonly LastValue[];
}

export interface ServiceOptions {
  readonly settings?: Partial<Settings>;
  readonly modules?: ModuleHost;
  readonly lastValues?: GeneratedValueSource;
}

export interface LanguageService {
  configure(settings: Partial<Settings>): void;
  setFile(uri: string, text: string): void;
  setNotebook(uri: string, cells: readonly CellText[]): void;
  setCell(uri: string, text: string): boolean;
  /** A notebook or file. */
  close(uri: string): void;
  /** Uris of all cells (or the file) that a cell or file is analysed with. */
  unitsOf(uri: string): readonly string[];
  /** Problems of one cell or file. */
  diagnostics(uri: string): readonly Diagnostic[];
  completions(uri: string, offset: number): readonly CompletionItem[];
  hover(uri: string, offset: number): Hover | null;
  inlayHints(uri: string, start: number, end: number): readonly InlayHint[];
  definitions(uri: string, offset: number): readonly Location[];
  /** Where `cellUri` assigns the name at the offset of `uri`. */
  assignmentIn(cellUri: string, uri: string, offset: number): Location | null;
  references(uri: string, offset: number, includeDeclaration: boolean): readonly Location[];
  prepareRename(uri: string, offset: number): RenameTarget | null;
  /** Throws `RenameError` for names that cannot be used. */
  rename(uri: string, offset: number, newName: string): readonly RenameEdit[];
  signatureHelp(uri: string, offset: number): SignatureHelp | null;
  documentSymbols(uri: string): readonly DocumentSymbol[];
  foldingRanges(uri: string): readonly FoldingRange[];
  semanticTokens(uri: string): readonly SemanticToken[];
  codeLenses(uri: string): readonly ProgramLens[];
  codeActions(uri: string, start: number, end: number): readonly CodeAction[];
  prepareCallHierarchy(uri: string, offset: number): HierarchyItem | null;
  workspaceSymbols(query: string): readonly WorkspaceSymbol[];
  /** Text of an open cell or file. */
  text(uri: string): string | undefined;
  incomingCalls(item: HierarchyItem): readonly HierarchyCall[];
  outgoingCalls(item: HierarchyItem): readonly HierarchyCall[];
  /** The analysis behind all of it, for the type engine and the command line. */
  analysis(uri: string): ModuleAnalysis | null;
}

const defaults: Settings = { severities: {}, syntaxErrors: true };

export function createLanguageService(options: ServiceOptions = {}): LanguageService {
  const documents = new Documents();
  const analyses = new AnalysisCache(documents, options.modules ?? null);
  let settings: Settings = { ...defaults, ...options.settings };
  analyses.settings = settings;

  const withAnalysis = <Result>(
    uri: string,
    empty: Result,
    use: (analysis: ModuleAnalysis) => Result,
  ): Result => {
    const analysis = analyses.of(uri);
    return analysis ? use(analysis) : empty;
  };
  /** Problems of a whole notebook: every cell asks for its own. */
  const problems = new WeakMap<ModuleAnalysis, ReadonlyMap<string, readonly Diagnostic[]>>();
  const problemsOf = (
    uri: string,
    analysis: ModuleAnalysis,
  ): ReadonlyMap<string, readonly Diagnostic[]> => {
    const known = problems.get(analysis);
    if (known) return known;
    const isFile = documents.moduleOf(uri)?.kind === 'file';
    const found = diagnose(analysis, {
      ...settings,
      syntaxErrors: settings.syntaxErrors && !isFile,
    });
    const byUnit = Map.groupBy(analyses.withoutTransient(uri, found), (entry) => entry.uri);
    problems.set(analysis, byUnit);
    return byUnit;
  };
  const diagnosticsOf = (uri: string): readonly Diagnostic[] =>
    withAnalysis(uri, [], (analysis) => problemsOf(uri, analysis).get(uri) ?? []);

  const valuesOf = (uri: string, analysis: ModuleAnalysis): LastValues => ({
    lastValues: (program, name) =>
      options.lastValues?.lastValues(
        documents.moduleOf(uri)?.uri ?? uri,
        program,
        name,
        program === null ? null : programSource(analysis, program),
      ) ?? [],
  });

  return Object.freeze<LanguageService>({
    configure(changed) {
      settings = { ...settings, ...changed };
      analyses.settings = settings;
      analyses.clear();
    },
    setFile(uri, text) {
      documents.setFile(uri, text);
      analyses.changed(uri);
    },
    setNotebook(uri, cells) {
      documents.setNotebook(uri, cells);
      analyses.changed(uri);
    },
    setCell(uri, text) {
      const isKnown = documents.setCell(uri, text);
      if (isKnown) analyses.changed(documents.moduleOf(uri)?.uri ?? uri);
      return isKnown;
    },
    close(uri) {
      documents.close(uri);
      analyses.closed(uri);
    },
    unitsOf: (uri) => documents.moduleOf(uri)?.units.map((unit) => unit.uri) ?? [],
    diagnostics: diagnosticsOf,
    completions: (uri, offset) =>
      withAnalysis(uri, [], (analysis) => completions(analysis, uri, offset)),
    hover: (uri, offset) =>
      withAnalysis(uri, null, (analysis) => hover(analysis, uri, offset, valuesOf(uri, analysis))),
    inlayHints: (uri, start, end) =>
      withAnalysis(uri, [], (analysis) => inlayHints(analysis, uri, start, end)),
    definitions: (uri, offset) =>
      withAnalysis(uri, [], (analysis) => definitions(analysis, uri, offset)),
    assignmentIn: (cellUri, uri, offset) =>
      withAnalysis(uri, null, (analysis) => assignmentIn(analysis, cellUri, uri, offset)),
    references: (uri, offset, declaration) =>
      withAnalysis(uri, [], (analysis) =>
        projectReferences(analyses, analysis, uri, offset, declaration),
      ),
    prepareRename: (uri, offset) =>
      withAnalysis(uri, null, (analysis) => prepareRename(analyses, analysis, uri, offset)),
    rename: (uri, offset, name) => {
      const edits = withAnalysis(uri, [], (analysis) =>
        rename(analyses, analysis, uri, offset, name),
      );
      options.modules?.filesWillChange();
      return edits;
    },
    signatureHelp: (uri, offset) =>
      withAnalysis(uri, null, (analysis) => signatureHelp(analysis, uri, offset)),
    documentSymbols: (uri) => withAnalysis(uri, [], (analysis) => documentSymbols(analysis, uri)),
    foldingRanges: (uri) => withAnalysis(uri, [], (analysis) => foldingRanges(analysis, uri)),
    semanticTokens: (uri) => withAnalysis(uri, [], (analysis) => semanticTokens(analysis, uri)),
    codeLenses: (uri) => withAnalysis(uri, [], (analysis) => programLenses(analysis, uri)),
    codeActions: (uri, start, end) =>
      withAnalysis(uri, [], (analysis) =>
        codeActions(analysis, diagnosticsOf(uri), uri, start, end),
      ),
    prepareCallHierarchy: (uri, offset) =>
      withAnalysis(uri, null, (analysis) => prepareCallHierarchy(analysis, uri, offset)),
    incomingCalls: (item) => projectIncomingCalls(analyses, item),
    outgoingCalls: (item) => {
      const analysis = analyses.moduleOf(item.uri);
      return analysis ? outgoingCalls(analysis, item) : [];
    },
    workspaceSymbols: (query) => workspaceSymbols(analyses, query),
    text: (uri) => documents.moduleOf(uri)?.units.find((unit) => unit.uri === uri)?.text,
    analysis: (uri) => analyses.of(uri),
  });
}

const maximumImportDepth = 5;

/** One analysis per module version, made when it is asked for. */
class AnalysisCache implements Project {
  readonly #documents: Documents;
  readonly #host: ModuleHost | null;
  readonly #analyses = new Map<string, ModuleAnalysis>();
  readonly #memories = new Map<string, AnalysisMemory>();
  readonly #imported = new Map<
    string,
    { readonly text: string; readonly exports: ReadonlyMap<string, Value> }
  >();
  /** Variables of the last version of a module that was valid Python. */
  readonly #goodNames = new Map<string, ReadonlySet<string>>();
  readonly #closed = new Map<
    string,
    { readonly units: readonly CellText[]; readonly analysis: ModuleAnalysis }
  >();
  #importDepth = 0;
  settings: Settings = defaults;

  constructor(documents: Documents, host: ModuleHost | null) {
    this.#documents = documents;
    this.#host = host;
  }

  of(unitUri: string): ModuleAnalysis | null {
    const module = this.#documents.moduleOf(unitUri);
    return module ? this.#analyze(module) : null;
  }

  modules(word: string): readonly ModuleAnalysis[] {
    const open = this.#documents.modules.map((module) => this.#analyze(module));
    const closed = this.#closedFiles().filter(({ units }) =>
      units.some(({ text }) => text.includes(word)),
    );
    return [...open, ...closed.map((file) => this.#analyzeClosed(file))];
  }

  moduleOf(unitUri: string): ModuleAnalysis | null {
    const open = this.of(unitUri);
    if (open) return open;
    const file = this.#closedFiles().find(({ units }) => units.some(({ uri }) => uri === unitUri));
    return file ? this.#analyzeClosed(file) : null;
  }

  #closedFiles(): readonly ProjectFile[] {
    const open = new Set(this.#documents.modules.map(({ uri }) => uri));
    return (this.#host?.files() ?? []).filter(({ uri }) => !open.has(uri));
  }

  /** Once per text, until something that is open changes: it may be what the file imports. */
  #analyzeClosed({ uri, units }: ProjectFile): ModuleAnalysis {
    const known = this.#closed.get(uri);
    if (known?.units === units) return known.analysis;
    const documents = new Documents();
    documents.setNotebook(uri, units);
    const analysis = analyzeModule({
      units: documents.moduleOf(uri)?.units ?? [],
      importModule: (path, level, from) => this.#import(path, level, from),
    });
    this.#closed.set(uri, { units, analysis });
    return analysis;
  }

  /** Any module may import the one that changed. */
  changed(moduleUri: string): void {
    this.#closed.clear();
    this.#analyses.delete(moduleUri);
    for (const module of this.#documents.modules)
      if (this.#importsOthers(module)) this.#analyses.delete(module.uri);
  }

  closed(moduleUri: string): void {
    this.changed(moduleUri);
    this.#memories.delete(moduleUri);
  }

  #importsOthers(module: SourceModule): boolean {
    return (
      this.#host !== null && module.units.some((unit) => /^\s*(?:from|import)\s/m.test(unit.text))
    );
  }

  clear(): void {
    this.#analyses.clear();
    this.#memories.clear();
    this.#imported.clear();
    this.#closed.clear();
  }

  #analyze(module: SourceModule): ModuleAnalysis {
    const known = this.#analyses.get(module.uri);
    if (known) return known;
    const memory = this.#memories.get(module.uri) ?? new AnalysisMemory();
    this.#memories.set(module.uri, memory);
    const analysis = analyzeModule(
      {
        units: module.units,
        importModule: (path, level, from) => this.#import(path, level, from),
        ...(this.settings.backend ? { backend: this.settings.backend } : {}),
      },
      memory,
    );
    this.#analyses.set(module.uri, analysis);
    if (module.units.every((unit) => unit.tree.errors.length === 0)) {
      this.#goodNames.set(module.uri, variableNames(analysis));
    }
    return analysis;
  }

  /** While a cell is broken, variables that its last valid version had are not called unknown. */
  withoutTransient(unitUri: string, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
    const module = this.#documents.moduleOf(unitUri);
    const names = module ? this.#goodNames.get(module.uri) : undefined;
    if (!module || !names || module.units.every((unit) => unit.tree.errors.length === 0))
      return diagnostics;
    return diagnostics.filter((entry) => {
      if (entry.code !== 'unknown-variable' && entry.code !== 'read-before-gen') return true;
      const text =
        module.units.find((unit) => unit.uri === entry.uri)?.text.slice(entry.start, entry.end) ??
        '';
      return !names.has(text.replaceAll(/^\w*["']+|["']+$/g, ''));
    });
  }

  #import(path: string, level: number, from: string): ReadonlyMap<string, Value> | null {
    const found = this.#host?.resolve(path, level, from);
    if (!found || this.#importDepth >= maximumImportDepth) return null;
    const known = this.#imported.get(found.uri);
    if (known?.text === found.text) return known.exports;
    const documents = new Documents();
    documents.setFile(found.uri, found.text);
    this.#importDepth++;
    const { exports } = analyzeModule({
      units: documents.moduleOf(found.uri)?.units ?? [],
      importModule: (inner, innerLevel, innerFrom) => this.#import(inner, innerLevel, innerFrom),
    });
    this.#importDepth--;
    this.#imported.set(found.uri, { text: found.text, exports });
    return exports;
  }
}

function variableNames(analysis: ModuleAnalysis): ReadonlySet<string> {
  const names = analysis.facts.gens.flatMap((gen) => gen.names);
  return new Set(
    names.flatMap((name) => (name.length === 1 && typeof name[0] === 'string' ? [name[0]] : [])),
  );
}
