/** Starts the guest that the driver chose. */
import type { EndpointOptions, GenRecord, GuestChoice } from '../../protocol/kernel-protocol.ts';
import type { KernelResources } from '../resources.ts';
import { startCPythonGuest } from './cpython-guest.ts';
import type { ProcessCallHandler } from './guest-start.ts';
import type { GuestListener, PythonGuest } from './guest.ts';
import { startPyodideGuest } from './pyodide-guest.ts';

export interface GuestOptions {
  readonly choice: GuestChoice;
  readonly resources: KernelResources;
  readonly cwd: string;
  /** Environment of the cells. */
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoint: string | null;
  readonly endpointOptions: EndpointOptions;
  readonly cacheFolder: string | null;
  readonly listener: GuestListener;
  readonly onGen: (record: GenRecord) => void;
  readonly processCall: ProcessCallHandler;
}

/** Settles when Python is ready; fails with `GuestStartError`. */
export function startGuest(options: GuestOptions): Promise<PythonGuest> {
  const { choice } = options;
  switch (choice.kind) {
    case 'wasm':
      return startPyodideGuest(options);
    case 'cpython':
      return startCPythonGuest({ ...options, executable: choice.executable });
    default:
      choice satisfies never;
      throw new Error('unknown guest');
  }
}
