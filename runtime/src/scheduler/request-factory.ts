import type { ConstraintCompiler, Grammar } from '../constraints/constraint.ts';
import { ConstraintError } from '../constraints/constraint.ts';
import type { Vocabulary } from '../engine/engine.ts';
import { SamplingState } from '../sampling/sampling-state.ts';
import { type ImageRows, PromptEmbeddings } from '../vision/prompt-images.ts';
import type { FinishReason, GenerationRequest, SamplingParams } from './messages.ts';
import { badRequest } from './finish-reasons.ts';
import type { ForcedText } from './forced-text.ts';
import { OutputText } from './output-text.ts';
import { Request } from './request.ts';

/** A request, or the reason why it cannot run. */
export type Created =
  | { readonly ok: true; readonly request: Request }
  | { readonly ok: false; readonly finish: FinishReason };

/** Turns messages into requests: compiles the constraint, prepares sampling and text. */
export class RequestFactory {
  readonly #vocabulary: Vocabulary;
  readonly #compiler: ConstraintCompiler;
  readonly #forced: ForcedText | null;
  readonly #images: ImageRows | null;

  /** `forced`: jump-forward, null without; `images`: null for models that read text only. */
  constructor(
    vocabulary: Vocabulary,
    compiler: ConstraintCompiler,
    forced: ForcedText | null = null,
    images: ImageRows | null = null,
  ) {
    this.#vocabulary = vocabulary;
    this.#compiler = compiler;
    this.#forced = forced;
    this.#images = images;
  }

  create(spec: GenerationRequest): Created {
    const { constraint } = spec.sampling;
    try {
      const grammar = constraint === null ? null : this.#compiler.compile(constraint);
      const parts = {
        sampling: new SamplingState(samplerParams(spec.sampling)),
        text: new OutputText(this.#vocabulary, spec.sampling),
        matcher: grammar?.start() ?? null,
        warnings: grammar === null ? [] : warningsOf(grammar, spec.sampling),
        embeddings: this.#embeddings(spec),
      };
      const request = new Request(spec, parts);
      this.#forced?.append(request);
      return { ok: true, request };
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error;
      return { ok: false, finish: badRequest(describe(error, constraint?.kind ?? 'regex')) };
    }
  }

  #embeddings({ images = [] }: GenerationRequest): PromptEmbeddings | null {
    if (images.length === 0) return null;
    if (this.#images === null) throw new RangeError('images were sent to a model without vision');
    return new PromptEmbeddings(images, this.#images);
  }
}

/** Also what the client should know before it wonders about the output. */
function warningsOf(grammar: Grammar, { maxNewTokens, constraint }: SamplingParams): string[] {
  const tooLong = maxNewTokens > 0 && !grammar.canCompleteWithin(maxNewTokens);
  return [
    ...grammar.warnings,
    ...(tooLong
      ? [`No output can match the ${constraint?.kind} within max_new_tokens (${maxNewTokens}).`]
      : []),
  ];
}

function describe(error: ConstraintError, kind: string): string {
  const where = error.position === null ? '' : ` at position ${error.position}`;
  return error.message.includes(where)
    ? `${kind}: ${error.message}`
    : `${kind}: ${error.message}${where}`;
}

function samplerParams(sampling: SamplingParams): ConstructorParameters<typeof SamplingState>[0] {
  return { ...sampling, logitBias: new Map(sampling.logitBias) };
}
