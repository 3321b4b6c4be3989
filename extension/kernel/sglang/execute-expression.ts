/** What each kind of expression does to a program state. */
import type { JsonObject } from '../../protocol/kernel-protocol.ts';
import type { GenTiming } from '../../protocol/output-payloads.ts';
import type {
  Backend,
  ChoiceEvidence,
  Completion,
  FormPart,
  Prompt,
  SentRequest,
} from '../backends/backend.ts';
import { choiceScores } from './choice-scores.ts';
import { decide, type Decision } from './choices.ts';
import type { Expression, GenExpression, OwnMethod, SelectExpression } from './ir.ts';
import type { OwnDecision, OwnEvidence } from './own-decisions.ts';
import { FailedGenError, ProgramError } from './program-error.ts';
import type { ProgramState } from './program-state.ts';
import { reasoningName, splitReasoning } from './reasoning.ts';
import { describeConstraint, resolveSampling } from './sampling-params.ts';
import { choiceProbability, textProbability, tokenProbabilities } from './token-probabilities.ts';

/** What a finished gen or select tells the kernel. */
export interface GenOutcome {
  readonly expression: GenExpression | SelectExpression;
  readonly value: string | readonly string[] | null;
  readonly error: string | null;
  readonly timing: GenTiming;
  /** Of the whole text, or of the choice among the choices; 0 to 1, `null` if the server told none. */
  readonly probability: number | null;
  readonly request: SentRequest | null;
}

/** Frames of a video file. @throws ProgramError */
export type ReadVideo = (
  path: string,
  frames: number,
  signal: AbortSignal,
) => Promise<{ readonly data: string; readonly first: string }>;

export interface ExecutionHost {
  readonly backend: Backend;
  readonly state: ProgramState;
  /** Gens grow while they are generated. */
  readonly stream: boolean;
  /** Sampling parameters of the run. */
  readonly defaults: JsonObject;
  readonly signal: AbortSignal;
  /** What the program has appended after the expression that runs. */
  readonly upcoming: () => readonly Expression[];
  /** Something a reader may wait for changed. */
  readonly changed: () => void;
  readonly record: (outcome: GenOutcome) => void;
  /** Base64 of an image file. @throws ProgramError */
  readonly readImage: (path: string) => Promise<string>;
  readonly readVideo: ReadVideo;
  /** Has the program itself decide. @throws what its method raised */
  readonly decideOwn: (ticket: number, evidence: OwnEvidence) => Promise<OwnDecision>;
}

type Running = Exclude<Expression, { kind: 'scope_begin' | 'scope_end' }>;

/** @throws the failure of the expression, after which its state cannot go on. */
export async function executeExpression(expression: Running, host: ExecutionHost): Promise<void> {
  const { state } = host;
  switch (expression.kind) {
    case 'text':
      return state.fill(expression.text);
    case 'role_begin':
      return state.beginRole(expression.role);
    case 'role_end':
      return state.endRole();
    case 'image':
      return state.addImage(
        expression.path === null ? expression.base64 : await host.readImage(expression.path),
      );
    case 'video': {
      const { data, first } = await host.readVideo(expression.path, expression.frames, host.signal);
      return state.addImage(data, first);
    }
    case 'gen':
    case 'select':
      return timed(expression, host);
    case 'commit':
      return commit(host);
    case 'bad':
      throw expression.error;
  }
}

/** Only a hint to the server: if it fails, so will the gens after it, with their own clear error. */
async function commit({ backend, state, signal }: ExecutionHost): Promise<void> {
  if (state.text !== '') await backend.cachePrefix(state.prompt(), signal).catch(() => undefined);
}

/** Clock, last request and token counts of one gen. */
class Progress {
  readonly #start = performance.now();
  #first: number | null = null;
  request: SentRequest | null = null;
  meta: JsonObject = {};
  /** Of a select's choice; a gen's is in its meta information. */
  choice: number | null = null;

  readonly onRequest = (request: SentRequest): void => {
    this.request = request;
  };

  firstToken(): void {
    this.#first ??= performance.now() - this.#start;
  }

