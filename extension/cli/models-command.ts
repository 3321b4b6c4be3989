/** `sglnb models …`: the model manager on a terminal. */
import { existsSync } from 'node:fs';
import { byteText } from '../model-manager/byte-text.ts';
import { CATALOGUE } from '../model-manager/catalogue.ts';
import type { DownloadProgress } from '../model-manager/download.ts';
import type { ImportableModel } from '../model-manager/import-sources.ts';
import type { GpuShare } from '../model-manager/memory-fit.ts';
import { ModelManagerError } from '../model-manager/model-error.ts';
import {
  importableFile,
  type FitReport,
  type ModelManager,
} from '../model-manager/model-manager.ts';
import type { InstalledModel } from '../model-manager/model-store.ts';
import type { ModelsAction } from './arguments.ts';
import { plainText } from './terminal-filter.ts';
import { paint, type Terminal } from './terminal.ts';
import { EXIT } from './usage-error.ts';

export interface ModelsEnvironment {
  readonly manager: ModelManager;
  readonly terminal: Terminal;
  readonly interrupt: AbortSignal;
}

/** @throws ModelManagerError */
export async function modelsCommand(
  action: ModelsAction,
  environment: ModelsEnvironment,
): Promise<number> {
  const { manager, terminal } = environment;
  switch (action.kind) {
    case 'path':
      terminal.write(`${manager.store.directory}\n`);
      return EXIT.ok;
    case 'list':
      return list(environment);
    case 'search':
      return search(action.name, environment);
    case 'pull':
      return pull(action.name, environment);
    case 'remove': {
      const model = await manager.store.find(action.name);
      await manager.store.remove(model);
      line(terminal, `deleted ${model.id} (${byteText(model.size)})`);
      return EXIT.ok;
    }
    case 'verify':
      return verify(action.name, environment);
    case 'import':
      return importModel(action.name, environment);
    default:
      return action satisfies never;
  }
}

function line(terminal: Terminal, text: string): void {
  terminal.write(`${plainText(text)}\n`);
}

/** `fits: 1.12 GB weights + 235 MB context + 491 MB buffers = 1.85 GB of 8.00 GB free; all layers on …` */
export function fitText(report: FitReport | null): string {
  if (report === null) return 'memory need unknown';
  const { estimate, free, gpu, fit } = report;
  const parts = `${byteText(estimate.weights)} weights + ${byteText(estimate.cache)} context + ${byteText(estimate.overhead)} buffers`;
  const place = gpu === null ? '' : `; ${shareText(gpu)}`;
  return `${fit}: ${parts} = ${byteText(estimate.total)} of ${byteText(free)} free${place}`;
}

/** `12 of 29 layers on NVIDIA T4, 3.90 GB free` */
function shareText({ names, free, layers, allLayers }: GpuShare): string {
  const count = layers === allLayers ? 'all' : `${layers} of ${allLayers}`;
  return `${count} layers on ${names}, ${byteText(free)} free`;
}

/** One line on an installed model. */
export function installedText(model: InstalledModel, manager: ModelManager): string {
  const name = model.record?.names[0] ?? model.facts?.name ?? '';
  const state =
    model.facts === null
      ? 'unreadable: delete it and pull it again'
      : fitText(manager.fitOfInstalled(model));
  return `${model.id}  ${byteText(model.size)}  ${name}\n    ${state}`;
}

async function list({ manager, terminal }: ModelsEnvironment): Promise<number> {
  const [installed] = await Promise.all([manager.store.list(), manager.findGpus()]);
  line(terminal, `Models in ${manager.store.directory}:`);
  if (installed.length === 0) line(terminal, '  none yet');
  for (const model of installed) line(terminal, `  ${installedText(model, manager)}`);
  const here = new Set(installed.flatMap(({ record }) => record?.names ?? []));
  line(terminal, '\nWell-known models for "sglnb models pull NAME" (sizes are approximate):');
  for (const entry of CATALOGUE) {
    const [name] = entry.names;
    if (here.has(name)) continue;
    const size = `~${byteText(entry.approximateBytes)}`;
    line(terminal, `  ${name}  ${size}  ${entry.billions} B parameters  ${entry.licence}`);
    line(terminal, `    ${fitText(manager.fitOfEntry(entry))}`);
  }
  return EXIT.ok;
}

async function search(words: string, environment: ModelsEnvironment): Promise<number> {
  const { manager, terminal, interrupt } = environment;
  const found = await manager.search(words, interrupt);
  for (const { repository, downloads } of found) {
    line(terminal, downloads === null ? repository : `${repository}  ${downloads} downloads`);
  }
  if (found.length > 0) return EXIT.ok;
  line(terminal, `No repository with GGUF files matches "${words}".`);
  return EXIT.failed;
}

