import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../language-server/src/features/diagnostics.ts';
import { rules } from '../../../language-server/src/features/rules.ts';
import { analyze, imports } from '../support/check.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../language-server/docs/rules');

describe('pages of the rules', () => {
  it('are there for every rule, and for nothing else', () => {
    expect(readdirSync(folder).toSorted()).toEqual(
      [...rules.keys()].map((code) => `${code}.md`).toSorted(),
    );
  });

  for (const code of rules.keys()) {
    const [bad = '', good = ''] = [
      ...readFileSync(join(folder, `${code}.md`), 'utf8').matchAll(/```python\n([^]*?)```/g),
    ].map((match) => match[1] ?? '');
    const codes = (text: string) => diagnose(analyze(imports, text)).map((entry) => entry.code);

    it(`show what ${code} reports, and what it does not`, () => {
      expect(codes(bad)).toContain(code);
      expect(codes(good)).not.toContain(code);
    });
  }
});
