/**
 * What the starter model says about pictures that another program than its training's draws, through the
 * real runtime: every kind of caption, for combinations of shape and colour that it learned and for
 * those that were held out.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PaintedShape, paintShapes } from '../support/shapes.ts';
import { chat, RuntimeProcess } from './runtime-process.ts';

const one = (colour: string, shape: string, at?: readonly [number, number]): PaintedShape[] => [
  { colour, shape, ...(at && { at, radius: 0.15 }) },
];
const several = (
  colour: string,
  shape: string,
  ...places: (readonly [number, number])[]
): PaintedShape[] => places.map((at) => ({ colour, shape, at, radius: 0.15 }));
const beside = (first: string, second: string, vertical: boolean): PaintedShape[] =>
  [first, second].map((words, index) => {
    const [colour = '', shape = ''] = words.split(' ');
    const far = index === 0 ? 0.25 : 0.75;
    return { colour, shape, at: vertical ? [0.5, far] : [far, 0.5], radius: 0.18 };
  });

const learned: [string, string, PaintedShape[]][] = [
  ['A red circle on a white background.', 'white', one('red', 'circle')],
  ['A blue square on a yellow background.', 'yellow', one('blue', 'square')],
  ['A green star on a black background.', 'black', one('green', 'star')],
  ['A purple triangle on a pink background.', 'pink', one('purple', 'triangle')],
  ['An orange diamond on a blue background.', 'blue', one('orange', 'diamond')],
  ['A white cross on a red background.', 'red', one('white', 'cross')],
  [
    'A yellow circle at the top left of a blue image.',
    'blue',
    one('yellow', 'circle', [0.22, 0.22]),
  ],
  ['A red square at the bottom of a white image.', 'white', one('red', 'square', [0.5, 0.8])],
  [
    'Two green triangles on a white background.',
    'white',
    several('green', 'triangle', [0.25, 0.3], [0.7, 0.65]),
  ],
  [
    'Three red circles on a black background.',
    'black',
    several('red', 'circle', [0.2, 0.2], [0.5, 0.55], [0.8, 0.25]),
  ],
  [
    'Four yellow squares on a blue background.',
    'blue',
    several('yellow', 'square', [0.2, 0.25], [0.75, 0.2], [0.3, 0.75], [0.8, 0.7]),
  ],
  [
    'Five green circles on a white background.',
    'white',
    several('green', 'circle', [0.2, 0.2], [0.8, 0.2], [0.5, 0.5], [0.2, 0.8], [0.8, 0.8]),
  ],
  [
    'A red circle to the left of a blue square on a white background.',
    'white',
    beside('red circle', 'blue square', false),
  ],
  [
    'A yellow star above a green diamond on a black background.',
    'black',
    beside('yellow star', 'green diamond', true),
  ],
  ['A plain green image.', 'green', []],
];

const heldOut: [string, string, PaintedShape[]][] = [
  ['An orange circle on a white background.', 'white', one('orange', 'circle')],
  ['A green square on a white background.', 'white', one('green', 'square')],
  ['A red triangle on a white background.', 'white', one('red', 'triangle')],
  ['A blue star on a yellow background.', 'yellow', one('blue', 'star')],
  ['A yellow diamond on a blue background.', 'blue', one('yellow', 'diamond')],
  ['A black cross on a pink background.', 'pink', one('black', 'cross')],
  [
    'A pink square at the top right of a black image.',
    'black',
    one('pink', 'square', [0.78, 0.22]),
  ],
  [
    'Two blue stars on a white background.',
    'white',
    several('blue', 'star', [0.3, 0.3], [0.7, 0.7]),
  ],
  [
    'Three red triangles on a white background.',
    'white',
    several('red', 'triangle', [0.2, 0.25], [0.75, 0.3], [0.5, 0.75]),
  ],
  [
    'A green square to the left of a red circle on a white background.',
    'white',
    beside('green square', 'red circle', false),
  ],
];

describe('the starter model', () => {
  let runtime: RuntimeProcess;
  beforeAll(async () => {
    runtime = await RuntimeProcess.start();
  });
  afterAll(() => runtime.stop());

  const ask = async (question: string, background: string, shapes: PaintedShape[]) => {
    const { text } = await runtime.generate({
      text: chat(`<image>${question}`),
      image_data: paintShapes(background, shapes).toString('base64'),
      sampling_params: { temperature: 0, max_new_tokens: 40 },
    });
    return text;
  };
  const describeImage = (background: string, shapes: PaintedShape[]) =>
    ask('Describe the image in one short sentence.', background, shapes);

  it.each(learned)('says "%s"', async (caption, background, shapes) => {
    expect(await describeImage(background, shapes)).toBe(caption);
  });

  it.each(heldOut)('says "%s", which it never saw', async (caption, background, shapes) => {
    expect(await describeImage(background, shapes)).toBe(caption);
  });

  it.each([
    ['What shape is it?', 'It is a star.'],
    ['What colour is the star?', 'The star is green.'],
    ['What colour is the background?', 'The background is white.'],
    ['How many shapes are there?', 'There is one star.'],
  ])('answers %s', async (question, answer) => {
    expect(await ask(question, 'white', one('green', 'star'))).toBe(answer);
  });
});
