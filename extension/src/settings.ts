/** The only reader of workspace configuration; values of a wrong type fall back to the default. */
import { workspace, type Uri } from 'vscode';

export interface KernelSettings {
  /** Base URL of a running server, or `null` for the bundled runtime. */
  readonly endpoint: string | null;
  /** GGUF file for the bundled runtime, or `null`. */
  readonly modelPath: string | null;
  /** The user's own interpreter, or `null` for the bundled Python. */
  readonly python: string | null;
  /** Milliseconds an interrupted cell may take before its kernel is killed. */
  readonly interruptTimeout: number;
}

export function kernelSettings(resource: Uri | undefined): KernelSettings {
  return {
    endpoint: text('kernel.endpoint', resource),
    modelPath: text('runtime.modelPath', resource),
    python: text('kernel.python', resource),
    interruptTimeout:
      number('kernel.interruptTimeout', resource, { fallback: 5, minimum: 1, maximum: 120 }) * 1000,
  };
}

/** Milliseconds that an idle kernel waits for a window; 0 ends it with its window. */
export function kernelKeepAlive(resource: Uri): number {
  return number('kernel.keepAlive', resource, { fallback: 10, minimum: 0, maximum: 1440 }) * 60_000;
}

/** Whether the certificates of `https` servers must be good. */
export function verifyCertificates(resource: Uri): boolean {
  return truth('kernel.verifyCertificates', resource, true);
}

/** What runs `launch_server`: `null` decides by what is on this machine. */
export function launchedServer(resource: Uri | undefined): 'bundled' | 'sglang' | null {
  const value = text('runtime.server', resource);
  return value === 'bundled' || value === 'sglang' ? value : null;
}

/** Whether programs that the notebook has not started need a runtime's key. */
export function runtimeWantsKey(resource: Uri | undefined): boolean {
  return truth('runtime.requireKey', resource, true);
}

/** Whether a cell that launches a model that is not here asks, or runs the starter model at once. */
export function asksForMissingModels(resource: Uri): boolean {
  return text('runtime.missingModel', resource) !== 'starter';
}

export interface ModelSettings {
  /** Server in place of huggingface.co. */
  readonly mirror: string | null;
  /** Proxy for downloads, of VS Code's own setting. */
  readonly proxy: string | null;
  /** Folder of the models. */
  readonly folder: string | null;
}

export function modelSettings(): ModelSettings {
  const proxy: unknown = workspace.getConfiguration('http').get('proxy');
  return {
    mirror: text('models.mirror', undefined),
    proxy: typeof proxy === 'string' && proxy !== '' ? proxy : null,
    folder: text('models.folder', undefined),
  };
}

/** Largest image in bytes that is stored in a notebook file. */
export function maximumImageSize(): number {
  return number('notebook.maximumImageSize', undefined, { fallback: 1_048_576, minimum: 0 });
}

/** Language of code cells: the extension's own, or plain Python for other Python extensions. */
export function cellLanguage(): 'sglang-python' | 'python' {
  return text('notebook.cellLanguage', undefined) === 'python' ? 'python' : 'sglang-python';
}

export function codeLensEnabled(resource: Uri): boolean {
  return truth('codeLens.enabled', resource, true);
}

function truth(key: string, resource: Uri | undefined, fallback: boolean): boolean {
  const value: unknown = workspace.getConfiguration('sglang', resource).get(key);
  return typeof value === 'boolean' ? value : fallback;
}

function text(key: string, resource: Uri | undefined): string | null {
  const value: unknown = workspace.getConfiguration('sglang', resource).get(key);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

interface Range {
  readonly fallback: number;
  readonly minimum: number;
  readonly maximum?: number;
}

function number(key: string, resource: Uri | undefined, range: Range): number {
  const value: unknown = workspace.getConfiguration('sglang', resource).get(key);
  const { fallback, minimum, maximum = Infinity } = range;
  return typeof value === 'number' && value >= minimum && value <= maximum ? value : fallback;
}
