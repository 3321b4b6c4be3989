/** The `requests` module of the bundled Python, in the real kernel, against a real HTTP server. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KernelDriver } from '../support/kernel-driver.ts';

let kernel: KernelDriver;
let url = '';
/** Exchanges whose client went away before the end. */
const dropped: string[] = [];
const server = createServer((request, response) => void answer(request, response));

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // SAFETY: the server listens on TCP.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  kernel = new KernelDriver();
  const run = await kernel.run(`import requests\nURL = ${JSON.stringify(url)}`);
  expect(run.outcome).toEqual({ status: 'ok' });
});
afterAll(async () => {
  await kernel.close();
  server.closeAllConnections();
  server.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  response.on('close', () => {
    if (!response.writableFinished) dropped.push(pathname);
  });
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  switch (pathname) {
    case '/echo': {
      const { method, url: target, headers } = request;
      const body = Buffer.concat(pieces).toString('latin1');
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ method, target, headers, body }));
      return;
    }
    case '/stream':
      response.setHeader('Content-Type', 'text/event-stream');
      for (const part of ['data: 1\n\nda', 'ta: ä', '\n\r\n', 'data: [DONE]\n\n']) {
        response.write(part);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      response.end();
      return;
    case '/endless':
      response.write('first\n');
      return;
    case '/cut':
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
      return;
    case '/moved':
      response.writeHead(302, { Location: '/echo?moved=1' }).end();
      return;
    case '/circle':
      response.writeHead(302, { Location: '/circle' }).end();
      return;
    case '/latin':
      response.setHeader('Content-Type', 'text/plain');
      response.end(Buffer.from([0xe4]));
      return;
    case '/silent':
      return;
    default:
      response.writeHead(503, { 'Content-Type': 'text/plain; charset=utf-8' }).end('später');
  }
}

/** Runs a cell; what it prints, line by line, is `lines`. */
async function check(code: string, ...lines: readonly string[]): Promise<void> {
  const run = await kernel.run(code);
  expect(run.text.trimEnd().split('\n')).toEqual(lines);
  expect(run.outcome).toEqual({ status: 'ok' });
}

describe('sending', () => {
  test('JSON, parameters, headers and cookies', () =>
    check(
      `
r = requests.post(URL + "/echo?a=1#x", json={"k": "ä"}, params={"b": [1, 2], "c": None, "d": "x y"},
                  headers={"X-Own": "yes", "user-agent": None}, cookies={"id": "7"})
e = r.json()
print(e["method"], e["target"], e["body"])
print(e["headers"]["x-own"], e["headers"]["content-type"], e["headers"]["cookie"])
print(r.status_code, r.reason, r.ok, bool(r), r.headers["CONTENT-type"], r.elapsed.total_seconds() > 0)`,
      'POST /echo?a=1&b=1&b=2&d=x+y {"k": "\\u00e4"}',
      'yes application/json id=7',
      '200 OK True True application/json True',
    ));
  test('forms, raw bodies, files and a GET with a body', () =>
    check(
      `
import io
print(requests.post(URL + "/echo", data={"a": "1 2", "b": ["x", "y"]}).json()["body"])
print(requests.put(URL + "/echo", data=b"\\x00raw").json()["body"] == "\\0raw")
sent = requests.post(URL + "/echo", data={"k": "v"}, files={"f": ("a.txt", io.BytesIO(b"text"), "text/plain")}).json()
print(sent["headers"]["content-type"].split(";")[0], sent["body"].count("Content-Disposition"), 'filename="a.txt"' in sent["body"])
print(requests.get(URL + "/echo", json=[1]).json()["body"], requests.delete(URL + "/echo").json()["method"])`,
      'a=1+2&b=x&b=y',
      'True',
      'multipart/form-data 2 True',
      '[1] DELETE',
    ));
  test('a session keeps headers, parameters, cookies and credentials', () =>
    check(
      `
with requests.Session() as s:
    s.headers.update({"Authorization": "Bearer k"}); s.params = {"v": 1}; s.cookies["c"] = "d"
    e = s.get(URL + "/echo", headers={"X": "y"}).json()
    print(e["target"], e["headers"]["authorization"], e["headers"]["x"], e["headers"]["cookie"])
    print(s.get(URL + "/echo", auth=("u", "p")).json()["headers"]["authorization"])`,
      '/echo?v=1 Bearer k y c=d',
      'Basic dTpw',
    ));
  test('redirects are followed, or not', () =>
    check(
      `
r = requests.post(URL + "/moved", json=[1]); e = r.json()
print(r.url == URL + "/echo?moved=1", e["method"], e["target"], repr(e["body"]), r.history)
r = requests.get(URL + "/moved", allow_redirects=False); print(r.status_code, r.headers["location"])`,
      "True GET /echo?moved=1 '' [<Response [302]>]",
      '302 /echo?moved=1',
    ));
});

