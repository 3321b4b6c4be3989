/**
 * The engine behind `sglnb check`: the diagnostics of the language server for files and folders.
 * Reads files and writes stubs; prints nothing.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { splitCells, type FileCell } from './cell-split.ts';
import type { SeverityOverrides } from './features/rules.ts';
import { rules } from './features/rules.ts';
import { createLanguageService } from './service.ts';
import { emitStubs } from './stubs.ts';
import { WorkspaceModules } from './workspace-modules.ts';

export interface CheckOptions {
  /** Folder that reported paths are relative to. */
  readonly cwd: string;
  readonly severities?: SeverityOverrides;
  /** Write `<module>.pyi` files here. */
  readonly stubsFolder?: string;
}

export interface CheckFinding {
  /** Relative to `cwd`, with forward slashes. */
  readonly path: string;
  /** 1-based. In `.ipynb` files counted within the cell. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** `cell 3` in `.ipynb` files, else `null`. */
  readonly cell: string | null;
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'information' | 'hint';
  readonly message: string;
}

export interface CheckReport {
  readonly files: number;
  readonly findings: readonly CheckFinding[];
  /** Paths that could not be read, with the reason. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  readonly stubs: readonly string[];
}

export type CheckFormat = 'text' | 'json' | 'sarif';

const extensions: ReadonlySet<string> = new Set(['.sglnb', '.ipynb', '.py']);
const skippedFolders: ReadonlySet<string> = new Set([
  'node_modules',
  '__pycache__',
  'venv',
  'site-packages',
]);

/** Files named are checked whatever they import; in folders only those that mention SGLang. */
export function checkPaths(paths: readonly string[], options: CheckOptions): CheckReport {
  const unreadable: { path: string; reason: string }[] = [];
  const files = paths.flatMap((path) => listFiles(resolve(options.cwd, path), unreadable));
  const findings: CheckFinding[] = [];
  const stubs: string[] = [];
  let checked = 0;
  for (const { path, isNamed } of files) {
    const text = readText(path, unreadable);
    if (text === null || (!isNamed && !/\bsglang\b/.test(text))) continue;
    const cells = splitCells(path, text);
    if (!cells) {
      unreadable.push({
        path: shown(path, options),
        reason: 'not a Jupyter notebook: its JSON cannot be read',
      });
      continue;
    }
    checked++;
    findings.push(...checkFile(path, cells, options, stubs));
  }
  return { files: checked, findings, unreadable, stubs };
}

function checkFile(
  path: string,
  cells: readonly FileCell[],
  options: CheckOptions,
  stubs: string[],
): CheckFinding[] {
  const service = createLanguageService({
    settings: { severities: options.severities ?? {} },
    modules: new WorkspaceModules(
      () => [options.cwd],
      () => undefined,
    ),
  });
  const uri = pathToFileURL(path).href;
  const units = cells.map((cell, i) => ({ uri: `${uri}#${i}`, text: cell.text }));
  service.setNotebook(uri, units);
  const first = units[0];
  if (options.stubsFolder !== undefined && first)
    writeStubs(path, options.stubsFolder, options.cwd, service.analysis(first.uri), stubs);
  return units.flatMap(({ uri: unit }, i) => {
    const cell = cells[i];
    if (!cell) return [];
    const lines = lineStarts(cell.text);
    return service.diagnostics(unit).map((entry): CheckFinding => {
      const start = positionAt(lines, entry.start);
      const end = positionAt(lines, entry.end);
      return {
        path: shown(path, options),
        line: cell.line + start.line + 1,
        column: start.column + 1,
        endLine: cell.line + end.line + 1,
        endColumn: end.column + 1,
        cell: cell.label,
        code: entry.code,
        severity: entry.severity,
        message: entry.message,
      };
    });
  });
}

function writeStubs(
  path: string,
  folder: string,
  cwd: string,
  analysis: Parameters<typeof emitStubs>[0] | null,
  stubs: string[],
): void {
  const text = analysis ? emitStubs(analysis) : '';
  // Notebooks cannot be imported.
  if (text === '' || extname(path) !== '.py') return;
  // Modules of packages keep their places; what lies elsewhere goes to the top.
  const inside = dirname(relative(cwd, path));
  const place = join(folder, inside.startsWith('..') || isAbsolute(inside) ? '' : inside);
  mkdirSync(place, { recursive: true });
  const target = join(place, `${basename(path, extname(path)).replaceAll(/\W/g, '_')}.pyi`);
  writeFileSync(target, text);
  stubs.push(target);
}

function shown(path: string, { cwd }: CheckOptions): string {
  return relative(cwd, path).replaceAll('\\', '/');
}

interface FoundFile {
  readonly path: string;
  readonly isNamed: boolean;
}

function listFiles(
  path: string,
  unreadable: { path: string; reason: string }[],
): readonly FoundFile[] {
  try {
    if (!statSync(path).isDirectory()) return [{ path, isNamed: true }];
    const found: FoundFile[] = [];
    walkFolder(path, found);
    return found;
  } catch (error) {
    unreadable.push({ path, reason: error instanceof Error ? error.message : 'cannot be read' });
    return [];
  }
}

function walkFolder(folder: string, found: FoundFile[]): void {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!entry.name.startsWith('.') && !skippedFolders.has(entry.name)) walkFolder(path, found);
    } else if (extensions.has(extname(entry.name))) found.push({ path, isNamed: false });
  }
}

