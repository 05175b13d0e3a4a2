// The gRPC listener under messages that are wrong, too large or too many, and under clients that reset and go away.
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import type { Check } from '../check/check.ts';
import type { CheckRequest } from '../check/request/check-request.ts';
import { createGrpcWriter } from '../check/response/grpc.ts';
import { wireAnswer, wireCheck } from '../check/testing/grpc-wire.ts';
import { RecordingLog } from '../check/testing/recording-log.ts';
import { deny, type Verdict } from '../check/verdict.ts';
import { type Address, formatAddress } from '../config/config.ts';
import { parseConfig } from '../config/load.ts';
import { listenGrpc } from './grpc.ts';
import { type GrpcClient, grpcClient } from './testing/grpc-client.ts';
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
const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const HEALTH = '/grpc.health.v1.Health/Check';

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function listen(check: Check = async () => YES) {
  const log = new RecordingLog();
  const seen: CheckRequest[] = [];
  const listener = await listenGrpc(
    { host: '127.0.0.1', port: 0 },
    {
      judge: () => ({
        check: (request) => {
          seen.push(request);
          return check(request);
        },
        writeGrpc: createGrpcWriter(config, log, () => 0),
      }),
      log,
    },
  );
  open.push(() => listener.close(0));
  return { listener, address: listener.address, log, seen, client: client(listener.address) };
}

function client(address: Address): GrpcClient {
  const made = grpcClient(address);
  open.push(() => made.close());
  return made;
}

async function session(address: Address): Promise<ClientHttp2Session> {
  const made = connectHttp2(`http://${formatAddress(address)}`);
  made.on('error', () => {});
  open.push(() => made.destroy());
  await once(made, 'remoteSettings');
  return made;
}

/** A message with its gRPC prefix. */
function framed(message: Uint8Array, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed ? 1 : 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const HEADERS = { ':method': 'POST', ':path': CHECK, 'content-type': 'application/grpc', te: 'trailers' };

/** Over a raw stream; resolves with the gRPC status, in headers or trailers, or the reset code. */
async function rawCall(on: ClientHttp2Session, body: Buffer, headers: Record<string, string> = {}): Promise<string> {
  const stream = on.request({ ...HEADERS, ...headers });
  stream.on('error', () => {});
  let grpcStatus: unknown;
  for (const event of ['response', 'trailers'])
    stream.on(event, (received: Record<string, unknown>) => {
      grpcStatus ??= received['grpc-status'] ?? received[':status'];
      if (received['grpc-status'] !== undefined) grpcStatus = received['grpc-status'];
    });
  stream.resume();
  stream.end(body);
  await closeOf(stream);
  return String(grpcStatus ?? `reset ${stream.rstCode}`);
}

/** Unlike once() it does not mind an error before. */
const closeOf = (stream: ClientHttp2Stream) => new Promise<void>((resolve) => stream.once('close', resolve));

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => status.OK,
    (error: { code?: number }) => error.code ?? error,
  );
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a check', () => {
  test('is answered, and hides no second credential behind thousands of headers', async () => {
    const { client, seen } = await listen();
    const many = Array.from({ length: 5_000 }, (): [string, string] => ['a', '']);
    const headers: [string, string][] = [['authorization', 'Bearer a'], ...many, ['authorization', 'Bearer b']];
    const answer = wireAnswer(await client.check(wireCheck({ target: '/p?q', headers })));
    expect([answer.code, answer.kind]).toEqual([0, 'ok']);
    expect(seen).toMatchObject([{ path: '/p', query: '?q', authorization: ['Bearer a', 'Bearer b'] }]);
  });

  test('that is denied is an answer, not an error', async () => {
    const { client } = await listen(async () => deny('ory_unreachable', rule, { retryAfterSeconds: 7 }));
    expect(wireAnswer(await client.check(wireCheck({})))).toMatchObject({ code: 14, httpStatus: 503 });
  });
});