  probability(): number | null {
    return this.choice ?? textProbability(this.meta);
  }

  timing(): GenTiming {
    const count = (name: string): number | null => {
      const value = this.meta[name];
      return typeof value === 'number' ? value : null;
    };
    // SGLang's servers tell these when they measure, in seconds.
    const [queued, prefill] = [count('queue_time'), count('prefill_launch_latency')];
    return {
      milliseconds: performance.now() - this.#start,
      // Of an answer in one piece only the server knows when it began.
      firstTokenMilliseconds:
        this.#first ?? (queued === null || prefill === null ? null : (queued + prefill) * 1000),
      ...(queued === null ? {} : { queueMilliseconds: queued * 1000 }),
      ...(prefill === null ? {} : { prefillMilliseconds: prefill * 1000 }),
      promptTokens: count('prompt_tokens'),
      cachedTokens: count('cached_tokens'),
      completionTokens: count('completion_tokens'),
    };
  }
}

async function timed(
  expression: GenExpression | SelectExpression,
  host: ExecutionHost,
): Promise<void> {
  const progress = new Progress();
  const report = (value: GenOutcome['value'], error: string | null): void => {
    host.record({
      expression,
      value,
      error,
      timing: progress.timing(),
      probability: typeof value === 'string' ? progress.probability() : null,
      request: progress.request,
    });
  };
  try {
    const value =
      expression.kind === 'gen'
        ? await generate(expression, host, progress)
        : await choose(expression, host, progress);
    host.state.updateGen({ timing: progress.timing(), request: progress.request });
    report(value, null);
  } catch (error) {
    report(null, error instanceof Error ? error.message : String(error));
    throw new FailedGenError(error, progress.request, expression.at);
  }
}

async function generate(expression: GenExpression, host: ExecutionHost, progress: Progress) {
  const { state } = host;
  const params = resolveSampling(host.defaults, expression.sampling, state.template.stop);
  state.beginGen(expression.name, 'gen', describeConstraint(expression.sampling));
  if (host.stream && params.n === null) return grow(expression, params, host, progress);
  const prompt = host.backend.looksAhead === true ? withAhead(host) : state.prompt();
  const answers = await host.backend.generate(prompt, params, progress.onRequest, host.signal);
  const [first] = answers;
  if (first === undefined)
    throw new ProgramError('RuntimeError', 'The server answered with no completion.');
  progress.meta = first.meta;
  // n > 1: the variable is the list, the text goes on with the first.
  const many = params.n !== null;
  const texts = settleTexts(expression, state, answers, many);
  const [text = ''] = texts;
  state.text += text;
  state.variables.set(expression.name, many ? texts : text);
  state.meta.set(expression.name, many ? answers.map(({ meta }) => meta) : first.meta);
  state.updateGen({ text, tokens: tokenProbabilities(first.meta) });
  return many ? texts : text;
}

/** The prompt with the rest of the open message. */
function withAhead({ state, defaults, upcoming }: ExecutionHost): Prompt {
  const ahead: FormPart[] = [];
  for (const next of upcoming()) {
    if (next.kind === 'text') ahead.push({ text: next.text });
    else if (next.kind === 'gen')
      ahead.push({ stop: resolveSampling(defaults, next.sampling, state.template.stop).stop });
    else if (next.kind !== 'scope_begin' && next.kind !== 'scope_end') break;
  }
  return { ...state.prompt(), ahead };
}

/** The answers' texts; their reasoning, where it is asked for, goes to its own variable. */
function settleTexts(
  { name, reasoning }: GenExpression,
  state: ProgramState,
  answers: readonly Completion[],
  many: boolean,
): string[] {
  if (reasoning === null) return answers.map(({ text }) => text);
  const parts = answers.map(({ text }) => splitReasoning(reasoning, text));
  const thoughts = parts.map((part) => part.reasoning);
  if (name !== null)
    state.variables.set(reasoningName(name), many ? thoughts : (thoughts[0] ?? ''));
  return parts.map(({ answer }) => answer);
}

