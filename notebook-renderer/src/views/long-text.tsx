import { useState } from 'preact/hooks';
import { visibleText } from '../visible-text.ts';

/** Characters shown before the reader asks for more: laying out a megabyte freezes the window. */
export const SHOWN_CHARACTERS = 50_000;

/** Text of any length; the rest of a very long one is a button away. */
export function LongText({ text }: { readonly text: string }) {
  const [all, setAll] = useState(false);
  if (all || text.length <= SHOWN_CHARACTERS) return <>{visibleText(text)}</>;
  const hidden = text.length - SHOWN_CHARACTERS;
  return (
    <>
      {visibleText(text.slice(0, SHOWN_CHARACTERS))}
      <button type="button" onClick={() => setAll(true)}>
        Show {hidden.toLocaleString()} more characters
      </button>
    </>
  );
}