describe('what is wrong', () => {
  test.each<[string, Uint8Array, number]>([
    ['bytes that are no message', Buffer.from([0x0a, 0xff]), status.INTERNAL],
    ['a message of 257 KiB', wireCheck({ target: `/${'x'.repeat(257 * 1024)}` }), status.RESOURCE_EXHAUSTED],
  ])('%s is never a yes, and the next one is answered', async (_, message, code) => {
    const { client, seen, log } = await listen();
    expect(await codeOf(client.check(message))).toBe(code);
    expect(seen).toEqual([]);
    expect(log.text).not.toContain('xxxx');
    expect(wireAnswer(await client.check(wireCheck({}))).code).toBe(0);
  });

  test('the largest request that Envoy passes on is read', async () => {
    const { client, seen } = await listen();
    await client.check(
      wireCheck({ target: `/${'x'.repeat(60 * 1024)}`, headers: [['cookie', 'y'.repeat(60 * 1024)]] }),
    );
    expect(seen[0]?.cookie[0]).toHaveLength(60 * 1024);
  });

  test('a small message that grows when it is unpacked is refused', async () => {
    const { address, seen } = await listen();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100 * 1024);
    const before = process.memoryUsage().rss;
    const outcome = await rawCall(await session(address), framed(bomb, true), { 'grpc-encoding': 'gzip' });
    expect(outcome).toBe(String(status.RESOURCE_EXHAUSTED));
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * 1024 * 1024);
    expect(seen).toEqual([]);
  });

  test.each<[string, Buffer, Record<string, string>]>([
    ['another method', framed(wireCheck({})), { ':path': '/envoy.service.auth.v2.Authorization/Check' }],
    ['a path that is none', framed(wireCheck({})), { ':path': '/' }],
    ['another content type', framed(wireCheck({})), { 'content-type': 'application/json' }],
    ['an encoding that is none', framed(wireCheck({}), true), { 'grpc-encoding': 'nonsense' }],
    ['a prefix that promises more', framed(wireCheck({})).subarray(0, -1), {}],
    ['no message', Buffer.alloc(0), {}],
    ['half a prefix', Buffer.from([0, 0]), {}],
    ['two messages', Buffer.concat([framed(wireCheck({})), framed(wireCheck({}))]), {}],
    ['a deadline that is none', framed(wireCheck({})), { 'grpc-timeout': 'soon' }],
  ])('%s is never a yes, and the next one is answered', async (_, body, headers) => {
    const { address, client } = await listen();
    expect(await rawCall(await session(address), body, headers)).not.toBe(String(status.OK));
    expect(wireAnswer(await client.check(wireCheck({}))).code).toBe(0);
  });

  test.each([
    ['HTTP/1', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['garbage', 'nonsense\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a preface and then garbage', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense'],
  ])('%s ends its connection, and no other', async (_, bytes) => {
    const { address, seen, client } = await listen();
    await client.check(wireCheck({}));
    const stranger = await dial(address);
    stranger.socket.write(bytes, 'latin1');
    // TLS waits for more of the record: whoever asks must hang up by himself.
    if (bytes.startsWith('\x16')) stranger.socket.destroy();
    expect(await stranger.ended).not.toMatch(/^HTTP\/1\.1 2/);
    expect(wireAnswer(await client.check(wireCheck({}))).code).toBe(0);
    expect(seen).toHaveLength(2);
  });

  test.each<[string, Check]>([
    [
      'a check that throws',
      async () => {
        throw new Error('c4n4ry');
      },
    ],
    ['a verdict that is none', async () => ({ kind: 'deny', reason: 'c4n4ry' }) as unknown as Verdict],
  ])('%s is an error without its content', async (_, check) => {
    const { client, log } = await listen(check);
    const error = await client.check(wireCheck({})).then(
      () => 'a yes',
      (thrown: Error & { code: number }) => thrown,
    );
    expect(error).toMatchObject({ code: status.INTERNAL, details: 'the check could not be answered' });
    expect(log.lines).toMatchObject([{ level: 'error' }]);
    expect(log.text + String(error)).not.toContain('c4n4ry');
  });
});

