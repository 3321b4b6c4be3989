/** Pure: what tools tell a language model, as JSON that stays small. */
import { isJsonObject } from '../../notebook-format/json.ts';
import type { GenRecord, JsonValue } from '../../protocol/kernel-protocol.ts';

/** Characters of a cell's text, a value, and a run's output in an answer. */
export const LIMITS = { code: 600, value: 400, request: 4_000, output: 12_000 } as const;

/** Start and end of a text that is too long: errors stand at the end. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  return `${text.slice(0, half)}\n[… ${text.length - 2 * half} characters left out …]\n${text.slice(-half)}`;
}

export interface GenerationReport {
  readonly program: string | null;
  readonly variable: string | null;
  readonly kind: 'gen' | 'select';
  readonly value?: JsonValue;
  readonly error?: string;
  /** Number of the cell that appended it, from 1. */
  readonly cell?: number;
  readonly line?: number;
  readonly milliseconds: number;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly completionTokens: number | null;
  readonly tokensPerSecond?: number;
  readonly probability?: number;
  readonly request?: { readonly url: string; readonly body: string };
}

/** @param cellNumber number of a cell by its URI, from 1; `null` when it is gone */
export function generationReport(
  record: GenRecord,
  cellNumber: (uri: string) => number | null,
  withRequest: boolean,
): GenerationReport {
  const { program, name, kind, value, error, line, cellId, request, probability } = record;
  const cell = cellId === null ? null : cellNumber(cellId);
  const { promptTokens, cachedTokens, completionTokens } = record;
  const milliseconds = Math.round(record.milliseconds);
  const speed = milliseconds > 0 && completionTokens ? (completionTokens * 1000) / milliseconds : 0;
  return {
    program,
    variable: name,
    kind,
    ...(value === null ? {} : { value: shortValue(value) }),
    ...(error === null ? {} : { error: shortened(error, LIMITS.value) }),
    ...(cell === null ? {} : { cell }),
    ...(cell === null || line === null ? {} : { line }),
    milliseconds,
    promptTokens,
    cachedTokens,
    completionTokens,
    ...(speed > 0 ? { tokensPerSecond: Math.round(speed * 10) / 10 } : {}),
    ...(probability === null ? {} : { probability }),
    ...(withRequest && request !== null
      ? {
          request: {
            url: request.url,
            body: shortened(JSON.stringify(request.body), LIMITS.request),
          },
        }
      : {}),
  };
}

function shortValue(value: string | readonly string[]): JsonValue {
  return typeof value === 'string'
    ? shortened(value, LIMITS.value)
    : value.map((each) => shortened(each, LIMITS.value));
}

/** Names whose values are nobody's business. */
const SECRET = /api_?key|secret|passw|credential|(^|_)(token|key|auth)$/i;

/** The kernel's answer to `variables`, without what looks like a secret. */
export function variableReport(answer: JsonValue): JsonValue {
  if (!isJsonObject(answer) || !Array.isArray(answer['items'])) return answer;
  const items: readonly JsonValue[] = answer['items'];
  return {
    ...answer,
    items: items.map((item) => {
      if (!isJsonObject(item)) return item;
      const { name } = item;
      const isSecret = typeof name === 'string' && SECRET.test(name);
      return isSecret ? { ...item, value: '(not shown)' } : item;
    }),
  };
}
