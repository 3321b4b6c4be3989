/**
 * A small, safe subset of Markdown as HTML: headings, paragraphs, lists, tables, fenced and inline code,
 * emphasis, links. Raw HTML is shown as text.
 */
/** Control characters but tab and line breaks: an HTML page may not hold them. */
const CONTROLS = /(?![\t\n\r])\p{Cc}/gu;

export function escapeHtml(text: string): string {
  return text
    .replace(CONTROLS, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const SAFE_LINK = /^(?:https?:\/\/|mailto:|#)/i;

function inline(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part, index) =>
      index % 2 === 1 ? `<code>${escapeHtml(part.slice(1, -1))}</code>` : emphasis(part),
    )
    .join('');
}

function emphasis(text: string): string {
  return text
    .split(/(\[[^\]\n]+\]\([^()\s]+\))/)
    .map((part, index) => (index % 2 === 1 ? link(part) : marks(escapeHtml(part))))
    .join('');
}

function link(text: string): string {
  const split = text.lastIndexOf('](');
  const target = text.slice(split + 2, -1);
  const label = marks(escapeHtml(text.slice(1, split)));
  if (!SAFE_LINK.test(target)) return label;
  return `<a href="${escapeHtml(target)}" rel="noopener noreferrer">${label}</a>`;
}

/** On escaped text. */
function marks(html: string): string {
  return html
    .replace(/\*\*([^*\n]+)\*\*/g, '<strong>$1</strong>')
    .replace(/\*([^*\n]+)\*/g, '<em>$1</em>');
}

const FENCE = /^(`{3,}|~{3,})/;
const HEADING = /^(#{1,6}) +(.*?) *#*$/;
const TABLE_RULE = /^ {0,3}\|?(?: *:?-+:? *\|)+(?: *:?-+:? *)?$/;
const ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)]) +(.*)$/;

export function markdownToHtml(markdown: string): string {
  const lines = markdown.replaceAll('\r\n', '\n').split('\n');
  const html: string[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const fence = FENCE.exec(line)?.[1];
    const heading = HEADING.exec(line);
    if (line.trim() === '') at += 1;
    else if (fence !== undefined) at = fencedBlock(lines, at, fence, html);
    else if (heading !== null) {
      const level = heading[1]?.length ?? 1;
      html.push(`<h${level}>${inline(heading[2] ?? '')}</h${level}>`);
      at += 1;
    } else if (startsTable(lines, at)) at = table(lines, at, html);
    else if (ITEM.test(line)) at = list(lines, at, html);
    else at = paragraph(lines, at, html);
  }
  return html.join('\n');
}

function fencedBlock(
  lines: readonly string[],
  start: number,
  fence: string,
  html: string[],
): number {
  let end = start + 1;
  while (end < lines.length && !(lines[end] ?? '').startsWith(fence)) end += 1;
  html.push(`<pre><code>${escapeHtml(lines.slice(start + 1, end).join('\n'))}</code></pre>`);
  return end + 1;
}

/** A line with bars above a rule of dashes and bars. */
function startsTable(lines: readonly string[], at: number): boolean {
  return (lines[at] ?? '').includes('|') && TABLE_RULE.test(lines[at + 1] ?? '');
}

function table(lines: readonly string[], start: number, html: string[]): number {
  const head = tableCells(lines[start] ?? '');
  const rows: string[] = [];
  let at = start + 2;
  for (; (lines[at] ?? '').includes('|'); at += 1) {
    const cells = tableCells(lines[at] ?? '');
    rows.push(
      `<tr>${head.map((_, column) => `<td>${inline(cells[column] ?? '')}</td>`).join('')}</tr>`,
    );
  }
  const titles = head.map((cell) => `<th scope="col">${inline(cell)}</th>`).join('');
  html.push(`<table><thead><tr>${titles}</tr></thead><tbody>${rows.join('')}</tbody></table>`);
  return at;
}

/** Between bars; `\|` is a bar inside of a cell. */
function tableCells(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function list(lines: readonly string[], start: number, html: string[]): number {
  const tag = /^ {0,3}\d/.test(lines[start] ?? '') ? 'ol' : 'ul';
  const items: string[] = [];
  let at = start;
  for (; at < lines.length && (lines[at] ?? '').trim() !== ''; at += 1) {
    const line = lines[at] ?? '';
    const item = ITEM.exec(line)?.[1];
    if (item !== undefined) items.push(item);
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  const body = items.map((item) => `<li>${inline(item)}</li>`).join('');
  html.push(`<${tag}>${body}</${tag}>`);
  return at;
}

function paragraph(lines: readonly string[], start: number, html: string[]): number {
  let end = start + 1;
  const ends = (line: string) =>
    line.trim() === '' || FENCE.test(line) || HEADING.test(line) || ITEM.test(line);
  while (end < lines.length && !ends(lines[end] ?? '') && !startsTable(lines, end)) end += 1;
  html.push(`<p>${inline(lines.slice(start, end).join('\n'))}</p>`);
  return end;
}
