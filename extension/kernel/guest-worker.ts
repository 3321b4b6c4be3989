/** Entry of the worker thread in which the WebAssembly guest runs: builds and wires, nothing else. */
import { parentPort, workerData } from 'node:worker_threads';
import { createHostBridge } from './guest/host-bridge.ts';
import type { FromWorker, WorkerSetup } from './guest/pyodide-messages.ts';
import { PyodideWorker } from './guest/pyodide-worker.ts';

if (parentPort === null)
  throw new Error('guest-worker is started by the kernel, as a worker thread');
const port = parentPort;
const report = (message: FromWorker): void => port.postMessage(message);

// A promise that a cell's code leaves behind must not end the kernel.
process.on('unhandledRejection', (error) => {
  report({
    type: 'log',
    level: 'warn',
    message: `Unhandled rejection in the guest: ${String(error)}`,
  });
});

// SAFETY: only `PyodideGuest` starts this worker.
const worker = new PyodideWorker(workerData as WorkerSetup, port, createHostBridge);
try {
  await worker.start();
} catch (error) {
  report({
    type: 'failed',
    reason: `Python did not start: ${error instanceof Error ? error.message : String(error)}`,
  });
}