describe('reading', () => {
  test('lines arrive as the server sends them, whole', () =>
    check(
      `
r = requests.get(URL + "/stream", stream=True)
for line in r.iter_lines(decode_unicode=False): print(line.decode())
print(list(requests.get(URL + "/stream").iter_content(8))[1])`,
      'data: 1',
      '',
      'data: ä',
      '',
      'data: [DONE]',
      '',
      "b'\\ndata: \\xc3'",
    ));
  test('text follows the charset; a body is read once', () =>
    check(
      `
print(requests.get(URL + "/latin").text, requests.get(URL + "/nothing").text)
r = requests.get(URL + "/stream", stream=True); list(r.iter_content(None))
try: r.content
except requests.exceptions.StreamConsumedError as e: print(e)`,
      'ä später',
      'The content for this response was already consumed',
    ));
  test('closing early ends the connection', async () => {
    await check(
      'with requests.get(URL + "/endless", stream=True) as r: print(next(r.iter_lines()))',
      "b'first'",
    );
    await expect.poll(() => dropped).toContain('/endless');
  });
});

describe('failures', () => {
  test('are the exceptions of requests', () =>
    check(
      `
def failure(work):
    try: work(); return "none"
    except requests.RequestException as e: return f"{type(e).__module__}.{type(e).__name__}: {e}".replace(URL, "URL")
print(failure(lambda: requests.get(URL + "/nothing").raise_for_status()))
print(failure(lambda: requests.get(URL + "/nothing").json()))
print(failure(lambda: requests.get("localhost/x")))
print(failure(lambda: requests.get("ftp://x/y")))
print(failure(lambda: requests.get(URL + "/silent", timeout=0.05)))
print(failure(lambda: requests.get(URL + "/endless", timeout=0.05)))
print(failure(lambda: requests.get("http://127.0.0.1:9/"))[:70])
print(failure(lambda: requests.get(URL + "/cut")).split(":")[0])
print(failure(lambda: requests.post(URL, json=float("nan"))).split(":")[0])`,
      'requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: URL/nothing',
      'requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1 (char 0)',
      "requests.exceptions.MissingSchema: Invalid URL 'localhost/x': No scheme supplied. Perhaps you meant https://localhost/x?",
      "requests.exceptions.InvalidSchema: No connection adapters were found for 'ftp://x/y'",
      'requests.exceptions.ReadTimeout: URL/silent did not answer in time.',
      'requests.exceptions.ReadTimeout: URL/endless did not answer in time.',
      'requests.exceptions.ConnectionError: The request to http://127.0.0.1:9',
      'requests.exceptions.ChunkedEncodingError',
      'requests.exceptions.InvalidJSONError',
    ));
  test('a circle of redirects ends', () =>
    check(
      'try: requests.get(URL + "/circle")\nexcept requests.TooManyRedirects as e: print(e)',
      'Exceeded 30 redirects.',
    ));
  test('what is not supported says so', () =>
    check(
      `
try: requests.get(URL, proxies={"http": "x"})
except NotImplementedError as e: print(e)`,
      'requests in the bundled Python does not know the argument proxies; choose a Python of your own for it.',
    ));
  test('an interrupt ends a request that waits', async () => {
    const run = kernel.execute('print("asks", flush=True)\nrequests.get(URL + "/silent")');
    await kernel.until(() => kernel.textOf(run) === 'asks\n');
    kernel.interrupt();
    expect((await kernel.finished(run)).outcome.status).toBe('interrupted');
    await check('print(requests.get(URL + "/echo").status_code)', '200');
  });
});
