// oxlint-disable typescript/no-explicit-any -- answers are JSON; the tests check their shape
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const entry = join(dirname(fileURLToPath(import.meta.url)), '../../language-server/src/main.ts');

export interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: any;
  readonly result?: any;
  readonly error?: { readonly message: string };
}

/** Just enough of a client: frames, answers by id, notifications by predicate. */
export class Client {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #seen: Message[] = [];
  #waiting: { fits: (message: Message) => boolean; done: (message: Message) => void }[] = [];
  #buffer = Buffer.alloc(0);
  #id = 0;

  constructor(options: readonly string[] = []) {
    this.child = spawn(process.execPath, [entry, '--stdio', ...options]);
    this.child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  #read(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (;;) {
      const head = this.#buffer.indexOf('\r\n\r\n');
      const length = Number(
        /Content-Length: (\d+)/.exec(this.#buffer.subarray(0, head).toString())?.[1],
      );
      if (head === -1 || this.#buffer.length < head + 4 + length) return;
      const message: Message = JSON.parse(
        this.#buffer.subarray(head + 4, head + 4 + length).toString(),
      );
      this.#buffer = this.#buffer.subarray(head + 4 + length);
      // The server asks for settings; a client without any answers null.
      if (message.method === 'workspace/configuration')
        this.#send({ id: message.id, result: [null] });
      this.#seen.push(message);
      this.#waiting = this.#waiting.filter(
        ({ fits, done }) => !(fits(message) && (done(message), true)),
      );
    }
  }

  #send(message: object): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  notify(method: string, params: object): void {
    this.#send({ method, params });
  }

  async request(method: string, params: object): Promise<any> {
    const id = ++this.#id;
    this.#send({ id, method, params });
    const answer = await this.next((message) => message.id === id && message.method === undefined);
    if (answer.error) throw new Error(answer.error.message);
    return answer.result;
  }

  next(fits: (message: Message) => boolean): Promise<Message> {
    const known = this.#seen.findIndex(fits);
    if (known !== -1) return Promise.resolve(this.#seen.splice(known, 1)[0]!);
    return new Promise((done) => this.#waiting.push({ fits, done }));
  }

  /** Messages that came and that nobody waited for, in their order. */
  taken(fits: (message: Message) => boolean): readonly Message[] {
    return this.#seen.filter(fits);
  }

  async diagnostics(uri: string, version: number): Promise<any[]> {
    const found = await this.next(
      ({ method, params }) =>
        method === 'textDocument/publishDiagnostics' &&
        params.uri === uri &&
        params.version === version,
    );
    return found.params.diagnostics;
  }
}
