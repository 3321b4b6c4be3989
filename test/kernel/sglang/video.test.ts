/** Frames of videos. Making a video needs ffmpeg too: without it only the errors are tested. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameIndices, readVideoFrames } from '../../../extension/kernel/guest/read-video.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const signal = new AbortController().signal;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'video-'));
  writeFileSync(join(folder, 'text.mp4'), 'not a video');
});
afterAll(() => rmSync(folder, { recursive: true }));

test.for<readonly [total: number, count: number, expected: readonly number[]]>([
  [10, 1, [0]],
  [10, 2, [0, 9]],
  [10, 4, [0, 3, 6, 9]],
  [3, 5, [0, 0, 1, 1, 2]],
])('%i frames, of which %i', ([total, count, expected]) => {
  expect(frameIndices(total, count)).toEqual(expected);
});

test('frames come as PNG files in base64, the last one repeated when the video is short', async ({
  skip,
}) => {
  skip(!hasFfmpeg, 'not run: this machine has no ffmpeg');
  const source = ['-f', 'lavfi', '-i', 'testsrc=duration=1:size=32x24:rate=10'];
  const made = spawnSync('ffmpeg', ['-v', 'error', ...source, join(folder, 'a.mp4')]);
  expect(String(made.stderr)).toBe('');
  for (const count of [1, 4, 12]) {
    const { data, first } = await readVideoFrames('a.mp4', count, folder, signal);
    const bytes = Buffer.from(data.replace(/^video:/, ''), 'base64');
    expect(bytes.toString('latin1').split('\u0089PNG').length - 1).toBe(count);
    expect(bytes.subarray(0, 40)).toEqual(Buffer.from(first, 'base64').subarray(0, 40));
  }
});

test.for<readonly [file: string, count: number, message: string]>([
  ['none.mp4', 3, 'No such file: none.mp4'],
  ['text.mp4', 0, 'at least 1'],
  ['text.mp4', 3, hasFfmpeg ? 'ffmpeg finds no video in text.mp4' : 'needs the program ffmpeg'],
])('%s, %i frames', async ([file, count, message]) => {
  await expect(readVideoFrames(file, count, folder, signal)).rejects.toThrow(message);
});

test('without ffmpeg the error says what to install', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    await expect(readVideoFrames('text.mp4', 3, folder, signal)).rejects.toThrow(
      'needs the program ffmpeg, which is not installed',
    );
  } finally {
    process.env['PATH'] = path;
  }
});
