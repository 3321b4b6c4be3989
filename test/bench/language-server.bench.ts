// Language server: diagnostics, completion and hover after a keystroke in a 1,000-line notebook, the
// index of a 20,000-line workspace, start of the bundled process, memory. Medians over runs.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLanguageService } from '../../language-server/src/service.ts';
import { samplePrograms } from '../language-server/support/sample-programs.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function report(what: string, milliseconds: number, goal: number): void {
  const verdict = milliseconds <= goal ? 'within' : 'ABOVE';
  console.log(
    `${what.padEnd(58)} ${milliseconds.toFixed(2).padStart(9)} ms   ${verdict} the goal of ${goal} ms`,
  );
}

/** Cells with every name made unique, so that nothing is shared by accident. */
function notebook(lines: number): { uri: string; text: string }[] {
  const cells: { uri: string; text: string }[] = [];
  for (let count = 0, i = 0; count < lines; i++) {
    const text = (samplePrograms[i % samplePrograms.length] ?? '')
      .replaceAll('triage', `triage_${Math.floor(i / samplePrograms.length)}`)
      .replaceAll('Agent', `Agent_${i}`);
    cells.push({ uri: `cell:${i}`, text });
    count += text.split('\n').length;
  }
  return cells;
}

function benchKeystrokes(): void {
  const cells = notebook(1000);
  const lines = cells.reduce((sum, cell) => sum + cell.text.split('\n').length, 0);
  console.log(`notebook of ${cells.length} cells, ${lines} lines`);
  const service = createLanguageService();
  service.setNotebook('notebook:', cells);
  const edited = cells[1] ?? { uri: '', text: '' };
  const times: Record<'diagnostics' | 'completion' | 'hover', number[]> = {
    diagnostics: [],
    completion: [],
    hover: [],
  };
  for (let i = 0; i < 60; i++) {
    const text = `${edited.text}x${i} = state["kind"]\nstate["`;
    const timed = (name: keyof typeof times, action: () => unknown) => {
      service.setCell(edited.uri, `${text}${'k'.repeat(i % 5)}`);
      const start = performance.now();
      action();
      if (i >= 10) times[name].push(performance.now() - start);
    };
    timed('diagnostics', () => cells.map((cell) => service.diagnostics(cell.uri)));
    timed('completion', () => service.completions(edited.uri, text.length));
    timed('hover', () => service.hover(edited.uri, text.indexOf('["kind"]') + 3));
  }
  report('diagnostics of the notebook after a keystroke', median(times.diagnostics), 30);
  report('completion after a keystroke', median(times.completion), 20);
  report('hover after a keystroke', median(times.hover), 10);
  const hovers = Array.from({ length: 50 }, () => {
    const start = performance.now();
    service.hover(edited.uri, edited.text.indexOf('["kind"]') + 3);
    return performance.now() - start;
  });
  report('hover without a change', median(hovers), 10);
}

function benchWorkspace(): void {
  const times = Array.from({ length: 3 }, () => {
    const files = notebook(20_000);
    const start = performance.now();
    const service = createLanguageService();
    for (const file of files) service.setFile(file.uri, file.text);
    let found = 0;
    for (const file of files) found += service.documentSymbols(file.uri).length;
    if (found === 0) throw new Error('the index is empty');
    return performance.now() - start;
  });
  report('index of a 20,000-line workspace', median(times), 2000);
}

/** From spawning the process to its first diagnostics. */
function firstDiagnostics(bundle: string): Promise<{ milliseconds: number; kilobytes: number }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, [bundle, '--stdio'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const send = (message: object) => {
      const body = JSON.stringify({ jsonrpc: '2.0', ...message });
      child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    };
    let output = '';
    child.on('error', reject);
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (!output.includes('publishDiagnostics')) return;
      const milliseconds = performance.now() - start;
      const kilobytes = memoryOf(child.pid ?? 0);
      child.kill();
      resolve({ milliseconds, kilobytes });
    });
    send({
      id: 1,
      method: 'initialize',
      params: { processId: null, rootUri: null, capabilities: {} },
    });
    send({ method: 'initialized', params: {} });
    const text = samplePrograms[0] ?? '';
    const textDocument = { uri: 'file:///a.py', languageId: 'python', version: 1, text };
    send({ method: 'textDocument/didOpen', params: { textDocument } });
  });
}

function memoryOf(pid: number): number {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return NaN;
  return Number(
    /VmRSS:\s+(\d+)/.exec(process.getBuiltinModule('node:fs').readFileSync(status, 'utf8'))?.[1],
  );
}

async function benchStart(): Promise<void> {
  const bundle = join(root, 'dist', 'language-server.mjs');
  if (!existsSync(bundle)) {
    console.log(
      'start of the process: not measured, dist/language-server.mjs is missing (npm run build)',
    );
    return;
  }
  const runs: { milliseconds: number; kilobytes: number }[] = [];
  for (let i = 0; i < 5; i++) runs.push(await firstDiagnostics(bundle));
  report('process start to first diagnostics', median(runs.map((run) => run.milliseconds)), 300);
  console.log(
    `memory of the process (resident)  ${(median(runs.map((run) => run.kilobytes)) / 1024).toFixed(0)} MiB`,
  );
}

benchKeystrokes();
benchWorkspace();
await benchStart();