/**
 * Streamed gen: text and variable grow with every event. When the final text is shorter than what
 * was streamed (a stop string that came over several tokens), the final text is what stays.
 */
async function grow(
  { name, reasoning }: GenExpression,
  params: ReturnType<typeof resolveSampling>,
  host: ExecutionHost,
  progress: Progress,
): Promise<string> {
  const { state } = host;
  const before = state.text;
  let latest: Completion = { text: '', meta: {} };
  state.variables.set(name, '');
  const show = (full: string, partial: boolean): string => {
    if (reasoning === null) return full;
    const { answer, reasoning: thought } = splitReasoning(reasoning, full, partial);
    if (name !== null) state.variables.set(reasoningName(name), thought);
    return answer;
  };
  const set = (text: string): void => {
    state.text = before + text;
    state.variables.set(name, text);
    state.updateGen({ text });
  };
  for await (latest of host.backend.generateStream(
    { ...state.prompt() },
    params,
    progress.onRequest,
    host.signal,
  )) {
    progress.firstToken();
    progress.meta = latest.meta;
    state.meta.set(name, latest.meta);
    set(show(latest.text, true));
    host.changed();
  }
  const text = show(latest.text, false);
  set(text);
  state.updateGen({ tokens: tokenProbabilities(latest.meta) });
  return text;
}

/** SGLang's select is greedy; it refuses a temperature instead of ignoring it. */
const MAX_SELECT_TEMPERATURE = 1e-5;

async function choose(expression: SelectExpression, host: ExecutionHost, progress: Progress) {
  const { state } = host;
  const { choices, method, name } = expression;
  if (expression.temperature > MAX_SELECT_TEMPERATURE) {
    throw new ProgramError('AssertionError', 'select and gen(choices=…) need temperature 0.');
  }
  if (choices.length === 0)
    throw new ProgramError('ValueError', 'select needs at least one choice.');
  state.beginGen(
    name,
    'select',
    `choices ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`,
  );
  const signal = host.signal;
  const prompt = state.prompt();
  if (host.backend.pickChoice !== undefined) {
    if (typeof method !== 'string') throw new ProgramError('NotImplementedError', NOT_SCORED);
    const picked = await host.backend.pickChoice(
      prompt,
      choices,
      method,
      progress.onRequest,
      signal,
    );
    return settle(expression, state, choices[picked.chosen] ?? '', picked.meta);
  }
  const evidence = await host.backend.scoreChoices(
    prompt,
    choices,
    typeof method === 'string'
      ? method === 'unconditional_likelihood_normalized'
      : method.unconditional,
    progress.onRequest,
    signal,
  );
  const decision =
    typeof method === 'string'
      ? decide(method, evidence)
      : await decideOwn(choices, method, evidence, host);
  const chosen = choices[decision.chosen];
  if (chosen !== undefined) progress.choice = choiceProbability(evidence.tokens, decision.chosen);
  state.updateGen({
    choices: choiceScores(choices, evidence, decision),
    ...(typeof method === 'string' ? { decidedBy: method } : {}),
  });
  return settle(expression, state, decision.value ?? chosen ?? '', decision.meta);
}

const NOT_SCORED =
  'A choices_method of your own needs the log probabilities of the choices, and this service does not score given text: ' +
  "use one of SGLang's methods, or a server that scores text, such as RuntimeEndpoint.";

/** As `decide`; `value` may be no choice at all. */
async function decideOwn(
  choices: readonly string[],
  { ticket }: OwnMethod,
  evidence: ChoiceEvidence,
  host: ExecutionHost,
): Promise<Decision & { readonly value: string }> {
  const { normalized } = decide('token_length_normalized', evidence);
  const { value, meta } = await host.decideOwn(ticket, { ...evidence, normalized });
  return { value, chosen: choices.indexOf(value), normalized, meta };
}

/** Appends the decision. */
function settle(
  { name }: SelectExpression,
  state: ProgramState,
  value: string,
  meta: JsonObject,
): string {
  state.text += value;
  if (name !== null) {
    state.variables.set(name, value);
    state.meta.set(name, meta);
  }
  state.updateGen({ text: value });
  return value;
}
