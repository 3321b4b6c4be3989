/** The only reader of workspace configuration; values of a wrong type fall back to the default. */
import { workspace, type Uri } from 'vscode';

export interface KernelSettings {
  /** Base URL of a running server, or `null` for the bundled runtime. */
  readonly endpoint: string | null;
  /** GGUF file for the bundled runtime, or `null`. */
  readonly modelPath: string | null;
  /** Milliseconds an interrupted cell may take before its kernel is killed. */
  readonly interruptTimeout: number;
}

export function kernelSettings(resource: Uri): KernelSettings {
  return {
    endpoint: text('kernel.endpoint', resource),
    modelPath: text('runtime.modelPath', resource),
    interruptTimeout: number('kernel.interruptTimeout', resource, 5) * 1000,
  };
}

/** Largest image in bytes that is stored in a notebook file. */
export function maximumImageSize(): number {
  return number('notebook.maximumImageSize', undefined, 1_048_576);
}

export function codeLensEnabled(resource: Uri): boolean {
  const value: unknown = workspace.getConfiguration('sglang', resource).get('codeLens.enabled');
  return typeof value === 'boolean' ? value : true;
}

function text(key: string, resource: Uri): string | null {
  const value: unknown = workspace.getConfiguration('sglang', resource).get(key);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

function number(key: string, resource: Uri | undefined, fallback: number): number {
  const value: unknown = workspace.getConfiguration('sglang', resource).get(key);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : fallback;
}
