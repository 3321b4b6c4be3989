/**
 * What users decided about models that are not on their machine, by folder or notebook: one small file
 * beside the models, read by the editor and the command line alike.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';

/** `starter`: the bundled starter model; a file: that model. */
export type ModelChoice =
  | { readonly kind: 'starter' }
  | { readonly kind: 'file'; readonly path: string };

type ByName = Record<string, ModelChoice>;

export class ModelChoices {
  readonly #file: string;

  /** @param models the models folder */
  constructor(models: string) {
    this.#file = join(models, 'choices.json');
  }

  /** The decision for this place (a folder, or a notebook's path) or the nearest folder above it. */
  async find(place: string, name: string): Promise<ModelChoice | null> {
    const all = await this.#read();
    for (let at = place; ; at = dirname(at)) {
      const choice = all.get(at)?.[name.toLowerCase()];
      if (choice !== undefined) return choice;
      if (dirname(at) === at) return null;
    }
  }

  async remember(place: string, name: string, choice: ModelChoice): Promise<void> {
    const all = await this.#read();
    all.set(place, { ...all.get(place), [name.toLowerCase()]: choice });
    await this.#write(all);
  }

  /** Forgets the decisions for this place and everything below it. */
  async forget(place: string): Promise<void> {
    const all = await this.#read();
    for (const known of all.keys()) {
      if (known === place || known.startsWith(join(place, '/'))) all.delete(known);
    }
    await this.#write(all);
  }

  /** A missing or damaged file holds no decisions: the user is asked again. */
  async #read(): Promise<Map<string, ByName>> {
    try {
      const parsed: unknown = JSON.parse(await readFile(this.#file, 'utf8'));
      if (typeof parsed !== 'object' || parsed === null) return new Map();
      return new Map(Object.entries(parsed).map(([place, names]) => [place, choicesIn(names)]));
    } catch {
      return new Map();
    }
  }

  async #write(all: ReadonlyMap<string, ByName>): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true });
    const fresh = `${this.#file}.${randomUUID()}`;
    await writeFile(fresh, `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`);
    await rename(fresh, this.#file);
  }
}

function choicesIn(names: unknown): ByName {
  if (typeof names !== 'object' || names === null) return {};
  const entries = Object.entries(names).flatMap(([name, value]: [string, unknown]) => {
    const choice = choiceOf(value);
    return choice === null ? [] : [[name, choice] as const];
  });
  return Object.fromEntries(entries);
}

function choiceOf(value: unknown): ModelChoice | null {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return null;
  if (value.kind === 'starter') return { kind: 'starter' };
  const isFile = value.kind === 'file' && 'path' in value && typeof value.path === 'string';
  return isFile ? { kind: 'file', path: String(value.path) } : null;
}
