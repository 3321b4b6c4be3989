import { describe, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import type { NotebookCell } from '../../extension/notebook-format/document.ts';
import {
  exportHtml,
  exportMarkdown,
  exportPython,
} from '../../extension/notebook-format/exports.ts';
import type { JsonObject } from '../../extension/notebook-format/json.ts';
import { markdownToHtml } from '../../extension/notebook-format/markdown-html.ts';
import { SGLANG_MIMES } from '../../extension/notebook-format/output-text.ts';
import { importPython } from '../../extension/notebook-format/python-import.ts';
import * as payloads from '../../extension/protocol/output-payloads.ts';

const ATTACK = `<script>alert(1)</script><img src=x onerror="alert(1)">' \u001b[31mred`;

const withOutputs = (...outputs: JsonObject[]): NotebookCell => ({
  ...newCell('code', 'a', 'x'),
  outputs: outputs.map((json) => ({ json })),
});
const highlight = (text: string): JsonObject => ({
  output_type: 'display_data',
  data: { 'text/plain': text, [SGLANG_MIMES.highlight]: { text } },
});

it('knows the MIME types of the kernel by their names', () => {
  expect(SGLANG_MIMES).toEqual({
    highlight: payloads.HIGHLIGHT_MIME,
    state: payloads.STATE_MIME,
    batch: payloads.BATCH_MIME,
    notice: payloads.NOTICE_MIME,
  });
});

describe('Python', () => {
  const source = 'import os\n!ls \\\n  -la\nif x:\n    %time f()\n';
  const document = newDocument([
    { ...newCell('markdown', 'm', '# Title\n\ntext'), metadata: { title: 'Intro' } },
    newCell('code', 'a', source),
    newCell('code', 'b', '%%bash\necho hi'),
  ]);

  it('is valid: shell lines and magics are comments', () => {
    expect(exportPython(document)).toBe(
      '# %% Intro [markdown]\n# # Title\n#\n# text\n\n' +
        '# %%\nimport os\n# !ls \\\n  # -la\nif x:\n    # %time f()\n\n' +
        '# %%\n# %%bash\n# echo hi\n',
    );
  });

  it('comes back with shell lines and magics alive', () => {
    const sources = importPython(exportPython(document)).cells.map((cell) => cell.source);
    expect(sources[0]).toBe('# Title\n\ntext');
    expect(sources[1]).toContain('!ls \\\n  -la');
    expect(sources[1]).toContain('    %time f()');
    expect(sources[2]).toBe('%%bash\necho hi');
  });

  it('without markers is one cell', () => {
    const { cells } = importPython('x = 1\r\nprint(x)\r\n');
    expect(cells.map((cell) => cell.source)).toEqual(['x = 1\nprint(x)']);
  });
});

describe('Markdown', () => {
  it('fences code and outputs so that no text can end the fence', () => {
    const cell = withOutputs({ output_type: 'stream', name: 'stdout', text: 'a\n```\nb\n' });
    expect(exportMarkdown(newDocument([newCell('markdown', 'm', '# T\n'), cell]))).toBe(
      '# T\n\n```python\nx\n```\n\n````text\na\n```\nb\n````\n',
    );
  });
});

describe('HTML', () => {
  const html = exportHtml(
    newDocument([
      newCell('markdown', 'm', `# Head ${ATTACK}\n[x](javascript:alert(1)) [y](https://a.b/c"d)`),
      newCell('code', 'c', ATTACK),
      newCell('raw', 'r', ATTACK),
      withOutputs(
        highlight(ATTACK),
        { output_type: 'stream', name: 'stdout"><script>', text: ATTACK },
        { output_type: 'error', ename: ATTACK, evalue: ATTACK, traceback: [] },
        { output_type: 'display_data', data: { 'text/html': ATTACK, 'text/plain': 'plain' } },
        { output_type: 'display_data', data: { 'image/svg+xml': ATTACK, 'text/plain': 'drawing' } },
        {
          output_type: 'display_data',
          data: { 'image/png': '"><script>', 'text/plain': 'bad image' },
        },
        { output_type: 'display_data', data: { 'image/png': 'iVBO\nRw==', 'text/plain': ATTACK } },
      ),
    ]),
    `${ATTACK}.sglnb`,
  );

  it('has no scripts, handlers or foreign links, whatever the notebook says', () => {
    expect(html).not.toMatch(/<script|<img src=x|href="javascript/i);
    expect(html).not.toContain('\u001b');
    expect(html.match(/<(?!\/)(\w+)/g)?.map((tag) => tag.slice(1))).toSatisfy((tags: string[]) =>
      tags.every((tag) =>
        'html head meta title style body main section h1 p a pre code img'.split(' ').includes(tag),
      ),
    );
    expect(html).toContain("default-src 'none'");
    expect(html.replace(/"[^"]*"/g, '')).not.toMatch(/<[^>]+ on\w+=/);
  });

  it('shows text as text, and images inside the file', () => {
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(html).toContain('src="data:image/png;base64,iVBORw=="');
    expect(html).toContain('drawing');
    expect(html).toContain('bad image');
  });
});

describe('Markdown as HTML', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['# A `b`', '<h1>A <code>b</code></h1>'],
    ['a **b** *c*', '<p>a <strong>b</strong> <em>c</em></p>'],
    ['- a\n- b\n  c', '<ul><li>a</li><li>b c</li></ul>'],
    ['1. a\n2. b', '<ol><li>a</li><li>b</li></ol>'],
    ['```py\n<b>\n```', '<pre><code>&lt;b&gt;</code></pre>'],
    ['[a](https://b.c)', '<p><a href="https://b.c" rel="noopener noreferrer">a</a></p>'],
    ['[a](data:text/html,x)', '<p>a</p>'],
    ['`**a**`', '<p><code>**a**</code></p>'],
    [
      'x\n| a | `b` |\n| --- | :-: |\n| 1 | <b> |\n| c \\| d |\n\ny',
      '<p>x</p>\n<table><thead><tr><th scope="col">a</th><th scope="col"><code>b</code></th></tr></thead><tbody><tr><td>1</td><td>&lt;b&gt;</td></tr><tr><td>c | d</td><td></td></tr></tbody></table>\n<p>y</p>',
    ],
    ['a | b\nno table', '<p>a | b\nno table</p>'],
    ['a\n# b\nc', '<p>a</p>\n<h1>b</h1>\n<p>c</p>'],
  ];
  for (const [markdown, html] of cases) {
    it(JSON.stringify(markdown), () => expect(markdownToHtml(markdown)).toBe(html));
  }
});