function readText(path: string, unreadable: { path: string; reason: string }[]): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    unreadable.push({ path, reason: error instanceof Error ? error.message : 'cannot be read' });
    return null;
  }
}

function lineStarts(text: string): readonly number[] {
  return [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)];
}

function positionAt(
  starts: readonly number[],
  offset: number,
): { readonly line: number; readonly column: number } {
  const line = starts.findLastIndex((start) => start <= offset);
  return { line, column: offset - (starts[line] ?? 0) };
}

/* ------------------------------------------------------------------ reports */

/** Findings that make `sglnb check` fail. */
export function hasFailures(report: CheckReport): boolean {
  return (
    report.unreadable.length > 0 ||
    report.findings.some(
      (finding) => finding.severity === 'error' || finding.severity === 'warning',
    )
  );
}

export function formatReport(report: CheckReport, format: CheckFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(report, null, 2)}\n`;
    case 'sarif':
      return `${JSON.stringify(toSarif(report), null, 2)}\n`;
    case 'text':
      return toText(report);
  }
}

/** Hints are for editors; a log is easier to read without them. */
function toText(report: CheckReport): string {
  const shownFindings = report.findings.filter((finding) => finding.severity !== 'hint');
  const lines = shownFindings.map(({ path, cell, line, column, severity, message, code }) => {
    const place =
      cell === null ? `${path}:${line}:${column}` : `${path} (${cell}):${line}:${column}`;
    return `${place}: ${severity}: ${message} [${code}]`;
  });
  const failed = report.unreadable.map(({ path, reason }) => `${path}: error: ${reason}`);
  const count = (severity: string) =>
    report.findings.filter((finding) => finding.severity === severity).length;
  const files = report.files === 1 ? '1 file' : `${report.files} files`;
  const summary = `${files} checked: ${count('error')} errors, ${count('warning')} warnings`;
  const stubs = report.stubs.map((path) => `stubs written: ${path}`);
  return [...lines, ...failed, ...stubs, summary, ''].join('\n');
}

const sarifLevels = {
  error: 'error',
  warning: 'warning',
  information: 'note',
  hint: 'note',
} as const;

/** SARIF 2.1.0, as GitHub code scanning reads it. */
function toSarif(report: CheckReport): unknown {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'sglnb',
            rules: [...rules.values()].map(({ code, summary }) => ({
              id: code,
              shortDescription: { text: summary },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        invocations: [
          {
            executionSuccessful: report.unreadable.length === 0,
            toolExecutionNotifications: report.unreadable.map(({ path, reason }) => ({
              level: 'error',
              message: { text: `${path}: ${reason}` },
            })),
          },
        ],
        results: report.findings.map((finding) => ({
          ruleId: finding.code,
          level: sarifLevels[finding.severity],
          message: { text: finding.message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: finding.path },
                region: {
                  startLine: finding.line,
                  startColumn: finding.column,
                  endLine: finding.endLine,
                  endColumn: finding.endColumn,
                },
              },
            },
          ],
        })),
      },
    ],
  };
}
