import { EngineError } from './engine.ts';
import { GgufError, type GgufHeader, readGgufHeader } from './gguf-header.ts';

/**
 * Reads and checks a model file before llama.cpp sees it. Throws `EngineError` MODEL_NOT_FOUND or
 * MODEL_INVALID.
 */
export function checkModelFile(path: string): GgufHeader {
  const header = readHeader(path);
  if (header.tokenizerModel === null || header.vocabularySize === null) {
    throw new EngineError(
      'MODEL_INVALID',
      `${path} holds no vocabulary. It may be a part of a model (adapter, projector, or not the first of a split file); name the model itself.`,
    );
  }
  return header;
}

function readHeader(path: string): GgufHeader {
  try {
    return readGgufHeader(path);
  } catch (error) {
    if (!(error instanceof GgufError)) throw error;
    const code = error.code === 'NOT_FOUND' ? 'MODEL_NOT_FOUND' : 'MODEL_INVALID';
    throw new EngineError(code, error.message);
  }
}
