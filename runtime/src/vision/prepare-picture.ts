import type { EngineClient } from '../scheduler/engine-client.ts';
import type { FoundProjector } from './find-projector.ts';
import { clipParts, type PreparePicture } from './image-parts.ts';

/**
 * Pictures for the tower of the model that runs: its squares are cut here, beside the engine; what
 * libmtmd makes of a picture the engine thread is asked. Null for models that read text only.
 */
export function preparePicture(
  projector: FoundProjector,
  engine: Pick<EngineClient, 'imageParts'>,
): PreparePicture | null {
  switch (projector.kind) {
    case 'none':
      return null;
    case 'clip':
      return async (picture) => clipParts(picture, projector.shape);
    case 'other':
      return async (picture) => ({ picture, parts: await engine.imageParts(picture) });
  }
}
