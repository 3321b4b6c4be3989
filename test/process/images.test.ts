/**
 * Images through the real chain: the runtime process with the starter model's vision tower, and the
 * tutorial's multi-modal cells through the command line, the kernel and the runtime.
 */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import { viewOutput } from '../../extension/notebook-format/output-text.ts';
import { parseNotebook, serializeNotebook } from '../../extension/notebook-format/sglnb.ts';
import { startCli } from '../support/cli-process.ts';
import { type Colour, paintPng } from '../support/png.ts';
import { chat, root, RuntimeProcess, starter } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-images-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const RED: Colour = [220, 40, 40];
const BLUE: Colour = [45, 80, 220];
const WHITE: Colour = [248, 248, 248];

const disk = (colour: Colour, size = 144): Buffer =>
  paintPng(size, size, (x, y) =>
    Math.hypot(x + 0.5 - size / 2, y + 0.5 - size / 2) < size * 0.34 ? colour : WHITE,
  );
const box = (colour: Colour, size = 144): Buffer =>
  paintPng(size, size, (x, y) =>
    Math.max(Math.abs(x + 0.5 - size / 2), Math.abs(y + 0.5 - size / 2)) < size * 0.29
      ? colour
      : WHITE,
  );
const base64 = (image: Buffer): string => image.toString('base64');
const redDisk = base64(disk(RED));
const blueBox = base64(box(BLUE));
/** The red disk as lossless WebP. */
const webpDisk =
  'UklGRu4AAABXRUJQVlA4TOEAAAAvj8AjAA9wGPyT4x8Gf/7jAW4DMGwaSsrICT7Fp5nTOIUTGNOVKil0toj+M3Db' +
  'SFGW+bD9Q7aRwiNJOqCSJaCKBgBK2ZbN24fIwVfQI0ApRuTA6ZsgZsqJj28SocZPyOlKubD95Uj3kludfgn/cPsl' +
  '0scgHwRI0A8GyH0aRunTMo4+HaPyOTGCz40R++TBSH0CGkZGzcmXlBG/zaG+rqG+5H7+kX7+tX7+2X7+/X40xFAe' +
  'R50cBetH9xy1dBTVUV1HmQ31dhTecQHHKRw3MRzHcSXHuRx3MxzQcUnHSbdRyAAA';

const DESCRIBE = 'Describe the image in one short sentence.';
const asked = (images: number, question = DESCRIBE): string =>
  chat(`${'<image>'.repeat(images)}${question}`);
const greedy = { temperature: 0, max_new_tokens: 40 };

