/**
 * Answers a kernel's question which model to run under a name: what is here runs, what was decided
 * before holds, and otherwise the user is asked once.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { findInCatalogue, type CatalogueEntry } from './catalogue.ts';
import type { ModelChoices } from './model-choices.ts';
import type { FitReport, ModelManager } from './model-manager.ts';
import type { InstalledModel } from './model-store.ts';

export interface ModelQuestion {
  readonly name: string;
  /** Known without asking a server; `null` for models outside of the catalogue. */
  readonly entry: CatalogueEntry | null;
  readonly fit: FitReport | null;
}

export type ModelDecision =
  | { readonly kind: 'download' }
  /** The starter model, from now on. */
  | { readonly kind: 'starter' }
  | { readonly kind: 'file'; readonly path: string }
  /** The starter model this time; ask again. */
  | { readonly kind: 'later' };

/** The user. Both reject or resolve soon after the signal is aborted. */
export interface ModelAsker {
  decide(question: ModelQuestion, signal: AbortSignal): Promise<ModelDecision>;
  /** Downloads, showing progress and failures; `false` when the model is still missing. */
  download(name: string, signal: AbortSignal): Promise<boolean>;
}

export interface ModelPlace {
  /** The notebook's path or folder: decisions for it and for folders above it hold. */
  readonly notebook: string;
  /** Folder for which a decision is remembered: the workspace. */
  readonly workspace: string;
}

export class ModelAnswers {
  readonly #manager: ModelManager;
  readonly #choices: ModelChoices;
  readonly #asker: ModelAsker | null;

  /** @param asker `null`: nobody can be asked */
  constructor(manager: ModelManager, choices: ModelChoices, asker: ModelAsker | null) {
    this.#manager = manager;
    this.#choices = choices;
    this.#asker = asker;
  }

  /**
   * A file to run instead of what the program names, or `null`: the runtime finds the model by its
   * name, or takes the starter model and says so. Never throws.
   */
  async answer(name: string, place: ModelPlace, signal: AbortSignal): Promise<string | null> {
    try {
      if (isInstalled(await this.#manager.store.list(), name)) return null;
      const choice = await this.#choices.find(place.notebook, name);
      if (choice?.kind === 'starter') return null;
      if (choice?.kind === 'file' && existsSync(choice.path)) return choice.path;
      if (this.#asker === null) return null;
      return await this.#ask(this.#asker, name, place, signal);
    } catch {
      // The runtime's notice tells the user that the starter model runs.
      return null;
    }
  }

  async #ask(
    asker: ModelAsker,
    name: string,
    { workspace }: ModelPlace,
    signal: AbortSignal,
  ): Promise<string | null> {
    const entry = findInCatalogue(name);
    if (entry !== null) await this.#manager.findGpus();
    const fit = entry === null ? null : this.#manager.fitOfEntry(entry);
    const decision = await asker.decide({ name, entry, fit }, signal);
    if (signal.aborted) return null;
    switch (decision.kind) {
      case 'download':
        await asker.download(name, signal);
        return null;
      case 'starter':
        await this.#choices.remember(workspace, name, decision);
        return null;
      case 'file':
        await this.#choices.remember(workspace, name, decision);
        return decision.path;
      case 'later':
        return null;
      default:
        return decision satisfies never;
    }
  }
}

/**
 * Whether the runtime finds a model by this name: by a record, or by the name of a file. The rule is
 * that of `runtime/src/model/resolve-model.ts`; a test keeps both agreed.
 */
export function isInstalled(models: readonly InstalledModel[], name: string): boolean {
  const wanted = name.toLowerCase();
  const start = normalised(basename(name));
  return models.some(
    ({ path, record }) =>
      (record?.names ?? []).some((known) => known.toLowerCase() === wanted) ||
      normalised(basename(path)).startsWith(start),
  );
}

function normalised(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.gguf$/, '')
    .replaceAll(/[^a-z0-9.]+/g, '-');
}
