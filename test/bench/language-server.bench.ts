// Language server: diagnostics, completion and hover after a keystroke in a 1,000-line notebook, the
// index of a 20,000-line workspace, start of the bundled process and of its type engine, memory. Medians over runs.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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
  const times: Record<'diagnostics' | 'completion' | 'hover' | 'anew', number[]> = {
    diagnostics: [],
    completion: [],
    hover: [],
    anew: [],
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
    const hover = () => service.hover(edited.uri, text.indexOf('["kind"]') + 3);
    timed('hover', hover);
    // Forgets what it knew of the cells, as after a change that concerns all of them.
    service.configure({});
    timed('anew', hover);
  }
  report('diagnostics of the notebook after a keystroke', median(times.diagnostics), 30);
  report('completion after a keystroke', median(times.completion), 20);
  report('hover after a keystroke', median(times.hover), 10);
  const share = median(times.hover) / median(times.anew);
  console.log(
    `hover when no cell is as it was  ${median(times.anew).toFixed(2)} ms: a keystroke takes ${share.toFixed(2)} of it`,
  );
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

/** Keeps a server's output apart into messages, and says which it waits for. */
interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  readonly send: (message: object) => void;
  /** Resolves with the milliseconds since the start when a message holds all of these words. */
  readonly says: (...words: readonly string[]) => Promise<number>;
}

function startServer(bundle: string, ...options: readonly string[]): Started {
  const start = performance.now();
  const child = spawn(process.execPath, [bundle, '--stdio', ...options]);
  child.stderr.resume();
  const waiting: { words: readonly string[]; done: (milliseconds: number) => void }[] = [];
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
    const messages = output.split(/Content-Length: \d+\r\n\r\n/);
    for (const { words, done } of waiting) {
      if (messages.some((message) => words.every((word) => message.includes(word))))
        done(performance.now() - start);
    }
  });
  const send = (message: object) => {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };
  send({
    id: 1,
    method: 'initialize',
    params: { processId: null, rootUri: null, capabilities: {} },
  });
  send({ method: 'initialized', params: {} });
  return { child, send, says: (...words) => new Promise((done) => waiting.push({ words, done })) };
}

/** From spawning the process to its first diagnostics. */
async function firstDiagnostics(
  bundle: string,
): Promise<{ milliseconds: number; kilobytes: number }> {
  const { child, send, says } = startServer(bundle);
  const found = says('publishDiagnostics');
  const text = samplePrograms[0] ?? '';
  const textDocument = { uri: 'file:///a.py', languageId: 'python', version: 1, text };
  send({ method: 'textDocument/didOpen', params: { textDocument } });
  const milliseconds = await found;
  const kilobytes = memoryOf(child.pid ?? 0);
  child.kill();
  return { milliseconds, kilobytes };
}

/** From spawning the server to the type engine's first report on a notebook of three cells. */
async function firstTypes(bundle: string): Promise<{ milliseconds: number; cpu: number }> {
  const { child, send, says } = startServer(bundle);
  const found = says('publishDiagnostics', 'reportUndefinedVariable');
  const documents = [...samplePrograms.slice(0, 2), 'undefined_name\n'].map((text, i) => ({
    uri: `vscode-notebook-cell:/n.sglnb#c${i}`,
    languageId: 'sglang-python',
    version: 1,
    text,
  }));
  send({
    method: 'notebookDocument/didOpen',
    params: {
      notebookDocument: {
        uri: 'file:///n.sglnb',
        notebookType: 'sglang-notebook',
        version: 1,
        cells: documents.map(({ uri }) => ({ kind: 2, document: uri })),
      },
      cellTextDocuments: documents,
    },
  });
  const milliseconds = await found;
  const engine = childrenOf(child.pid ?? 0)[0];
  const cpu = engine === undefined ? NaN : processorTime(engine);
  const isGone = new Promise((done) => child.on('exit', done));
  send({ id: 2, method: 'shutdown', params: {} });
  send({ method: 'exit', params: {} });
  await isGone;
  return { milliseconds, cpu };
}

function childrenOf(pid: number): readonly number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path)
    ? readFileSync(path, 'utf8').split(/\s+/).filter(Boolean).map(Number)
    : [];
}

/** Milliseconds of processor time, in hundredths of a second. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function memoryOf(pid: number): number {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return NaN;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]);
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
  const types: { milliseconds: number; cpu: number }[] = [];
  for (let i = 0; i < 3; i++) types.push(await firstTypes(bundle));
  report('process start to the first types', median(types.map((run) => run.milliseconds)), 4000);
  console.log(
    `processor time of the type engine until then  ${median(types.map((run) => run.cpu)).toFixed(0)} ms`,
  );
  console.log(
    `memory of the process (resident)  ${(median(runs.map((run) => run.kilobytes)) / 1024).toFixed(0)} MiB`,
  );
}

benchKeystrokes();
benchWorkspace();
await benchStart();
