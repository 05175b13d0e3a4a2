// The HTTP listener under requests that are wrong, slow, many, or cut off.
import { afterEach, describe, expect, test } from 'vitest';
import type { Check } from '../check/check.ts';
import type { CheckRequest } from '../check/request/check-request.ts';
import { createHttpWriter } from '../check/response/http.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { deny, type Verdict } from '../check/verdict.ts';
import { parseConfig } from '../config/load.ts';
import { type HttpListener, listenHttp } from './http.ts';
import { dial, exchange } from './testing/raw-client.ts';

const config = parseConfig('ory: { url: https://ory.example }\nedge: { upstream: "http://127.0.0.1:3000" }\n', 'f', {
  env: {},
});
const [rule] = config.rules;
if (!rule) throw new Error('no rule');
const YES: Verdict = {
  kind: 'allow',
  reason: 'anonymous',
  rule,
  identity: undefined,
  setCookie: [],
  remember: undefined,
};
const KEPT = 'GET /a?b HTTP/1.1\r\nhost: app.example\r\n\r\n';
const GET = 'GET /a?b HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n';

const open: HttpListener[] = [];
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close(0);
});

async function listen(check: Check = async () => YES, requestMs?: number) {
  const log = new RecordingLog();
  const seen: CheckRequest[] = [];
  const listener = await listenHttp(
    { host: '127.0.0.1', port: 0 },
    {
      judge: () => ({
        check: (request) => {
          seen.push(request);
          return check(request);
        },
        writeHttp: createHttpWriter(config, log, () => 0),
      }),
      log,
      ...(requestMs === undefined ? {} : { requestMs }),
    },
  );
  open.push(listener);
  return { listener, address: listener.address, log, seen };
}