describe('the runtime', () => {
  let runtime: RuntimeProcess;
  beforeAll(async () => {
    runtime = await RuntimeProcess.start();
  });
  afterAll(() => runtime.stop());

  const describeImage = async (image_data: unknown, text = asked(1)) =>
    runtime.generate({ text, image_data, sampling_params: greedy });
  const encoded = (): number => runtime.output.match(/Image encoded in/g)?.length ?? 0;

  it('describes pictures', async () => {
    const { body } = await runtime.get('/get_model_info');
    expect(body.has_image_understanding).toBe(true);
    expect((await describeImage(redDisk)).text).toBe('A red circle on a white background.');
    expect((await describeImage(blueBox)).text).toBe('A blue square on a white background.');
  });

  it('takes every form of image_data, and finds the same picture in the cache', async () => {
    const file = join(folder, 'disk.png');
    writeFileSync(file, disk(RED));
    const before = encoded();
    for (const source of [
      redDisk,
      [redDisk],
      `data:image/png;base64,${redDisk}`,
      { url: `data:image/png;base64,${redDisk}` },
      file,
      pathToFileURL(file).href,
    ]) {
      const { text, meta_info: meta } = await describeImage(source);
      expect(text).toBe('A red circle on a white background.');
      expect(meta.cached_tokens).toBe(meta.prompt_tokens - 1);
    }
    expect(encoded()).toBe(before);
  });

  it('tells pictures apart by content: only what is before them is shared', async () => {
    const other = base64(disk([40, 165, 60]));
    await describeImage(redDisk);
    const before = encoded();
    const { meta_info: first } = await describeImage(other);
    expect(first.cached_tokens).toBeLessThan(20);
    expect(encoded()).toBe(before + 1);
    const { meta_info: second } = await describeImage(other, asked(1, 'Describe the picture.'));
    expect(second.cached_tokens).toBeGreaterThan(64);
    expect(encoded()).toBe(before + 1);
  });

  it('puts several images where their marks are', async () => {
    const text = chat('First: <image> second: <image> What is in the second image?');
    const answer = await runtime.generate({
      text,
      image_data: [redDisk, blueBox],
      sampling_params: { ...greedy, max_new_tokens: 4 },
    });
    const { body } = await runtime.post('/tokenize', {
      prompt: chat('First:  second:  What is in the second image?'),
    });
    const perImage = 64;
    expect(Math.abs(answer.meta_info.prompt_tokens - body.count - 2 * perImage)).toBeLessThan(6);
  });

  it('computes images in the same step as other requests, with the same answers', async () => {
    const requests = [
      { text: asked(1), image_data: base64(disk([135, 60, 170])) },
      { text: chat('What is the capital of France?') },
      { text: asked(1), image_data: base64(box(RED)) },
      { text: chat('What is the capital of Italy?') },
    ].map((request) => ({ ...request, sampling_params: greedy }));
    const together = await Promise.all(requests.map((request) => runtime.generate(request)));
    expect(together.map(({ text }) => text)).toEqual([
      'A purple circle on a white background.',
      expect.stringContaining('Paris'),
      'A red square on a white background.',
      expect.stringContaining('Rome'),
    ]);
    await runtime.post('/flush_cache', {});
    const alone = [];
    for (const request of requests) alone.push(await runtime.generate(request));
    expect(alone.map(({ text }) => text)).toEqual(together.map(({ text }) => text));
    expect(await runtime.freeCells()).toEqual({ inUse: 0, running: 0, queued: 0 });
  });

  it('scores choices and prompt tokens behind an image', async () => {
    const [red, blue] = await runtime.generate({
      text: ['A red', 'A blue'].map((start) => asked(1) + start),
      image_data: redDisk,
      sampling_params: { max_new_tokens: 0, temperature: 0 },
      return_logprob: true,
      logprob_start_len: 0,
      return_text_in_logprobs: true,
    });
    const last = (answer: typeof red): number => answer.meta_info.input_token_logprobs.at(-1)[0];
    expect(last(red)).toBeGreaterThan(last(blue) + 1);
    const images = red.meta_info.input_token_logprobs.filter(
      ([, , text]: [number, number, string]) => text === '<image>',
    );
    expect(images).toHaveLength(64);
    expect(images.every(([logprob]: [number | null]) => logprob === null)).toBe(true);
  });

  it("takes image_url parts of OpenAI's chat API", async () => {
    const content = [
      { type: 'image_url', image_url: { url: `data:image/png;base64,${blueBox}` } },
      { type: 'text', text: DESCRIBE },
    ];
    const ask = (parts: unknown) =>
      runtime.post('/v1/chat/completions', {
        model: 'm',
        temperature: 0,
        messages: [{ role: 'user', content: parts }],
      });
    const { body } = await ask(content);
    expect(body.choices[0].message.content).toBe('A blue square on a white background.');
    const wrong = await ask([{ type: 'image_url', image_url: {} }]);
    expect([wrong.status, wrong.body.message]).toEqual([
      400,
      'image_url must be {"url": "data:image/png;base64,…"} or another URL',
    ]);
  });

  it('sees the same in WebP', async () => {
    const [png, webp] = [await describeImage(redDisk), await describeImage(webpDisk)];
    expect(webp.text).toBe(png.text);
    expect(webp.text).toMatch(/red/);
  });

  it.each<[string, object, string]>([
    ['no image', { image_data: 'aGVsbG8gd29ybGQ=' }, 'neither PNG, JPEG, GIF nor WebP'],
    ['no base64', { image_data: 'what?!' }, 'neither base64, nor a URL'],
    ['a missing file', { image_data: '/missing/a.png' }, 'cannot read the image file'],
    ['an unreachable address', { image_data: 'http://127.0.0.1:1/a.png' }, 'cannot load the image'],
    ['half an image', { image_data: redDisk.slice(0, 200) }, 'The image is damaged'],
    ['more images than marks', { image_data: [redDisk, redDisk] }, '1 place for images'],
    ['the second is bad', { text: asked(2), image_data: [redDisk, 'eA=='] }, 'Image 2 of 2: '],
    [
      'more than the context holds',
      { text: asked(30), image_data: Array(30).fill(redDisk) },
      '1920 of them for images',
    ],
    ['too many', { image_data: Array(65).fill(redDisk) }, 'at most 64 are possible'],
    ['token ids', { text: undefined, input_ids: [5], image_data: redDisk }, 'a prompt as text'],
  ])('refuses %s', async (_, request, expected) => {
    const { status, body } = await runtime.post('/generate', {
      text: asked(1),
      sampling_params: greedy,
      ...request,
    });
    expect(status).toBe(400);
    expect(body.error.message).toContain(expected);
  });
});

