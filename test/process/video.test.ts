/** Videos in programs, read by a real ffmpeg, in both guests. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { pythonWith } from '../support/python-packages.ts';

// The package has an ffmpeg of its own, and no ffprobe, as many installations.
const found = await pythonWith('imageio-ffmpeg', ['imageio-ffmpeg']);
const GUESTS: readonly (readonly [name: string, guest: GuestChoice])[] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', { kind: 'cpython', executable: found.python ?? 'python3' }],
];
if (found.missing !== null) console.warn(`video test ${found.missing}`);

const folder = mkdtempSync(join(tmpdir(), 'video-'));
const path = `${join(folder, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`;
beforeAll(() => {
  if (found.python === null) return;
  const ask = 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())';
  const ffmpeg = execFileSync(found.python, ['-c', ask], { encoding: 'utf8' }).trim();
  mkdirSync(join(folder, 'bin'));
  symlinkSync(ffmpeg, join(folder, 'bin', 'ffmpeg'));
  const source = ['-f', 'lavfi', '-i', 'testsrc=duration=1:size=32x24:rate=10'];
  execFileSync(ffmpeg, ['-v', 'error', ...source, join(folder, 'a.mp4')]);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(found.missing !== null).each(GUESTS)('%s', (_, guest) => {
  const server = new MockSglangServer();
  let kernel: KernelDriver;
  const before = process.env['PATH'];
  beforeAll(async () => {
    process.env['PATH'] = path;
    const endpoint = await server.listen();
    kernel = new KernelDriver({ guest, endpoint, cwd: folder, env: { PATH: path } });
    process.env['PATH'] = before;
  });
  afterAll(async () => {
    await kernel.close();
    await server.close();
  });

  test('frames go to the server', async () => {
    const { text, outcome } = await kernel.run(`from sglang import *
from sglang.utils import encode_video_base64
import base64
@function
def sees(s, frames):
    s += user(video("a.mp4", frames) + "What?") + assistant(gen("a"))
for frames in (1, 3, 12):
    state = sees.run(frames)
    data = encode_video_base64("a.mp4", frames)
    print(state["a"], base64.b64decode(data[6:]).count(b"IEND"), len(state.messages()))
print(repr(sees.run(0).error()))
print(repr(video("v", 3)))`);
    expect(outcome, text).toEqual({ status: 'ok' });
    expect(text.replace(/^Error in .*\n/m, '')).toBe(
      [1, 3, 12].map((n) => ` Paris is nice ${n} 3\n`).join('') +
        "ValueError('video needs a number of frames of at least 1.')\nSglVideo(v, 3)\n",
    );
    const sent = server.requests.flatMap(({ body }) => {
      const data = (body as { readonly image_data?: string } | null)?.image_data;
      return typeof data === 'string' ? [data.slice(0, 6)] : [];
    });
    expect(sent).toEqual(['video:', 'video:', 'video:']);
  });

  test('what is no video is said with the words of ffmpeg', async () => {
    const { text } = await kernel.run(
      'open("no.mp4", "w").write("text")\n@function\ndef p(s): s += video("no.mp4", 2)\nprint(p.run().error())',
    );
    expect(text).toMatch(/ffmpeg finds no video in \S*no\.mp4: .*no\.mp4|Invalid data/);
  });
});

test('videos were tested', ({ skip }) => {
  skip(found.missing !== null, found.missing ?? '');
  expect(found.python).not.toBeNull();
});
