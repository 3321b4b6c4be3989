/** Images of programs: where they come from, where they go, and how much of them is shown. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { chatMessages } from '../../../extension/kernel/backends/chat-prompt.ts';
import { readImageFile } from '../../../extension/kernel/guest/read-image.ts';
import { ChatTemplateRegistry } from '../../../extension/kernel/sglang/chat-template.ts';
import { ProgramState } from '../../../extension/kernel/sglang/program-state.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-images-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PNG = 'iVBORw0KGgoAAAA=';
const JPEG = '/9j/4AAQ';

function stateWith(build: (state: ProgramState) => void): ProgramState {
  const state = new ProgramState(new ChatTemplateRegistry().get('chatml'), null);
  state.beginRole('user');
  build(state);
  state.endRole();
  return state;
}

describe('sources', () => {
  writeFileSync(join(folder, 'a.png'), Buffer.from(PNG, 'base64'));
  writeFileSync(join(folder, 'empty.png'), '');

  test.each([
    ['a.png', PNG],
    [`data:image/png;base64,${PNG}`, PNG],
    ['data:image/svg+xml,<svg/>', 'ValueError: The data: URL of an image must hold base64'],
    ['missing.png', 'FileNotFoundError: No such file: missing.png'],
    ['empty.png', 'ValueError: The image empty.png is empty.'],
    ['.', 'IsADirectoryError: This is a folder, not an image: .'],
    ['http://127.0.0.1:1/a.png', 'OSError: Cannot load the image http://127.0.0.1:1/a.png: '],
  ])('%s → %s', async (source, expected) => {
    const result = await readImageFile(source, folder).catch(
      (error: { pythonType?: string; message?: string }) => `${error.pythonType}: ${error.message}`,
    );
    expect(result.slice(0, expected.length)).toBe(expected);
  });

  test('a web address is loaded; another status than 200 is the reason', async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/a.png' ? 200 : 404;
      response.end(Buffer.from(PNG, 'base64'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect(await readImageFile(`${url}/a.png`, folder)).toBe(PNG);
      await expect(readImageFile(`${url}/b.png`, folder)).rejects.toThrow('answered 404');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe('messages', () => {
  test('carry the type of each image', () => {
    const state = stateWith((s) => {
      s.addImage(PNG);
      s.addImage(JPEG);
      s.fill('Which?');
    });
    expect(state.messages.at(-1)?.['content']).toEqual([
      { type: 'text', text: '<image><image>Which?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
      { type: 'image_url', image_url: { url: `data:image/jpeg;base64,${JPEG}` } },
    ]);
  });

  const shownTo = (build: (state: ProgramState) => void): unknown => {
    const { messages, images, text } = stateWith(build);
    const prompt = { messages, images, text, open: { role: 'assistant', text: '' } };
    const content = chatMessages(prompt).at(-1)?.['content'];
    return Array.isArray(content)
      ? content.map((part) =>
          JSON.stringify(part)
            .match(/"text":"(.*)"|image\/\w+/)
            ?.slice(0, 2),
        )
      : content;
  };

  test('chat services get text and images in the order of the program', () => {
    const parts = shownTo((s) => {
      s.fill('First: ');
      s.addImage(PNG);
      s.fill(' second: ');
      s.addImage(JPEG);
      s.fill(' Compare.');
    });
    expect(parts).toEqual([
      ['"text":"First: "', 'First: '],
      ['image/png', undefined],
      ['"text":" second: "', ' second: '],
      ['image/jpeg', undefined],
      ['"text":" Compare."', ' Compare.'],
    ]);
  });

  test('a mark that somebody wrote leaves the parts as they are', () => {
    const parts = shownTo((s) => {
      s.fill('What does <image> mean? ');
      s.addImage(PNG);
    });
    expect(parts).toEqual([
      ['"text":"What does <image> mean? <image>"', 'What does <image> mean? <image>'],
      ['image/png', undefined],
    ]);
  });
});

test('large images are sent, and left out of what is shown and saved', () => {
  const large = PNG + 'A'.repeat(3 << 20);
  const state = stateWith((s) => {
    s.addImage(PNG);
    s.addImage(large);
  });
  expect(state.images.map((image) => image.length)).toEqual([PNG.length, large.length]);
  const shown = state.segments.filter(({ kind }) => kind === 'image');
  expect(shown).toMatchObject([
    { base64: PNG },
    { base64: '', mime: 'image/png', omittedBytes: Math.floor((large.length * 3) / 4) },
  ]);
});
