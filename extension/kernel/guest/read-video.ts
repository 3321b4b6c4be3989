/** Frames of a video file by the host's ffmpeg, in the form that SGLang servers take. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { ProgramError } from '../sglang/program-error.ts';

/** `data` is `video:` and the PNG files of all frames, one after the other, in base64. */
export interface VideoFrames {
  readonly data: string;
  /** Base64 of the first frame, to show. */
  readonly first: string;
}

/** Most bytes of all frames together. */
const MOST_BYTES = 256 << 20;
const PATIENCE = 120_000;
const PNG_END = Buffer.from('IEND');
/** After `IEND` a PNG file has a checksum of four bytes. */
const PNG_TAIL = 8;

/** Every chosen frame once: the option's name since ffmpeg 5.1, and the one before, which newer versions refuse. */
const ONCE = [
  ['-fps_mode', 'passthrough'],
  ['-vsync', '0'],
] as const;

const run = promisify(execFile);

/**
 * `count` frames, evenly spread from the first to the last (SGLang: `linspace(0, total - 1, count)`);
 * a video with fewer frames repeats its last one.
 * @throws ProgramError when there is no ffmpeg, no such file, or no video in it.
 */
export async function readVideoFrames(
  source: string,
  count: number,
  cwd: string,
  signal: AbortSignal,
): Promise<VideoFrames> {
  if (!Number.isInteger(count) || count < 1)
    throw new ProgramError('ValueError', `video needs a number of frames of at least 1.`);
  const path = resolve(cwd, source);
  if ((await stat(path).catch(() => null)) === null)
    throw new ProgramError('FileNotFoundError', `No such file: ${source}`);
  const total = await countFrames(path, source, signal);
  const indices = frameIndices(total, count);
  const select = [...new Set(indices)].map((index) => `eq(n\\,${index})`).join('+');
  const images = splitPngs(await readFrames(path, select, source, signal));
  const last = images.at(-1);
  const [first] = images;
  if (first === undefined || last === undefined) throw noVideo(source);
  while (images.length < count) images.push(last);
  return {
    data: `video:${Buffer.concat(images).toString('base64')}`,
    first: first.toString('base64'),
  };
}

/** Rounded down, as numpy's `linspace(…, dtype=int)` does. */
export function frameIndices(total: number, count: number): readonly number[] {
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, index) =>
    Math.floor((index * (total - 1)) / (count - 1)),
  );
}

async function readFrames(
  path: string,
  select: string,
  source: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const input = ['-i', path, '-vf', `select=${select}`];
  const output = ['-f', 'image2pipe', '-c:v', 'png', '-'];
  const [newer, older] = ONCE;
  try {
    return await ffmpeg([...input, ...newer, ...output], source, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return ffmpeg([...input, ...older, ...output], source, signal);
  }
}

/** Without decoding. By ffmpeg itself: not every installation has its ffprobe. */
async function countFrames(path: string, source: string, signal: AbortSignal): Promise<number> {
  const copied = [
    '-i',
    path,
    '-map',
    '0:v:0',
    '-c',
    'copy',
    '-f',
    'null',
    '-progress',
    'pipe:1',
    '-',
  ];
  const reports = (await ffmpeg(copied, source, signal)).toString();
  const [, total] = [...reports.matchAll(/^frame=\s*(\d+)/gm)].at(-1) ?? [];
  if (!(Number(total) > 0)) throw noVideo(source);
  return Number(total);
}

async function ffmpeg(
  args: readonly string[],
  source: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const options = { encoding: 'buffer', maxBuffer: MOST_BYTES, timeout: PATIENCE, signal } as const;
  try {
    const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', ...args], options);
    return stdout;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new ProgramError(
        'RuntimeError',
        'video needs the program ffmpeg, which is not installed here. Install it ' +
          '(https://ffmpeg.org), or pass some of the frames with image().',
      );
    }
    throw noVideo(source, lastLine(error));
  }
}

function noVideo(source: string, reason = ''): ProgramError {
  const said = reason === '' ? '.' : `: ${reason}`;
  return new ProgramError('ValueError', `ffmpeg finds no video in ${source}${said}`);
}

/** Of what a program that failed wrote to stderr. */
function lastLine(error: unknown): string {
  const written =
    error instanceof Error && 'stderr' in error && error.stderr instanceof Buffer
      ? error.stderr.toString()
      : '';
  return written.trim().split('\n').at(-1) ?? '';
}

function splitPngs(data: Buffer): Buffer[] {
  const images: Buffer[] = [];
  for (let start = 0; start < data.length;) {
    const end = data.indexOf(PNG_END, start);
    if (end === -1) break;
    images.push(data.subarray(start, end + PNG_TAIL));
    start = end + PNG_TAIL;
  }
  return images;
}
