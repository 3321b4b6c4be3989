import { type Picture, PictureError } from './picture.ts';

export function decodeJpeg(_bytes: Uint8Array): Picture {
  throw new PictureError('FORMAT', 'JPEG');
}
