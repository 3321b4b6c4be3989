import { useState } from 'preact/hooks';
import { visibleText } from '../visible-text.ts';

/** Characters shown before the reader asks for more: laying out a megabyte freezes the window. */
export const SHOWN_CHARACTERS = 50_000;
/** A block of lines is laid out as a whole; only the last one changes while text streams in. */
const BLOCK_CHARACTERS = 2_000;

/** Text of any length; the rest of a very long one is a button away. */
export function LongText({ text }: { readonly text: string }) {
  const [all, setAll] = useState(false);
  if (all || text.length <= SHOWN_CHARACTERS) return <Blocks text={text} />;
  const hidden = text.length - SHOWN_CHARACTERS;
  return (
    <>
      <Blocks text={text.slice(0, SHOWN_CHARACTERS)} />
      <button type="button" onClick={() => setAll(true)}>
        Show {hidden.toLocaleString()} more characters
      </button>
    </>
  );
}

function Blocks({ text }: { readonly text: string }) {
  const [first = '', ...rest] = lineBlocks(text);
  return (
    <>
      {visibleText(first)}
      {rest.map((block, index) => (
        <span key={index} class="block">
          {visibleText(block)}
        </span>
      ))}
    </>
  );
}

/** Cuts behind line ends, so that text which grows at its end only changes the last block. */
function lineBlocks(text: string): string[] {
  const blocks: string[] = [];
  let start = 0;
  while (text.length - start > BLOCK_CHARACTERS) {
    const end = text.indexOf('\n', start + BLOCK_CHARACTERS);
    if (end === -1) break;
    blocks.push(text.slice(start, end + 1));
    start = end + 1;
  }
  if (start < text.length || blocks.length === 0) blocks.push(text.slice(start));
  return blocks;
}
