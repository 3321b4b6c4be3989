/** A local server that answers with recorded shapes: each request takes the next of the given answers. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServiceAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** JSON, unless it is text. */
  readonly body?: unknown;
  /** Server-sent events, each written as it is. */
  readonly events?: readonly string[];
  /** Closes the connection instead of ending the answer. */
  readonly cut?: boolean;
  /** Never ends the answer. */
  readonly stall?: boolean;
}

export interface ServiceRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read whatever was sent.
  readonly body: Record<string, any>;
}

export class RecordedService {
  readonly requests: ServiceRequest[] = [];
  /** The last one is repeated. */
  answers: ServiceAnswer[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      request.on('end', () => {
        const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
        this.requests.push({ path: request.url ?? '', headers: request.headers, body });
        const answer = (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? {};
        const type = answer.events === undefined ? 'application/json' : 'text/event-stream';
        response.writeHead(answer.status ?? 200, { 'content-type': type, ...answer.headers });
        response.flushHeaders();
        for (const event of answer.events ?? []) response.write(event);
        const rest = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
        if (answer.body !== undefined) response.write(rest);
        if (answer.cut === true) setImmediate(() => response.destroy());
        else if (answer.stall !== true) response.end();
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A server-sent event of JSON. */
export function sse(value: unknown, name?: string): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(value)}\n\n`;
}