describe('many', () => {
  test('streams are bounded on one connection', async () => {
    const { address } = await listen();
    expect((await session(address)).remoteSettings.maxConcurrentStreams).toBe(1_000);
  });

  test('connections that say nothing leave the others their answers', async () => {
    const { address } = await listen();
    for (let i = 0; i < 10; i++) {
      const idle = await Promise.all(Array.from({ length: 100 }, () => dial(address)));
      open.push(() => {
        for (const { socket } of idle) socket.destroy();
      });
    }
    const late = client(address);
    const answers = await Promise.all(Array.from({ length: 200 }, () => late.check(wireCheck({}))));
    for (const answer of answers) expect(wireAnswer(answer).code).toBe(0);
  });

  test('resets, before and while they are judged, end no other check', async () => {
    const gate = Promise.withResolvers<void>();
    const { address, client, seen, log } = await listen(async () => {
      await gate.promise;
      return YES;
    });
    const steady = client.check(wireCheck({ target: '/steady' }));
    while (seen.length < 1) await settled();
    for (let round = 0; round < 4; round++) {
      const flood = await session(address);
      const closed: Promise<unknown>[] = [];
      for (let i = 0; i < 500 && !flood.destroyed; i++) {
        const stream = flood.request(HEADERS);
        stream.on('error', () => {});
        closed.push(closeOf(stream));
        if (i % 2 === 0) stream.end(framed(wireCheck({ target: '/reset' })));
        if (i % 3 === 0) await settled();
        stream.close([constants.NGHTTP2_CANCEL, constants.NGHTTP2_PROTOCOL_ERROR][i % 2]);
      }
      await Promise.all(closed);
      if (round % 2 === 0) flood.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      flood.destroy();
    }
    gate.resolve();
    expect(wireAnswer(await steady).code).toBe(0);
    expect(wireAnswer(await client.check(wireCheck({}))).code).toBe(0);
    expect(seen.length).toBeGreaterThan(100);
    expect(log.lines).toEqual([]);
  });

  test('a client that says GOAWAY and goes leaves the others their answers', async () => {
    const { address, client } = await listen();
    for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR, 0xffff_ffff]) {
      const leaver = await session(address);
      const stream = leaver.request(HEADERS);
      stream.on('error', () => {});
      leaver.goaway(code);
      stream.end(framed(wireCheck({})));
      leaver.destroy();
      expect(wireAnswer(await client.check(wireCheck({}))).code).toBe(0);
    }
  });
});

describe('health', () => {
  const SERVING = [1];
  const NOT_SERVING = [2];
  const named = (service: string) => Buffer.from([0x0a, service.length, ...Buffer.from(service)]);
  const statusIn = (answer: Uint8Array) => [...answer.subarray(1)];

  test('says SERVING, and NOT_SERVING ahead of the close, while checks are answered', async () => {
    const { client, listener } = await listen();
    for (const service of ['', 'envoy.service.auth.v3.Authorization'])
      expect(statusIn(await client.call(HEALTH, named(service)))).toEqual(SERVING);
    expect(await codeOf(client.call(HEALTH, named('other')))).toBe(status.NOT_FOUND);
    listener.notServing();
    for (const service of ['', 'envoy.service.auth.v3.Authorization'])
      expect(statusIn(await client.call(HEALTH, named(service)))).toEqual(NOT_SERVING);
    expect(wireAnswer(await client.check(wireCheck({}))).code).toBe(0);
  });
});

describe('close', () => {
  test('answers what is under way, takes nothing new, and does not wait for kept connections', async () => {
    const gate = Promise.withResolvers<void>();
    const {
      listener,
      address,
      client: busy,
      seen,
    } = await listen(async ({ path }) => {
      if (path === '/slow') await gate.promise;
      return YES;
    });
    const kept = client(address);
    await kept.check(wireCheck({}));
    const silent = await dial(address);
    const slow = busy.check(wireCheck({ target: '/slow' }));
    while (seen.length < 2) await settled();
    const closed = listener.close(60_000);
    await expect(dial(address)).rejects.toThrow();
    expect(await codeOf(kept.check(wireCheck({})))).toBe(status.UNAVAILABLE);
    gate.resolve();
    expect(wireAnswer(await slow).code).toBe(0);
    await closed;
    await silent.ended;
  });

  test('ends after its grace what does not finish', async () => {
    const { listener, address, client, seen } = await listen(() => new Promise(() => {}));
    const slow = codeOf(client.check(wireCheck({})));
    const watch = (await session(address)).request({ ...HEADERS, ':path': '/grpc.health.v1.Health/Watch' });
    watch.on('error', () => {});
    watch.end(framed(Buffer.alloc(0)));
    while (seen.length < 1) await settled();
    await listener.close(20);
    expect(await slow).not.toBe(status.OK);
  });

  test('of a listener that nobody has asked ends at once', async () => {
    const { listener, address } = await listen();
    await listener.close(60_000);
    expect(await exchange(address, '').catch(() => 'refused')).toBe('refused');
  });
});
