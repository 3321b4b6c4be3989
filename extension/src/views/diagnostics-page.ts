/** One page that says what runs, with which versions, and what is missing. */
import {
  EventEmitter,
  l10n,
  Uri,
  version,
  window,
  workspace,
  type Disposable,
  type TextDocumentContentProvider,
} from 'vscode';
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { totalmem } from 'node:os';
import { extensionVersion } from '../extension-id.ts';
import { kernelStatusText } from '../kernel-status.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import { kernelSettings } from '../settings.ts';

const SCHEME = 'sglang-diagnostics';
const PAGE = Uri.parse(`${SCHEME}:/SGLang%20Diagnostics.md`);

/** Everything that the extension starts or loads, relative to its `dist` folder. */
const PARTS = [
  'kernel.mjs',
  'guest-worker.mjs',
  'runtime.mjs',
  'language-server.mjs',
  'pyodide/pyodide.asm.wasm',
  'python/_sgl_guest.py',
];
/** Those that run models; the package for all platforms has none of them, and this file instead. */
const ENGINE_PARTS = ['engine-thread.mjs', 'starter.gguf', 'starter-mmproj.gguf'];
const NO_ENGINE = 'no-engine';

export class DiagnosticsPage implements TextDocumentContentProvider, Disposable {
  readonly #dist: string;
  readonly #controller: () => SglangNotebookController | undefined;
  readonly #changed = new EventEmitter<Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #registration: Disposable;

  constructor(dist: string, controller: () => SglangNotebookController | undefined) {
    this.#dist = dist;
    this.#controller = controller;
    this.#registration = workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  async show(): Promise<void> {
    this.#changed.fire(PAGE);
    await window.showTextDocument(await workspace.openTextDocument(PAGE), { preview: true });
  }

  provideTextDocumentContent(): string {
    return [
      `# ${l10n.t('SGLang diagnostics')}`,
      section(l10n.t('Versions'), this.#versions()),
      section(l10n.t('Kernels'), this.#kernels()),
      section(l10n.t('Settings'), this.#settings()),
      section(l10n.t('Parts of the extension'), this.#parts()),
      l10n.t('Output and errors of kernels and runtimes are in the log: SGLang: Show Log.'),
    ].join('\n\n');
  }

  /** For strangers' eyes: without names of files, servers, commands or keys. */
  report(): string {
    return [
      section(l10n.t('Versions'), this.#versions()),
      section(l10n.t('Kernels'), this.#namelessKernels()),
      section(l10n.t('Settings'), this.#namelessSettings()),
      section(l10n.t('Parts of the extension'), this.#parts()),
    ].join('\n\n');
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }

  #versions(): string[] {
    // Without stack switching, the WebAssembly Python needs the worker that its kernel starts.
    const webAssembly: unknown = Reflect.get(globalThis, 'WebAssembly');
    const stackSwitching =
      typeof webAssembly === 'object' && webAssembly !== null && 'Suspending' in webAssembly;
    return [
      `SGLang Notebooks ${extensionVersion()}`,
      `VS Code ${version}`,
      `Node ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform}-${process.arch}`,
      l10n.t(
        'WebAssembly stack switching: {0}',
        stackSwitching ? l10n.t('yes') : l10n.t('in a worker'),
      ),
      l10n.t('Memory: {0} GiB', (totalmem() / 2 ** 30).toFixed(1)),
      workspace.isTrusted
        ? l10n.t('The workspace is trusted.')
        : l10n.t('The workspace is not trusted: nothing runs.'),
    ];
  }

  #kernels(): string[] {
    const lines = [...(this.#controller()?.sessions ?? [])].flatMap(([notebook, session]) => [
      `${notebook.uri.path}: ${kernelStatusText(session.status)}, ` +
        l10n.t('process {0}', session.pid ?? '–') +
        (session.python === null ? '' : `, Python ${session.python}`),
      ...session.processes.map((info) => `  - ${info.command} (${info.pid}) ${info.url ?? ''}`),
    ]);
    return lines.length > 0 ? lines : [l10n.t('No kernel has been started.')];
  }

  #settings(): string[] {
    const settings = kernelSettings(workspace.workspaceFolders?.[0]?.uri ?? PAGE);
    return [
      `sglang.kernel.endpoint: ${settings.endpoint ?? l10n.t('bundled runtime')}`,
      `sglang.runtime.modelPath: ${settings.modelPath ?? l10n.t('as the program says')}`,
      ...(settings.modelPath !== null &&
      isAbsolute(settings.modelPath) &&
      !existsSync(settings.modelPath)
        ? [l10n.t('That model file does not exist.')]
        : []),
    ];
  }

  #namelessKernels(): string[] {
    const lines = [...(this.#controller()?.sessions.values() ?? [])].flatMap((session) => [
      kernelStatusText(session.status) +
        (session.python === null ? '' : `, Python ${session.python}`),
      ...session.processes.map(({ kind, exit }) => `  - ${kind}${exit ? ` ${exitOf(exit)}` : ''}`),
    ]);
    return lines.length > 0 ? lines : [l10n.t('No kernel has been started.')];
  }

  #namelessSettings(): string[] {
    const { endpoint, modelPath, python } = kernelSettings(workspace.workspaceFolders?.[0]?.uri);
    const given = {
      'kernel.endpoint': endpoint,
      'runtime.modelPath': modelPath,
      'kernel.python': python,
    };
    return Object.entries(given).map(
      ([key, value]) => `sglang.${key}: ${value === null ? l10n.t('not set') : l10n.t('set')}`,
    );
  }

  #parts(): string[] {
    const parts = PARTS.map((part) => this.#part(part));
    if (!existsSync(join(this.#dist, NO_ENGINE)))
      return [...parts, ...ENGINE_PARTS.map((part) => this.#part(part))];
    return [
      ...parts,
      l10n.t(
        'Engine: none in this package, which is the one for all platforms. To run models, use SGLang: Connect to Server…, or install the package for {0} if there is one.',
        `${process.platform}-${process.arch}`,
      ),
    ];
  }

  #part(part: string): string {
    const file = join(this.#dist, part);
    if (!existsSync(file)) return l10n.t('{0}: missing; reinstall the extension', part);
    return `${part}: ${(statSync(file).size / 1024).toFixed(0)} KiB`;
  }
}

function section(title: string, lines: readonly string[]): string {
  return [
    `## ${title}`,
    '',
    ...lines.map((line) => (line.startsWith(' ') ? line : `- ${line}`)),
  ].join('\n');
}

function exitOf({ code, signal }: NonNullable<ChildProcessInfo['exit']>): string {
  return `exit ${code ?? signal ?? '?'}`;
}
