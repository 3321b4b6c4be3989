import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createTypeEngine } from '../../language-server/src/lsp-type-engine.ts';

it(
  'answers null and clears its reports when the engine dies, and gives up after a few starts',
  { timeout: 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'engine-'));
    const entry = join(folder, 'engine.mjs');
    writeFileSync(entry, 'process.exit(3);\n');
    const logged: string[] = [];
    const cleared: string[] = [];
    const engine = createTypeEngine({
      entry,
      onDiagnostics: (uri, diagnostics) => diagnostics.length === 0 && cleared.push(uri),
      log: (message) => logged.push(message),
    });
    engine.setNotebook('file:///n.sglnb', [{ uri: 'cell', text: 'x = 1', hidden: '' }]);
    const restarts = () => logged.filter((message) => message.includes('starting it again')).length;
    const deadline = Date.now() + 30_000;
    while (restarts() < 3 && Date.now() < deadline)
      await new Promise((done) => setTimeout(done, 50));
    expect(restarts()).toBe(3);
    expect(await engine.request('textDocument/hover', {})).toBeNull();
    expect(cleared).toContain('cell');
    engine.stop();
    rmSync(folder, { recursive: true, force: true });
  },
);
