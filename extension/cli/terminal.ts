/** What output needs to know of the terminal it goes to. */
export interface Terminal {
  readonly isTty: boolean;
  readonly colour: boolean;
  readonly columns: number;
  write(text: string): void;
}

export type StyleName =
  | 'plain'
  | 'dim'
  | 'bold'
  | 'highlight'
  | 'role'
  | 'generated'
  | 'likely'
  | 'unlikely'
  | 'notice'
  | 'error';

const CODES: Readonly<Record<StyleName, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  highlight: '1;32',
  role: '1;35',
  generated: '36',
  likely: '32',
  unlikely: '31',
  notice: '33',
  error: '31',
};

/** The text in a style; each line on its own, so that pagers and logs stay readable. */
export function paint(terminal: Pick<Terminal, 'colour'>, style: StyleName, text: string): string {
  const code = CODES[style];
  if (!terminal.colour || code === '') return text;
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `\x1b[${code}m${line}\x1b[0m`))
    .join('\n');
}
