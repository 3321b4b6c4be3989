import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseNotebook, serializeNotebook } from '../../extension/notebook-format/sglnb.ts';

const file = new URL('../../extension/examples/sglang-tour.sglnb', import.meta.url);

describe('the example notebook', () => {
  const text = readFileSync(file, 'utf8');
  const { document, warnings } = parseNotebook(text);

  it('is written as this format writes notebooks', () => {
    expect(warnings).toEqual([]);
    expect(document.cells.filter(({ verbatim }) => verbatim !== undefined)).toEqual([]);
    expect(serializeNotebook(document)).toBe(text);
  });

  it('shows every feature of the frontend tutorial', () => {
    const code = document.cells.flatMap(({ kind, source }) => (kind === 'code' ? [source] : []));
    const features =
      'execute_shell_command wait_for_server set_default_backend RuntimeEndpoint @function system( user( assistant( gen( choices= fork( join( regex= run_batch( stream=True text_iter( user_begin( assistant_end( messages( print_highlight( terminate_process(';
    for (const feature of features.split(' ')) expect(code.join('\n')).toContain(feature);
  });
});
