/** One-way exports for people to read. Model output is text in all of them, never markup. */
import type { NotebookCell, NotebookDocument } from './document.ts';
import { escapeHtml, markdownToHtml } from './markdown-html.ts';
import { viewOutput, type OutputView } from './output-text.ts';

export { exportPython } from './python-export.ts';

/* ----------------------------------------------------------------------------- Markdown */

export function exportMarkdown(document: NotebookDocument): string {
  const blocks = document.cells.flatMap(({ kind, source, outputs }) => {
    if (kind === 'markdown') return [source.trim()];
    if (kind === 'raw') return [fenced(source, '')];
    return [
      fenced(source, 'python'),
      ...outputs.map(({ json }) => outputMarkdown(viewOutput(json))),
    ];
  });
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** A fence longer than any in the text, so that the text cannot end it. */
function fenced(text: string, language: string): string {
  const runs = text.match(/`{3,}/g) ?? [];
  const fence = '`'.repeat(runs.reduce((longest, run) => Math.max(longest, run.length + 1), 3));
  return `${fence}${language}\n${text.replace(/\n+$/, '')}\n${fence}`;
}

function outputMarkdown(view: OutputView): string {
  if (view.kind === 'image') {
    return `![output](data:${view.image.mime};base64,${view.image.base64})`;
  }
  return view.text.trim() === '' ? '' : fenced(view.text, 'text');
}

/* --------------------------------------------------------------------------------- HTML */

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
pre { overflow-x: auto; padding: .6rem .8rem; margin: .4rem 0; border-radius: 4px; }
pre, code { font-family: ui-monospace, monospace; font-size: .9em; }
table { border-collapse: collapse; }
th, td { padding: .2rem .6rem; border: 1px solid #8888; text-align: start; }
.source { background: #8881; border-left: 3px solid #8888; }
.output { white-space: pre-wrap; overflow-wrap: anywhere; }
.stderr { opacity: .75; }
.error { border-left: 3px solid #c33; }
.highlight { border-left: 3px solid #2a8; font-weight: 600; }
.notice { border-left: 3px solid #a80; }
.output img { max-width: 100%; }
`;

/** One file without scripts and without anything to load; its own policy forbids both. */
export function exportHtml(document: NotebookDocument, title: string): string {
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
  const body = document.cells.map(cellHtml).join('\n');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

function cellHtml({ kind, source, outputs }: NotebookCell): string {
  if (kind === 'markdown') return `<section>\n${markdownToHtml(source)}\n</section>`;
  const code = `<pre class="source"><code>${escapeHtml(source)}</code></pre>`;
  if (kind === 'raw') return `<section>\n${code}\n</section>`;
  const views = outputs.map(({ json }) => outputHtml(viewOutput(json)));
  return `<section>\n${[code, ...views].filter((html) => html !== '').join('\n')}\n</section>`;
}

function outputHtml(view: OutputView): string {
  if (view.kind === 'image') {
    const alternative = escapeHtml(view.alternative === '' ? 'output image' : view.alternative);
    return `<p class="output"><img alt="${alternative}" src="data:${view.image.mime};base64,${view.image.base64}"></p>`;
  }
  if (view.text === '') return '';
  const name = view.kind === 'stream' ? `stream ${view.name}` : view.kind;
  return `<pre class="output ${name}">${escapeHtml(view.text)}</pre>`;
}
