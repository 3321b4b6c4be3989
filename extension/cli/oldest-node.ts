/** The kernel and the runtime use what older ones lack. */
export const OLDEST_NODE = 22;

export function isTooOld(version: string): boolean {
  return Number(version.split('.')[0]) < OLDEST_NODE;
}

/** Why this Node cannot run the command, or null; `doctor` runs anywhere, and says the same. */
export function nodeComplaint(version: string, command: string | undefined): string | null {
  if (!isTooOld(version) || command === 'doctor') return null;
  return `sglnb: Node ${OLDEST_NODE} or newer is needed; this is ${version}. In a checkout, "npm run sglnb -- …" brings its own.\n`;
}
