// Both transports under attack, side by side, through real Envoys: whatever bytes a client sends, the answer is the same.
// And the gRPC port by itself: resets, floods, health.

import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireAnswer, wireCheck } from '../../src/check/testing/grpc-wire.ts';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { type GrpcClient, grpcClient } from '../../src/server/testing/grpc-client.ts';
import { until } from '../until.ts';
import { type Lines, send, sendRaw } from './rig/client.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { type Edges, startEdges } from './rig/transports.ts';

const GOOD = 'good';
/** A Kratos that knows one session, and can be made to wait. */
let gate: Promise<void> | undefined;
let whoamis = 0;
const kratos = createServer(async (request, response) => {
  whoamis++;
  await gate;
  const { 'x-session-token': token, cookie } = request.headers;
  const good = token === GOOD || cookie === `ory_kratos_session=${GOOD}`;
  const session = { id: 's', active: true, identity: { id: 'ada' } };
  response.writeHead(good ? 200 : 401, { 'content-type': 'application/json' });
  response.end(JSON.stringify(good ? session : { error: { code: 401 } }));
});

let edges: Edges;
/** As a gateway that does not set encode_raw_headers. */
let joined: Edge;
let grpc: GrpcClient;

beforeAll(async () => {
  await new Promise<void>((resolve) => kratos.listen(0, '127.0.0.1', resolve));
  const file = {
    ory: { kratos: { public_url: `http://127.0.0.1:${(kratos.address() as AddressInfo).port}` } },
    identity_headers: { 'X-User-Id': ['session.identity.id'] },
    cache: { ttl: '0s', negative_ttl: '0s' },
  };
  edges = await startEdges(() => file);
  joined = await startEdge(file, 'grpc', (yaml) => {
    const patched = yaml.replace('encode_raw_headers: true', 'encode_raw_headers: false');
    expect(patched).not.toBe(yaml);
    return patched;
  });
  grpc = grpcClient(edges.grpc.authorizerGrpc);
});

afterAll(async () => {
  grpc?.close();
  await edges?.close();
  await joined?.close();
  kratos.close();
  kratos.closeAllConnections();
});

const session: Lines = [['x-session-token', GOOD]];

/** The status, and what says more: the reason, or who was let in. Raw bytes, since a client would refuse to send them. */
async function outcome({ url }: Edge, lines: readonly string[]): Promise<string> {
  const request = ['GET /app/x HTTP/1.1', 'host: app.test', 'connection: close', ...lines, '', ''].join('\r\n');
  // Envoy closes on what it does not read to the end.
  const answer = await sendRaw(url, request, /\r\n\r\n(?:.*\}|$)/s).catch(() => 'HTTP/1.1 431');
  const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
  if (status !== '200') return `${status} ${/"reason":\s*"(\w+)"/.exec(answer)?.[1] ?? ''}`.trim();
  return `200 ${/\["x-user-id","([^"]*)"\]/.exec(answer)?.[1] ?? 'nobody'}`;
}

