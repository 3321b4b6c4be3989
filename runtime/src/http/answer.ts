/** What a route answers; `server.ts` writes it. */
export type Answer =
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown }
  | {
      readonly kind: 'text';
      readonly status: number;
      readonly text: string;
      /** Plain text if left out. */
      readonly type?: string;
    }
  /** Server-sent events; each item is the data of one event. */
  | { readonly kind: 'events'; readonly events: AsyncIterable<string> };

export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export type Route = (request: RouteRequest) => Answer | Promise<Answer>;

/** Routes by path, then method. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Route>>>>;

export function json(body: unknown, status = 200): Answer {
  return { kind: 'json', status, body };
}

export function text(content: string, status = 200): Answer {
  return { kind: 'text', status, text: content };
}
