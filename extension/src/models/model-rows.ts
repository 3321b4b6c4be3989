/** The rows of the model picker, as plain data. No VS Code. */
import { byteText } from '../../model-manager/byte-text.ts';
import { CATALOGUE, type CatalogueEntry } from '../../model-manager/catalogue.ts';
import type { ImportableModel } from '../../model-manager/import-sources.ts';
import type { FitReport, ModelManager } from '../../model-manager/model-manager.ts';
import type { InstalledModel } from '../../model-manager/model-store.ts';

/** What choosing a row does. */
export type ModelRowAction =
  | { readonly kind: 'program' | 'starter' | 'browse' | 'name' | 'search' }
  | { readonly kind: 'typed'; readonly name: string }
  | { readonly kind: 'installed'; readonly model: InstalledModel }
  | { readonly kind: 'catalogue'; readonly entry: CatalogueEntry }
  | { readonly kind: 'import'; readonly model: ImportableModel };

export interface ModelRow {
  readonly label: string;
  /** Beside the label: size and licence. */
  readonly description: string;
  /** Below: whether it fits. */
  readonly detail: string;
  readonly action: ModelRowAction;
}

export interface FitWords {
  readonly unknown: string;
  /** `{0}` verdict, `{1}` weights, `{2}` context, `{3}` buffers, `{4}` total, `{5}` free. */
  readonly sum: (parts: readonly string[]) => string;
  /** `{0}` layers that fit, `{1}` layers of the model, `{2}` GPUs, `{3}` free. */
  readonly share: (parts: readonly string[]) => string;
  readonly allLayers: (parts: readonly string[]) => string;
  readonly verdicts: Readonly<Record<FitReport['fit'], string>>;
}

/** `fits: 1.12 GB weights + … = 1.85 GB of 8.00 GB free; all layers on …` in the user's language. */
export function fitDetail(report: FitReport | null, words: FitWords): string {
  if (report === null) return words.unknown;
  const { estimate, free, gpu, fit } = report;
  const amounts = [estimate.weights, estimate.cache, estimate.overhead, estimate.total, free];
  const sum = words.sum([words.verdicts[fit], ...amounts.map(byteText)]);
  if (gpu === null) return sum;
  const place = [gpu.layers, gpu.allLayers, gpu.names, byteText(gpu.free)].map(String);
  return `${sum}; ${gpu.layers === gpu.allLayers ? words.allLayers(place) : words.share(place)}`;
}

export function installedRows(
  models: readonly InstalledModel[],
  manager: Pick<ModelManager, 'fitOfInstalled'>,
  words: FitWords,
): readonly ModelRow[] {
  return models.map((model) => ({
    label: model.record?.names[0] ?? model.facts?.name ?? model.id,
    description: `${byteText(model.size)} · ${model.id}`,
    detail: fitDetail(model.facts === null ? null : manager.fitOfInstalled(model), words),
    action: { kind: 'installed', model },
  }));
}

/** Well-known models that are not here: those that fit first, then by size. */
export function catalogueRows(
  installed: readonly InstalledModel[],
  manager: Pick<ModelManager, 'fitOfEntry'>,
  words: FitWords,
): readonly ModelRow[] {
  const here = new Set(installed.flatMap(({ record }) => record?.names ?? []));
  const rank = { fits: 0, tight: 1, 'too big': 2 } as const;
  return CATALOGUE.filter(({ names }) => !here.has(names[0]))
    .map((entry) => ({ entry, fit: manager.fitOfEntry(entry) }))
    .toSorted(
      (a, b) =>
        rank[a.fit.fit] - rank[b.fit.fit] || a.entry.approximateBytes - b.entry.approximateBytes,
    )
    .map(({ entry, fit }) => ({
      label: entry.names[0],
      description: `~${byteText(entry.approximateBytes)} · ${entry.licence}`,
      detail: fitDetail(fit, words),
      action: { kind: 'catalogue', entry },
    }));
}

export function importRows(found: readonly ImportableModel[]): readonly ModelRow[] {
  return found.map((model) => ({
    label: model.name,
    description: `${byteText(model.size)} · ${model.program}`,
    detail: model.path,
    action: { kind: 'import', model },
  }));
}

/**
 * What the setting says to run this model: its name, so that the workspace's settings fit other
 * machines too, or its path when the name is not unique.
 */
export function settingFor(model: InstalledModel, all: readonly InstalledModel[]): string {
  const name = model.record?.names[0];
  if (name === undefined) return model.path;
  const sharing = all.filter(({ record }) => record?.names.includes(name) === true);
  return sharing.length === 1 ? name : model.path;
}
