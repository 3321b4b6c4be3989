/** A server behind TLS with a certificate that no authority signed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { probeServer } from '../../extension/src/models/server-probe.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';
import { RuntimeProcess } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-test-'));
const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
const made = spawnSync(
  'openssl',
  ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key].concat(
    ['-out', certificate],
    names,
  ),
);
const title = made.status === 0 ? 'a server behind TLS' : 'skipped: there is no openssl';

const GUESTS: readonly (readonly [string, GuestChoice])[] = [
  ['bundled Python', { kind: 'wasm' }],
  ['own Python', { kind: 'cpython', executable: 'python3' }],
];
const { start } = startedKernels();
const STORY = `
from sglang import *
@function
def story(s):
    s += user("Tell me a story")
    s += assistant(gen("text", max_tokens=24, temperature=0, ignore_eos=True))
`;

describe.skipIf(made.status !== 0)(title, () => {
  let runtime: RuntimeProcess;
  let server: Server;
  let url = '';

  beforeAll(async () => {
    runtime = await RuntimeProcess.start(['--threads', '1']);
    const files = { key: readFileSync(key), cert: readFileSync(certificate) };
    server = createServer(files, (incoming, outgoing) => {
      const { method, url: path, headers } = incoming;
      const onwards = request(`${runtime.url}${path}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(onwards);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // SAFETY: a TCP server has an address with a port.
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await runtime?.stop();
    rmSync(folder, { recursive: true });
  });

  it('is told from one that is away, and may be accepted', async () => {
    const address = { url, apiKey: null };
    expect(await probeServer({ ...address, verify: true })).toMatchObject({ kind: 'certificate' });
    expect(await probeServer({ ...address, verify: false })).toMatchObject({ kind: 'works' });
  });

  describe.each(GUESTS)('%s', (_, guest) => {
    it('refuses it with what to do', async () => {
      const kernel = start({ guest, endpoint: url });
      const run = await kernel.run(`${STORY}\nprint(story.run()["text"])`);
      expect(JSON.stringify(run.outcome)).toMatch(
        /The certificate of https:\/\/localhost:\d+ cannot be verified \(\w+\)\. .*verify=False/,
      );
    });

    it('uses it when the user accepts it', async () => {
      const kernel = start({ guest, endpoint: url, endpointOptions: { verify: false } });
      expect(await ok(kernel, `${STORY}\nprint(len(story.run()["text"]) > 20)`)).toBe('True\n');
    });

    it('uses it when the program accepts it, or names the authority', async () => {
      const kernel = start({ guest, cwd: folder });
      const code = `${STORY}
for verify in ("certificate.pem", False):
    state = story.run(backend=RuntimeEndpoint("${url}", verify=verify), stream=True)
    print(len("".join(state.text_iter("text"))) > 20)
for verify in (None, True):
    try: RuntimeEndpoint("${url}", verify=verify)
    except ConnectionError as e: print("refused:", "cannot be verified" in str(e))`;
      expect(await ok(kernel, code)).toBe('True\nTrue\nrefused: True\nrefused: True\n');
    });

    it('says that a server speaks no TLS', async () => {
      const kernel = start({ guest, endpoint: runtime.url.replace('http:', 'https:') });
      const run = await kernel.run(`${STORY}\nstory.run()["text"]`);
      expect(JSON.stringify(run.outcome)).toMatch(/speaks no TLS .*Is its address http:/);
    });
  });
});