describe('reading', () => {
  test('takes method, host, path, query and every line of a credential as they came', async () => {
    const { address, seen } = await listen();
    await exchange(
      address,
      'DELETE /a%2fb?c=/d#e HTTP/1.1\r\nHost: App.Example:80\r\nconnection: close\r\nauthorization: Bearer a\r\nAuthorization:  Bearer b \r\nX-Session-Token: t\r\nx-session-token: u\r\nCookie: a=1\r\ncookie: b=2\r\nx-request-id: r\r\n\r\n',
    );
    expect(seen).toMatchObject([
      {
        method: 'DELETE',
        host: 'App.Example:80',
        path: '/a%2fb',
        query: '?c=/d#e',
        authorization: ['Bearer a', 'Bearer b'],
        sessionToken: ['t', 'u'],
        cookie: ['a=1', 'b=2'],
        preflight: false,
        requestId: 'r',
      },
    ]);
  });

  test('hides no second credential behind thousands of headers', async () => {
    const { address, seen } = await listen();
    await exchange(
      address,
      `GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer a\r\n${'a:\r\n'.repeat(5_000)}authorization: Bearer b\r\n\r\n`,
    );
    expect(seen[0]?.authorization).toEqual(['Bearer a', 'Bearer b']);
  });

  test.each([
    ['OPTIONS', 'origin: https://a\r\naccess-control-request-method: PUT\r\n', true],
    ['OPTIONS', 'origin: https://a\r\n', false],
    ['OPTIONS', 'access-control-request-method: PUT\r\n', false],
    ['GET', 'origin: https://a\r\naccess-control-request-method: PUT\r\n', false],
  ])('%s with %j is a preflight: %s', async (method, headers, preflight) => {
    const { address, seen } = await listen();
    await exchange(address, `${method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${headers}\r\n`);
    expect(seen[0]?.preflight).toBe(preflight);
  });

  test('ignores every header that claims another address', async () => {
    const { address, seen } = await listen();
    await exchange(
      address,
      'GET /s HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-forwarded-host: b\r\nx-forwarded-uri: /public\r\nx-original-url: /public\r\nx-envoy-original-path: /public\r\nx-http-method-override: OPTIONS\r\n\r\n',
    );
    expect(seen).toMatchObject([{ method: 'GET', host: 'a', path: '/s' }]);
  });

  test.each([
    [
      'absolute form',
      'GET http://evil.example/public HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
      'http://evil.example/public',
    ],
    ['asterisk form', 'OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n', '*'],
  ])('%s is handed on as it is, and is no path', async (_, bytes, path) => {
    const { address, seen } = await listen();
    await exchange(address, bytes);
    expect(seen[0]?.path).toBe(path);
  });

  test('two Hosts are no host', async () => {
    const { address, seen } = await listen();
    const answer = await exchange(address, 'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n');
    if (seen.length > 0) expect(seen[0]?.host).toBeUndefined();
    else expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('requests that are wrong', () => {
  test.each([
    ['garbage', 'nonsense\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['an unknown method', 'STEAL / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['a space in a header name', 'GET / HTTP/1.1\r\nhost: a\r\nauthorization : Bearer a\r\n\r\n'],
    ['a folded header', 'GET / HTTP/1.1\r\nhost: a\r\n authorization: Bearer a\r\n\r\n'],
    ['NUL in a header', 'GET / HTTP/1.1\r\nhost: a\r\ncookie: a\0b\r\n\r\n'],
    [
      'length and chunks',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef'],
    ['headers too large', `GET / HTTP/1.1\r\nhost: a\r\ncookie: ${'x'.repeat(200_000)}\r\n\r\n`],
    ['a path too large', `GET /${'x'.repeat(200_000)} HTTP/1.1\r\nhost: a\r\n\r\n`],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['CONNECT with a path', 'CONNECT /public HTTP/1.1\r\nhost: a\r\n\r\n'],
  ])('%s is never a yes, and the next one is answered', async (_, bytes) => {
    const { address, seen } = await listen();
    expect(await exchange(address, bytes)).not.toMatch(/HTTP\/1\.1 2/);
    expect(seen).toEqual([]);
    expect(await exchange(address, GET)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('an upgrade is judged like any other request', async () => {
    const { address, seen } = await listen(async () => deny('session_invalid', rule));
    const answer = await exchange(
      address,
      'GET /ws HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, close\r\nupgrade: websocket\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(seen).toHaveLength(1);
  });

  test('a body is not waited for, and ends the connection', async () => {
    const { address, seen } = await listen();
    const client = await dial(address);
    client.socket.write(
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n',
    );
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 200 .*connection: close/is);
    await client.ended;
    expect(seen.map(({ path }) => path)).toEqual(['/']);
  });

  test('a slow client is cut off, and the others are answered meanwhile', async () => {
    const { address, seen } = await listen(undefined, 100);
    const slow = await dial(address);
    slow.socket.write('GET / HTTP/1.1\r\nhost: a\r\nx: ');
    expect(await exchange(address, GET)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await slow.ended).toMatch(/^HTTP\/1\.1 408 /);
    expect(seen).toHaveLength(1);
  });

  test('resets and clients that go away end no other check', async () => {
    const gate = Promise.withResolvers<void>();
    const { address, seen } = await listen(async () => {
      await gate.promise;
      return YES;
    });
    const clients = await Promise.all(Array.from({ length: 50 }, () => dial(address)));
    for (const { socket } of clients) socket.write(GET);
    while (seen.length < 50) await new Promise((resolve) => setImmediate(resolve));
    for (const { socket } of clients.slice(1)) socket.resetAndDestroy();
    await Promise.all(clients.slice(1).map(({ ended }) => ended));
    gate.resolve();
    expect(await clients[0]?.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await exchange(address, GET)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('2,000 idle connections leave the others their answers', async () => {
    const { address } = await listen();
    const idle = [];
    for (let i = 0; i < 20; i++) idle.push(...(await Promise.all(Array.from({ length: 100 }, () => dial(address)))));
    const answers = await Promise.all(Array.from({ length: 50 }, () => exchange(address, GET)));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    for (const { socket } of idle) socket.destroy();
  });
});

describe('an answer that cannot be written', () => {
  test('is no yes, and is logged without its content', async () => {
    const { address, log } = await listen(async () => ({ ...YES, setCookie: ['c4n4ry=\n'] }));
    const answer = await exchange(address, GET);
    expect(answer).toMatch(/^HTTP\/1\.1 503 .*"reason":"internal_error"/s);
    expect(answer + log.text).not.toContain('c4n4ry');
  });

  test.each<[string, Check]>([
    [
      'a check that throws',
      async () => {
        throw new Error('c4n4ry');
      },
    ],
    ['a verdict that is none', async () => ({ kind: 'deny', reason: 'c4n4ry' }) as unknown as Verdict],
  ])('%s ends the connection, not the process', async (_, check) => {
    const { address, log } = await listen(check);
    expect(await exchange(address, GET)).toBe('');
    expect(log.lines).toMatchObject([{ level: 'error' }]);
    expect(log.text).not.toContain('c4n4ry');
  });
});

describe('close', () => {
  test('answers what is under way, takes nothing new, and does not wait for kept connections', async () => {
    const gate = Promise.withResolvers<void>();
    const { listener, address, seen } = await listen(async () => {
      await gate.promise;
      return YES;
    });
    const [busy, idle] = [await dial(address), await dial(address)];
    busy.socket.write(KEPT);
    while (seen.length < 1) await new Promise((resolve) => setImmediate(resolve));
    idle.socket.destroy();
    await idle.ended;
    const closed = listener.close(60_000);
    await expect(dial(address)).rejects.toThrow();
    gate.resolve();
    expect(await busy.ended).toMatch(/^HTTP\/1\.1 200 .*connection: close/is);
    await closed;
  });

  test('ends after its grace what does not finish', async () => {
    const { listener, address, seen } = await listen(() => new Promise(() => {}));
    const client = await dial(address);
    client.socket.write(GET);
    while (seen.length < 1) await new Promise((resolve) => setImmediate(resolve));
    await listener.close(20);
    expect(await client.ended).toBe('');
  });
});