describe('a model without a vision tower', () => {
  const model = join(folder, 'text-only.gguf');
  copyFileSync(starter, model);

  it('refuses images, and says what to do', async () => {
    const runtime = await RuntimeProcess.start(['--model-path', model]);
    try {
      const request = { text: asked(1), image_data: redDisk, sampling_params: greedy };
      const { status, body } = await runtime.post('/generate', request);
      expect(status).toBe(400);
      expect(body.error.message).toContain('reads text only. Launch a model with vision support');
    } finally {
      await runtime.stop();
    }
  });

  it.each([
    [starter, 'is a llama model, not a vision projector'],
    ['/missing/mmproj.gguf', 'Cannot open the projector file'],
  ])('does not start with the wrong projector: %s', async (file, expected) => {
    const { code, output } = await RuntimeProcess.runToEnd(['--mmproj', file]);
    expect([code, output]).toEqual([3, expect.stringContaining(expected)]);
  });
});

const tutorial = join(root, '..', 'shared', 'tutorial', 'cells.json');

describe("the tutorial's multi-modal cells", () => {
  it('run unchanged when the image is there; wget says what it says in a terminal', async (context) => {
    if (!existsSync(tutorial)) {
      context.skip(`the tutorial's cells are not at ${tutorial}`);
      return;
    }
    const parsed: { cells: { kind: string; text: string }[] } = JSON.parse(
      readFileSync(tutorial, 'utf8'),
    );
    const start = parsed.cells.findIndex(({ text }) => text.startsWith('## Multi-modal'));
    const code = parsed.cells
      .slice(start)
      .flatMap(({ kind, text }) => (kind === 'code' ? text : []));
    expect(code).toHaveLength(6);
    const [launch, backend, wget, ask, remove, terminate] = code as [string, ...string[]];
    const imports =
      'from sglang import *\nfrom sglang.utils import *\nfrom sglang.test.test_utils import is_in_ci';
    const copy = 'import shutil\nshutil.copy("given.png", "example_image.png");';
    const pictures = [
      `import base64\ndata = base64.b64decode(${JSON.stringify(blueBox)})`,
      'class Picture:',
      '    """What is used of a PIL image."""',
      '    def __init__(self, mode): self.mode = mode',
      '    def convert(self, mode): return Picture(mode)',
      '    def save(self, out, format):',
      '        if self.mode == "CMYK": raise OSError("cannot write mode CMYK as PNG")',
      '        out.write(data if format == "PNG" else b"")',
      `for source in (data, Picture("RGB"), Picture("CMYK"), "data:image/png;base64,${redDisk}", "given.png"):`,
      `    print("seen:", image_qa.run(image_file=source, question="${DESCRIBE}")["answer"])`,
      'print("missing:", image_qa.run(image_file="nowhere.png", question="?").error())',
    ].join('\n');
    writeFileSync(join(folder, 'given.png'), disk(RED));
    const sources = [imports, launch, backend, wget, copy, ask, pictures, remove, terminate];
    const file = join(folder, 'multi-modal.sglnb');
    const cells = sources.map((source, index) => newCell('code', `c${index + 1}`, source ?? ''));
    writeFileSync(file, serializeNotebook(newDocument(cells)));
    const output = join(folder, 'executed.sglnb');
    const { exitCode, stdout } = await startCli('bundle', ['run', file, '--output', output], folder)
      .result;
    expect(exitCode, stdout).toBe(0);
    const shown = parseNotebook(readFileSync(output, 'utf8')).document.cells.map((cell) =>
      cell.outputs
        .map(({ json }) => viewOutput(json))
        .map((view) => (view.kind === 'highlight' || view.kind === 'stream' ? view.text : ''))
        .join(''),
    );
    expect(shown[3]).toMatch(/wget|github/);
    const seen = [/A .*\./.exec(shown[5]!)?.[0], ...(shown[6]!.match(/(?<=seen: ).*/g) ?? [])];
    const right = ['red circle', ...Array(3).fill('blue square'), ...Array(2).fill('red circle')];
    expect(seen).toHaveLength(right.length);
    // The tutorial samples at temperature 1, so that now and then an answer is another.
    const same = right.filter((what, index) => seen[index] === `A ${what} on a white background.`);
    expect(same.length, seen.join('\n')).toBeGreaterThanOrEqual(4);
    expect(shown[6]).toMatch(/missing: .*No such file: nowhere\.png/);
    expect(existsSync(join(folder, 'example_image.png'))).toBe(false);
  });
});
