import { expect, it } from 'vitest';
import { createLanguageService } from '../../language-server/src/service.ts';
import { mutate, randomFrom } from './support/mutations.ts';
import { samplePrograms } from './support/sample-programs.ts';

/** SGLNB_MUTATIONS raises the number of edits; 10,000 is the full run. */
const edits = Number(process.env['SGLNB_MUTATIONS'] ?? 400);

it(`survives ${edits} random edits, every feature asked after each`, { timeout: 600_000 }, () => {
  const random = randomFrom(20260601);
  const service = createLanguageService();
  const uris = samplePrograms.map((_, i) => `cell:${i}`);
  const texts = [...samplePrograms];
  const reset = () => samplePrograms.forEach((text, i) => (texts[i] = text));
  for (let edit = 0; edit < edits; edit++) {
    if (edit % 40 === 0) reset();
    const at = Math.floor(random() * texts.length);
    texts[at] = mutate(texts[at] ?? '', random);
    service.setNotebook(
      'notebook:',
      uris.map((uri, i) => ({ uri, text: texts[i] ?? '' })),
    );
    const uri = uris[at] ?? '';
    const text = texts[at] ?? '';
    const offset = Math.floor(random() * (text.length + 1));
    try {
      for (const entry of service.diagnostics(uri)) {
        expect(entry.start).toBeGreaterThanOrEqual(0);
        expect(entry.end).toBeGreaterThanOrEqual(entry.start);
        expect(entry.end).toBeLessThanOrEqual(text.length);
      }
      service.completions(uri, offset);
      service.hover(uri, offset);
      service.definitions(uri, offset);
      service.references(uri, offset, true);
      service.prepareRename(uri, offset);
      service.signatureHelp(uri, offset);
      service.documentSymbols(uri);
      service.foldingRanges(uri);
      service.semanticTokens(uri);
      service.inlayHints(uri, 0, text.length);
      service.codeLenses(uri);
      service.codeActions(uri, offset, offset);
      service.prepareCallHierarchy(uri, offset);
    } catch (error) {
      throw new Error(`edit ${edit} broke the service:\n${texts.join('\n# ----\n')}`, {
        cause: error,
      });
    }
  }
});