async function pull(name: string, environment: ModelsEnvironment): Promise<number> {
  const { manager, terminal, interrupt } = environment;
  const plan = await manager.plan(name, interrupt);
  const size = plan.files.reduce((sum, file) => sum + file.size, 0);
  const files = plan.files.map((file) => file.path).join(', ');
  line(terminal, `${plan.repository}: ${files}, ${byteText(size)}`);
  if (plan.entry) line(terminal, `licence: ${plan.entry.licence}`);
  const model = await withProgressLine(terminal, (onProgress) =>
    manager.pull(plan, { signal: interrupt, onProgress }),
  );
  await manager.findGpus();
  line(terminal, `${model.path}\n${fitText(manager.fitOfInstalled(model))}`);
  return EXIT.ok;
}

async function verify(name: string | null, environment: ModelsEnvironment): Promise<number> {
  const { manager, terminal, interrupt } = environment;
  const models = name === null ? await manager.store.list() : [await manager.store.find(name)];
  let failures = 0;
  for (const model of models) {
    const { ok, text } = await withProgressLine(terminal, (onProgress) =>
      manager.store.verify(model, { signal: interrupt, onProgress }),
    );
    if (!ok) failures += 1;
    line(terminal, `${ok ? '✓' : '✗'} ${model.id}: ${text}`);
  }
  if (failures > 0) {
    const advice =
      'Delete what is damaged with "sglnb models rm NAME", and pull or import it again.';
    line(terminal, advice);
  }
  if (models.length === 0) line(terminal, `There are no models in ${manager.store.directory}.`);
  return failures > 0 ? EXIT.failed : EXIT.ok;
}

async function importModel(name: string | null, environment: ModelsEnvironment): Promise<number> {
  const { manager, terminal, interrupt } = environment;
  const found = await manager.importable();
  if (name === null) {
    for (const model of found) line(terminal, importableText(model));
    if (found.length === 0)
      line(terminal, 'No models of LM Studio, Ollama, llama.cpp or Hugging Face were found.');
    return EXIT.ok;
  }
  const chosen = await chooseImport(name, found);
  const model = await withProgressLine(terminal, (onProgress) =>
    manager.import(chosen, { signal: interrupt, onProgress }),
  );
  line(terminal, `linked as ${model.path}`);
  return EXIT.ok;
}

function importableText({ name, program, size }: ImportableModel): string {
  return `${name}  ${byteText(size)}  ${program}`;
}

async function chooseImport(
  name: string,
  found: readonly ImportableModel[],
): Promise<ImportableModel> {
  if (existsSync(name)) return importableFile(name);
  // As Ollama's own commands do, a name without a tag means the latest.
  const meant = [name, `${name}:latest`, `${name}.gguf`];
  const [only, ...more] = found.filter(
    (model) => meant.includes(model.name) || meant.includes(model.fileName),
  );
  if (only === undefined) {
    throw new ModelManagerError(
      'NOT_FOUND',
      `There is no file ${name}, and no other program has a model of that name. "sglnb models import" shows what can be linked.`,
    );
  }
  if (more.length === 0) return only;
  throw new ModelManagerError(
    'AMBIGUOUS',
    `Several programs have ${name}: name the file, ${[only, ...more].map(({ path }) => path).join(' or ')}.`,
  );
}

const REDRAW_MILLISECONDS = 200;
const LOG_SHARE = 0.1;

/** Progress on one line of a terminal; elsewhere a line for each tenth. */
export class ProgressLine {
  readonly #terminal: Terminal;
  #shownAt = 0;
  #nextShare = LOG_SHARE;
  #drawn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(progress: DownloadProgress): void {
    const share = progress.received / progress.total;
    if (this.#terminal.isTty) {
      const now = performance.now();
      if (now - this.#shownAt < REDRAW_MILLISECONDS && share < 1) return;
      this.#shownAt = now;
      this.#drawn = true;
      this.#terminal.write(`\r\x1b[K${paint(this.#terminal, 'dim', progressText(progress))}`);
    } else if (share >= this.#nextShare) {
      this.#nextShare = Math.floor(share / LOG_SHARE + 1) * LOG_SHARE;
      this.#terminal.write(`${progressText(progress)}\n`);
    }
  }

  end(): void {
    if (this.#drawn) this.#terminal.write('\n');
  }
}

async function withProgressLine<Result>(
  terminal: Terminal,
  action: (onProgress: (progress: DownloadProgress) => void) => Promise<Result>,
): Promise<Result> {
  const bar = new ProgressLine(terminal);
  try {
    return await action((at) => bar.show(at));
  } finally {
    bar.end();
  }
}

function progressText({ phase, received, total, bytesPerSecond }: DownloadProgress): string {
  const percent = Math.floor((received / total) * 100);
  const text = `${phase} ${percent} %  ${byteText(received)} of ${byteText(total)}`;
  if (bytesPerSecond === 0) return text;
  const seconds = Math.ceil((total - received) / bytesPerSecond);
  return `${text}  ${byteText(bytesPerSecond)}/s  ${seconds} s left`;
}
