/**
 * Characters that change how the text around them is shown, or that hide in it: controls, bidirectional
 * marks, line separators, spaces without width and invisible tags. Joiners stay: scripts and emoji need
 * them.
 */
const CONTROLS =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/**
 * Text as it is safe to show: C0 controls become their Unicode pictures (␛ for escape), the others
 * become `⟨U+202E⟩`. Newlines and tabs stay.
 */
export function visibleText(text: string): string {
  return text.replace(CONTROLS, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

/** A token in a line of its own: what it breaks or indents is a sign, too. */
export function visibleToken(text: string): string {
  return visibleText(text).replaceAll('\n', '↵').replaceAll('\t', '⇥');
}
