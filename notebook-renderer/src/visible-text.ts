/** Characters that change how the text around them is shown, made visible instead of obeyed. */
const CONTROLS =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]/g;

/**
 * Text as it is safe to show: C0 controls become their Unicode pictures (␛ for escape), C1 and
 * bidirectional controls become `⟨U+202E⟩`. Newlines and tabs stay.
 */
export function visibleText(text: string): string {
  return text.replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}