describe('whatever bytes a client sends', () => {
  const byte = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...'ory_st good=;,"') },
    { weight: 2, arbitrary: fc.integer({ min: 0x80, max: 0xff }).map((code) => String.fromCharCode(code)) },
    { weight: 1, arbitrary: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) },
    { weight: 1, arbitrary: fc.constant('\t') },
  );
  const value = fc.oneof(
    fc.constant(GOOD),
    fc.array(byte, { maxLength: 12 }).map((bytes) => bytes.join('')),
    fc.array(byte, { maxLength: 3 }).map((bytes) => `${GOOD}${bytes.join('')}`),
  );
  const line = fc.oneof(
    value.map((text) => `X-Session-Token: ${text}`),
    value.map((text) => `Authorization: Bearer ${text}`),
    value.map((text) => `Cookie: ory_kratos_session=${text}`),
    value.map((text) => `Cookie: ${text}`),
    value.map((text) => `X-Forwarded-For: ${text}`),
    value.map((text) => `X_User_Id: ${text}`),
    value.map((text) => `Accept: text/html, ${text}`),
  );

  /** RFC 6265, section 5.4: a client sends one. Over HTTP Envoy joins several by a comma, which hides what comes after. */
  const oneCookieLine = (lines: readonly string[]) => lines.filter((one) => one.startsWith('Cookie:')).length < 2;

  it.each([
    ['a cookie in a second line', ['Cookie: a=1', `Cookie: ory_kratos_session=${GOOD}`], '401 credential_missing'],
    ['a cookie in a first line', [`Cookie: ory_kratos_session=${GOOD}`, 'Cookie: a=1'], '401 credential_malformed'],
  ])('%s counts over gRPC; joined, it counts for nothing', async (_, lines, denial) => {
    expect(await outcome(edges.grpc, lines)).toBe('200 ada');
    for (const edge of [edges.http, joined]) expect(await outcome(edge, lines)).toBe(denial);
  });

  it('both transports answer alike, and gRPC with joined headers lets nobody else in', {
    timeout: 300_000,
  }, async () => {
    const counts = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 4 }).filter(oneCookieLine), async (lines) => {
        const [http, raw, map] = await Promise.all([
          outcome(edges.http, lines),
          outcome(edges.grpc, lines),
          outcome(joined, lines),
        ]);
        counts.set(http, (counts.get(http) ?? 0) + 1);
        expect(map).toBe(http);
        // Over HTTP, and in joined headers, Envoy replaces what is not UTF-8 by "!": a credential that is malformed in
        // another way, and still no other credential.
        if (isUtf8(Buffer.from(lines.join(), 'latin1'))) expect(raw).toBe(http);
        else expect(raw.slice(0, 3)).toBe(http.slice(0, 3));
        expect(http).toMatch(/^(?:200 ada|401 \w+|400 credential_ambiguous)$/);
      }),
      { numRuns: 1_000, seed: 20_261_124 },
    );
    for (const kind of ['200 ada', '401 session_invalid', '401 credential_malformed', '400 credential_ambiguous'])
      expect(counts.get(kind), `${kind} of ${JSON.stringify([...counts])}`).toBeGreaterThan(5);
  });

  it.each([
    ['NUL', `X-Session-Token: ${GOOD}\0`],
    ['a lone CR', `X-Session-Token: ${GOOD}\rX-User-Id: mallory`],
    ['a folded line', `X-Session-Token: ${GOOD}\r\n X-User-Id: mallory`],
    ['a space in a name', `X-Session-Token : ${GOOD}`],
  ])('%s is refused, over all alike', async (_, line) => {
    const answers = await Promise.all([edges.http, edges.grpc, joined].map((edge) => outcome(edge, [line])));
    expect(answers[0]).toMatch(/^40[01]/);
    expect(new Set(answers).size).toBe(1);
  });

  it.each([
    ['55 KB of one credential', [`X-Session-Token: ${'x'.repeat(55_000)}`], '401 credential_malformed'],
    ['12 KB of other cookies', [`Cookie: a=${'x'.repeat(12_000)}; ory_kratos_session=${GOOD}`], '200 ada'],
    ['55 KB of other cookies', [`Cookie: a=${'x'.repeat(55_000)}; ory_kratos_session=bad`], '401 session_invalid'],
    ['90 lines of one credential', Array.from({ length: 90 }, () => `X-Session-Token: ${GOOD}`), '200 ada'],
    [
      '90 lines of one and one of another',
      [...Array.from({ length: 90 }, () => `X-Session-Token: ${GOOD}`), 'X-Session-Token: bad'],
      '400 credential_ambiguous',
    ],
    ['100 KB', [`X-Session-Token: ${GOOD}`, `Cookie: ${'x'.repeat(100_000)}`], '431'],
    ['101 lines', [...Array.from({ length: 101 }, () => 'a: b'), `X-Session-Token: ${GOOD}`], '431'],
  ])('%s', async (_, lines, expected) => {
    for (const edge of [edges.http, edges.grpc, joined]) expect(await outcome(edge, lines)).toBe(expected);
  });
});

