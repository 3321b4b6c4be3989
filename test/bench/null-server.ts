/**
 * A server that answers SGLang's API at once and with nothing, run as a process of its own so that its
 * work is not counted as a frontend's. Prints its port. Streams send 100 chunks a second.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const ANSWER = JSON.stringify({
  text: ' x',
  meta_info: { id: 'x', prompt_tokens: 1, completion_tokens: 1, cached_tokens: 0 },
});
const CHUNK_MILLISECONDS = 10;
const CHUNKS = 200;

const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    if (request.method === 'GET') return json(response, '{"model_path":"null-instruct-qwen"}');
    if (Buffer.concat(pieces).includes('"stream": true')) return stream(response);
    if (Buffer.concat(pieces).includes('"stream":true')) return stream(response);
    json(response, ANSWER);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.stdin.on('end', () => process.exit()).resume();

function json(response: ServerResponse, body: string): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
  });
  response.end(body);
}

/** Each chunk carries the whole text so far, and in it the time at which it was sent. */
function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let text = '';
  let sent = 0;
  const timer = setInterval(() => {
    text += `${Date.now()} `;
    response.write(
      `data: ${JSON.stringify({ text, meta_info: { prompt_tokens: 1, completion_tokens: ++sent } })}\n\n`,
    );
    if (sent < CHUNKS) return;
    clearInterval(timer);
    response.end('data: [DONE]\n\n');
  }, CHUNK_MILLISECONDS);
  response.on('close', () => clearInterval(timer));
}
