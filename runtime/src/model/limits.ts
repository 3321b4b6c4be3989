import type { RuntimeOptions } from '../options.ts';

export interface ChosenLimits {
  /** Longest prompt plus answer of one request, tokens. */
  readonly contextLength: number;
  readonly engine: {
    readonly cells: number;
    readonly sequences: number;
    readonly batchTokens: number;
  };
  readonly maxRunning: number;
  readonly notices: readonly string[];
}

/** Context of models that could do more, unless asked for; memory grows with it. */
const DEFAULT_CONTEXT = 8192;
/** Room for several short requests and their cached prefixes also when the context is short. */
const LEAST_CELLS = 8192;
/** llama.cpp's limit. */
const SEQUENCES = 256;
const BATCH_TOKENS = 512;
const MAX_RUNNING = 64;

/** Sizes of the engine's context, from the options and the context the model was trained for. */
export function chooseLimits(
  options: Pick<RuntimeOptions, 'contextLength' | 'maxTotalTokens'>,
  trainedContext: number | null,
): ChosenLimits {
  const trained = trainedContext ?? DEFAULT_CONTEXT;
  const wanted = options.contextLength ?? Math.min(trained, DEFAULT_CONTEXT);
  const cells = options.maxTotalTokens ?? Math.max(wanted, LEAST_CELLS);
  return {
    contextLength: Math.min(wanted, cells),
    engine: { cells, sequences: SEQUENCES, batchTokens: BATCH_TOKENS },
    maxRunning: MAX_RUNNING,
    notices:
      wanted > trained
        ? [
            `--context-length ${wanted} is more than the ${trained} tokens that the model was trained for; expect nonsense beyond them.`,
          ]
        : [],
  };
}
