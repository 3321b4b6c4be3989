/**
 * Uris for the cells of a notebook file that is not open: the offset of the cell's text in the file,
 * because the uris that an editor would give them are not known.
 */
export function unitUri(file: string, offset: number): string {
  return `${file}#offset=${offset}`;
}

/** Any other uri is its own file, from its beginning. */
export function splitUnitUri(uri: string): { readonly uri: string; readonly offset: number } {
  const [, file = uri, offset = '0'] = /^(.*)#offset=(\d+)$/s.exec(uri) ?? [];
  return { uri: file, offset: Number(offset) };
}
