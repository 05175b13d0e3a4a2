// Many at once: one whoami for a thousand first requests, memory that stays flat under garbage, misbehaving clients.
import { readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireAnswer, wireCheck } from '../../src/check/testing/grpc-wire.ts';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { grpcClient } from '../../src/server/testing/grpc-client.ts';
import type { RealOry } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import { type Edge, startEdge } from './rig/edge.ts';
import { policy } from './rig/policy.ts';
import { type Edges, startEdges } from './rig/transports.ts';

const WHOAMI = '/sessions/whoami';

describe('with a real Kratos', () => {
  let ory: RealOry;
  let kratos: CountingProxy;
  let edges: Edges;

  beforeAll(async () => {
    ory = await startRealOry();
    kratos = await startCountingProxy(ory.kratos.publicUrl);
    edges = await startEdges(() => policy(ory, { kratosUrl: kratos.url }));
  });

  afterAll(async () => {
    await edges?.close();
    await kratos?.close();
    await ory?.close();
  });

  it.each(TRANSPORTS)(
    'a thousand concurrent first requests of one session make exactly one whoami, over %s',
    async (transport) => {
      const session = await ory.login(await ory.createPerson());
      kratos.reset();
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, () =>
          send(edges[transport].url, 'HTTP/1.1', { path: '/app/x', headers: [['X-Session-Token', session.token]] }),
        ),
      );
      expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
      expect(kratos.count(WHOAMI)).toBe(1);
    },
  );

  it.each(TRANSPORTS)('a client that goes away does not take the others with it, over %s', async (transport) => {
    const { url } = edges[transport];
    const session = await ory.login(await ory.createPerson());
    ory.processes.kratos.pause();
    const leaver = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    await new Promise((resolve) => leaver.once('connect', resolve));
    leaver.write(`GET /app/x HTTP/1.1\r\nhost: app.test\r\nx-session-token: ${session.token}\r\n\r\n`);
    const other = send(url, 'HTTP/1.1', { path: '/app/x', headers: [['X-Session-Token', session.token]] });
    leaver.destroy();
    ory.processes.kratos.resume();
    expect((await other).status).toBe(200);
  });
});

describe('with an Ory that answers 401 to all', () => {
  let whoamis = 0;
  const kratos = createServer((_request, response) => {
    whoamis++;
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end('{"error":{"code":401}}');
  });
  let edge: Edge;

  beforeAll(async () => {
    await new Promise<void>((resolve) => kratos.listen(0, '127.0.0.1', resolve));
    edge = await startEdge({
      ory: { kratos: { public_url: `http://127.0.0.1:${(kratos.address() as AddressInfo).port}` } },
    });
  });

  afterAll(async () => {
    await edge?.close();
    kratos.close();
    kratos.closeAllConnections();
  });

  const residentMiB = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${edge.authorizer.pid()}/status`, 'utf8'))?.[1]) / 1_024;

  async function randomCookies(count: number, from: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    let next = from;
    const worker = async () => {
      while (next < from + count) {
        const value = `${next++}-${'x'.repeat(200)}`;
        await new Promise<void>((resolve, reject) => {
          const outgoing = request(
            `${edge.authorizerUrl}/app/x`,
            { agent, headers: { cookie: `ory_kratos_session=${value}` } },
            (response) => {
              response.resume();
              response.on('end', resolve);
            },
          );
          outgoing.on('error', reject);
          outgoing.end();
        });
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    agent.destroy();
  }

  it('a hundred thousand random cookies leave memory flat', { timeout: 300_000 }, async () => {
    // The heap of a fresh process grows to its working size first, and the cache to its bound of 100,000.
    await randomCookies(120_000, 0);
    const before = residentMiB();
    await randomCookies(100_000, 200_000);
    const grown = residentMiB() - before;
    process.stdout.write(
      `authorizer: ${before.toFixed(0)} MiB before, ${grown.toFixed(0)} MiB more after 100,000 random cookies\n`,
    );
    expect(whoamis).toBeGreaterThanOrEqual(220_000);
    expect(grown).toBeLessThan(48);
  });

  it('nor do fifty thousand that are asked about over gRPC', { timeout: 300_000 }, async () => {
    const client = grpcClient(edge.authorizerGrpc);
    let next = 0;
    const ask = async (until: number) => {
      while (next < until) {
        const cookie = `ory_kratos_session=grpc-${next++}-${'x'.repeat(200)}`;
        const { code } = wireAnswer(await client.check(wireCheck({ target: '/app/x', headers: [['cookie', cookie]] })));
        expect(code).toBe(16);
      }
    };
    const many = (until: number) => Promise.all(Array.from({ length: 64 }, () => ask(until)));
    await many(20_000);
    const before = residentMiB();
    await many(70_000);
    client.close();
    const grown = residentMiB() - before;
    process.stdout.write(`over gRPC: ${before.toFixed(0)} MiB before, ${grown.toFixed(0)} MiB more after 50,000\n`);
    expect(grown).toBeLessThan(48);
  });

  it('thousands of idle connections, slow clients and resets leave it answering', async () => {
    const port = Number(new URL(edge.authorizerUrl).port);
    const open = (): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port });
        socket.once('connect', () => resolve(socket));
        socket.once('error', reject);
      });
    const idle: Socket[] = [];
    for (let i = 0; i < 30; i++) idle.push(...(await Promise.all(Array.from({ length: 100 }, open))));
    for (const socket of idle) socket.on('error', () => {});
    for (const [i, socket] of idle.entries()) {
      if (i % 3 === 0) socket.write('GET /app/x HTTP/1.1\r\nhost: a\r\nx-slow: ');
      if (i % 3 === 1) socket.write('\u0000\u0001garbage\r\n\r\n');
    }
    const answer = await send(edge.authorizerUrl, 'HTTP/1.1', { path: '/app/x' });
    expect(answer.status).toBe(401);
    for (const socket of idle) socket.resetAndDestroy();
    const through = await send(edge.url, 'HTTP/1.1', { path: '/app/x' });
    expect(through.status).toBe(401);
  });
});
