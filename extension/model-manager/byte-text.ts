const UNITS = ['kB', 'MB', 'GB', 'TB'];

/** Bytes in decimal units with three digits, as download pages show them: `491 MB`, `1.12 GB`. */
export function byteText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  let value = bytes;
  let unit = '';
  for (const next of UNITS) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return `${value.toPrecision(3)} ${unit}`;
}