describe('many at once, checks over gRPC', () => {
  it('two thousand streams of twenty clients are all answered', async () => {
    const statuses = new Map<string, number>();
    const clients = Array.from({ length: 20 }, () => connectHttp2(edges.grpc.url));
    await Promise.all(
      clients.flatMap((client) =>
        Array.from({ length: 100 }, async (_, i) => {
          const good = i % 2 === 0;
          const stream = client.request({ ':path': '/app/x', ...(good ? { 'x-session-token': GOOD } : {}) });
          const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
          stream.resume();
          const key = `${good} ${headers[':status']}`;
          statuses.set(key, (statuses.get(key) ?? 0) + 1);
        }),
      ),
    );
    for (const client of clients) client.destroy();
    expect(Object.fromEntries(statuses)).toEqual({ 'true 200': 1_000, 'false 401': 1_000 });
  });

  it('clients that reset while they are judged leave the others their answers', async () => {
    const open = Promise.withResolvers<void>();
    gate = open.promise;
    const before = edges.grpc.app.count();
    try {
      for (let round = 0; round < 10; round++) {
        const client = connectHttp2(edges.grpc.url);
        client.on('error', () => {});
        await once(client, 'remoteSettings');
        const before = whoamis;
        for (let i = 0; i < 50; i++) {
          const stream = client.request({ ':path': '/app/x', 'x-session-token': `t-${round}-${i}` });
          stream.on('error', () => {});
          if (i % 2 === 0) setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
        }
        await until('checks are under way', () => whoamis >= before + 25);
        client.destroy();
      }
    } finally {
      gate = undefined;
      open.resolve();
    }
    const answer = await send(edges.grpc.url, 'HTTP/2', { path: '/app/x', headers: session });
    expect(answer.status).toBe(200);
    expect(edges.grpc.app.count()).toBe(before + 1);
  });
});

describe('the gRPC port', () => {
  it('survives floods of resets, and answers Envoy meanwhile', async () => {
    const { host, port } = edges.grpc.authorizerGrpc;
    const pid = edges.grpc.authorizer.pid();
    let resets = 0;
    let flooding = true;
    const flood = Array.from({ length: 4 }, async () => {
      while (flooding) {
        const client = connectHttp2(`http://${host}:${port}`);
        client.on('error', () => {});
        const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
        // Node's server ends a connection that resets too many streams; then there is another.
        for (let i = 0; i < 500 && flooding && !client.destroyed && !client.closed; i++) {
          const stream = client.request({
            ':method': 'POST',
            ':path': '/envoy.service.auth.v3.Authorization/Check',
            'content-type': 'application/grpc',
          });
          stream.on('error', () => {});
          stream.close(constants.NGHTTP2_CANCEL);
          resets++;
          if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        if (resets % 2 === 0) client.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
        client.destroy();
        await gone;
      }
    });
    try {
      for (let i = 0; i < 50; i++) {
        expect((await send(edges.grpc.url, 'HTTP/1.1', { path: '/app/x', headers: session })).status).toBe(200);
        expect((await send(edges.grpc.url, 'HTTP/1.1', { path: '/app/x' })).status).toBe(401);
      }
      await until('10,000 resets', () => resets > 10_000);
    } finally {
      flooding = false;
    }
    await Promise.all(flood);
    expect(wireAnswer(await grpc.check(wireCheck({ target: '/x', headers: session }))).code).toBe(0);
    expect(edges.grpc.authorizer.pid()).toBe(pid);
    expect(() => process.kill(pid, 0)).not.toThrow();
  });

  it('is named in the log, and its health goes before it does', async () => {
    expect(edges.grpc.authorizer.log()).toContain(`"grpc":"127.0.0.1:${edges.grpc.authorizerGrpc.port}"`);
    const health = async () => (await grpc.call('/grpc.health.v1.Health/Check', new Uint8Array()))[1];
    const [SERVING, NOT_SERVING] = [1, 2];
    expect(await health()).toBe(SERVING);
    const stopped = edges.grpc.authorizer.stop();
    await until('it says NOT_SERVING', async () => (await health()) === NOT_SERVING);
    expect(wireAnswer(await grpc.check(wireCheck({ target: '/x', headers: session }))).code).toBe(0);
    expect(await stopped).toBe(0);
    await edges.grpc.authorizer.start();
  });
});

it.each(TRANSPORTS)('nothing that was sent is in the log, over %s', (transport) => {
  const { authorizer } = edges[transport];
  expect(authorizer.log()).not.toContain('x'.repeat(100));
  expect(authorizer.log()).not.toContain('could not be');
});
