import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const sources = join(root, 'extension', 'src');

function sourceTexts(): string[] {
  return readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(sources, file), 'utf8'));
}

/** First arguments of `l10n.t`. */
function messages(): string[] {
  const found = sourceTexts().flatMap((text) =>
    [...text.matchAll(/l10n\.t\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g)].map(
      ([, single, double]) => (single ?? double ?? '').replaceAll("\\'", "'"),
    ),
  );
  return [...new Set(found)].toSorted();
}

it('lists every text of the extension in the localization bundle, and no other', () => {
  const bundle: Record<string, string> = JSON.parse(
    readFileSync(join(root, 'l10n', 'bundle.l10n.json'), 'utf8'),
  );
  expect(messages().length).toBeGreaterThan(30);
  expect(Object.keys(bundle).toSorted()).toEqual(messages());
});

it('shows no text that cannot be translated', () => {
  const bare = sourceTexts().flatMap((text) => [
    ...text.matchAll(/show(?:Error|Warning|Information)Message\(\s*['"`][^)]*/g),
  ]);
  expect(bare.map(([call]) => call)).toEqual([]);
});
