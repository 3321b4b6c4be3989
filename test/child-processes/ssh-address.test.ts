import { expect, test } from 'vitest';
import { isSshUrl, parseSshUrl } from '../../extension/child-processes/ssh-address.ts';
import { failureOf } from '../../extension/child-processes/ssh-failure.ts';

test.for([
  ['ssh://box/127.0.0.1:30000', 'null box null 127.0.0.1 30000 '],
  ['ssh://me@box:2222/10.0.0.7:30000/get_model_info', 'me box 2222 10.0.0.7 30000 /get_model_info'],
  ['ssh://a.b+c-d@gpu_1.lan/node-3:80/?x=1', 'a.b+c-d gpu_1.lan null node-3 80 /?x=1'],
  ['ssh://[::1]:22/[fe80::1]:1/', 'null ::1 22 [fe80::1] 1 /'],
  ['ssh://box/localhost:65535?q', 'null box null localhost 65535 ?q'],
])('%s', ([url, expected]) => {
  const parsed = parseSshUrl(url!);
  const { user, host, port, server, serverPort } = parsed!.address;
  expect([user, host, port, server, serverPort, parsed!.path].map(String).join(' ')).toBe(expected);
  expect(parsed!.address.url + parsed!.path).toBe(url);
});

test.for([
  'ssh://box',
  'ssh://box:30000',
  'ssh://box/127.0.0.1',
  'ssh://box/127.0.0.1:0',
  'ssh://box/127.0.0.1:65536',
  'ssh://box:70000/127.0.0.1:1',
  'ssh://box/30000',
  'ssh:///127.0.0.1:1',
  'ssh://me@/127.0.0.1:1',
  // What ssh, or its configuration, would take for something else than a name.
  'ssh://-oProxyCommand=true/127.0.0.1:1',
  'ssh://-l@box/127.0.0.1:1',
  'ssh://box/-x:1',
  'ssh://me@-box/127.0.0.1:1',
  'ssh://%h/127.0.0.1:1',
  'ssh://a b/127.0.0.1:1',
  'ssh://$(id)/127.0.0.1:1',
  'ssh://box;id/127.0.0.1:1',
  'ssh://box/127.0.0.1:1:2',
  'ssh://box\n/127.0.0.1:1',
])('%j is no address', (url) => {
  expect(isSshUrl(url)).toBe(true);
  expect(parseSshUrl(url)).toBe(null);
});

test.for([
  ['login', 'me@box: Permission denied (publickey,password).'],
  ['login', 'Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures'],
  ['unknown-host', 'No ED25519 host key is known for box and you have requested strict checking.'],
  ['unknown-host', 'Host key verification failed.'],
  [
    'changed-host',
    '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.',
  ],
  ['no-such-host', 'ssh: Could not resolve hostname box: Name or service not known'],
  ['unreachable', 'ssh: connect to host box port 22: No route to host'],
  ['unreachable', 'Connection timed out during banner exchange'],
  ['forward', 'bind [127.0.0.1]:8888: Address already in use\nCould not request local forwarding.'],
  ['ended', 'Timeout, server box not responding.'],
  ['ended', 'client_loop: send disconnect: Broken pipe'],
])('%s: %s', ([kind, words]) => {
  expect(failureOf(words!.split('\n'), 'exit code 255').kind).toBe(kind);
});

test('words of a failure are the last ones, or how it ended', () => {
  expect(failureOf(['@@@@@@', '', 'one', 'two', 'three', 'four'], 'x').words).toBe(
    'two three four',
  );
  expect(failureOf([], 'by SIGKILL').words).toBe('by SIGKILL');
});
