import process from 'node:process';

/** Milliseconds on a clock that nobody sets and that all threads share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
