// `serve --workers 2` behind a real Envoy: one whoami a session, the verdicts of one process, a worker killed or hanging, a
// drain, a revocation that reaches all of them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecordingLog } from '../../src/check/testing/recording-log.ts';
import { startWorkers } from '../../src/cli/workers/workers.ts';
import { parseConfig } from '../../src/config/load.ts';
import { TRANSPORTS, type Transport } from '../../src/generate/envoy/transport.ts';
import { exchange } from '../../src/server/testing/raw-client.ts';
import type { RealOry } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { until } from '../until.ts';
import { type Lines, send } from './rig/client.ts';
import { type CountingProxy, startCountingProxy } from './rig/counting-proxy.ts';
import { type Edge, type EdgeFile, startEdge } from './rig/edge.ts';
import { AUDIENCE, policy } from './rig/policy.ts';
import { workersOf } from './rig/serve-process.ts';

const WHOAMI = '/sessions/whoami';
const startTwo = (file: EdgeFile, transport: Transport) => startEdge(file, transport, undefined, { workers: 2 });

describe('with a real Ory', () => {
  let ory: RealOry;
  let kratos: CountingProxy;
  let two: Record<Transport, Edge>;
  let alone: Record<Transport, Edge>;

  beforeAll(async () => {
    ory = await startRealOry();
    kratos = await startCountingProxy(ory.kratos.publicUrl);
    const file = policy(ory, { kratosUrl: kratos.url });
    two = { http: await startTwo(file, 'http'), grpc: await startTwo(file, 'grpc') };
    alone = { http: await startEdge(file, 'http'), grpc: await startEdge(file, 'grpc') };
  });

  afterAll(async () => {
    for (const edges of [two, alone]) for (const transport of TRANSPORTS) await edges?.[transport]?.close();
    await kratos?.close();
    await ory?.close();
  });

  it.each(TRANSPORTS)('a thousand clients of one session make one whoami, over %s', async (transport) => {
    const { token } = await ory.login(await ory.createPerson());
    kratos.reset();
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, () =>
        send(two[transport].url, 'HTTP/1.1', { path: '/app/x', headers: [['X-Session-Token', token]] }),
      ),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(kratos.count(WHOAMI)).toBe(1);
  });

  it('a thousand clients of one session make one whoami where each has a connection of its own, in both workers', async () => {
    const { token } = await ory.login(await ory.createPerson());
    kratos.reset();
    const { port } = new URL(two.http.authorizerUrl);
    const ask = () =>
      exchange(
        { host: '127.0.0.1', port: Number(port) },
        `GET /app/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-session-token: ${token}\r\n\r\n`,
      );
    const answers = await Promise.all(Array.from({ length: 200 }, ask));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(kratos.count(WHOAMI)).toBe(1);
  });

  describe.each(TRANSPORTS)('the verdicts are those of one process, over %s', (transport) => {
    const session = async (): Promise<Lines> => [
      ['X-Session-Token', (await ory.login(await ory.createPerson())).token],
    ];
    const bearer = (token: string): Lines => [['Authorization', `Bearer ${token}`]];
    const cases: [string, string, () => Promise<Lines>][] = [
      ['nobody', '/app/x', async () => []],
      ['what anyone may do', '/public/x', async () => []],
      ['a session', '/app/x', session],
      ['a session, at another rule', '/web/x', session],
      ['garbage', '/app/x', async () => [['X-Session-Token', 'garbage']]],
      [
        'two credentials',
        '/app/x',
        async () => [
          ['X-Session-Token', 'a'],
          ['X-Session-Token', 'b'],
        ],
      ],
      ['a JWT', '/api/x', async () => bearer(await ory.accessToken({ audience: [AUDIENCE] }))],
      ['a JWT for another audience', '/other/x', async () => bearer(await ory.accessToken({ audience: [AUDIENCE] }))],
      ['a token that is none', '/api/x', async () => bearer('a.b.c')],
      ['an opaque token that nobody issued', '/api/x', async () => bearer('ory_at_x.y')],
      ['a session where a token is asked for', '/api/x', session],
      ['identity where it is wanted', '/', session],
      ['a path with two readings', '/app/%2e%2e/x;y', session],
    ];

    it.each(cases)('%s', async (_, path, headers) => {
      const lines = await headers();
      // Several times, so that both workers judge, and each remembers.
      for (let i = 0; i < 6; i++) {
        const [one, other] = await Promise.all(
          [alone, two].map((edges) => send(edges[transport].url, 'HTTP/1.1', { path, headers: lines, host: 'a.test' })),
        );
        expect(verdictOf(other)).toEqual(verdictOf(one));
      }
    });
  });
});

function verdictOf(answer: Awaited<ReturnType<typeof send>> | undefined) {
  if (!answer) throw new Error('no answer');
  if (answer.status === 200)
    return { status: 200, identity: answer.seen().headers.filter(([name]) => name.startsWith('x-user')) };
  const { reason } = answer.status === 302 ? { reason: undefined } : answer.json();
  return { status: answer.status, reason, location: answer.header('location') };
}

/** A Kratos that knows sessions by their first letter, and can be made to wait. */
async function standIn() {
  const state = { whoamis: 0, revoked: new Set<string>(), gate: undefined as Promise<void> | undefined };
  const answer = async (token: string, response: ServerResponse) => {
    state.whoamis++;
    await state.gate;
    const good = token.startsWith('good') && !state.revoked.has(token);
    response.writeHead(good ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(good ? { id: token, active: true, identity: { id: `user-${token}` } } : {}));
  };
  const server = createServer((request, response) => void answer(String(request.headers['x-session-token']), response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe('with a Kratos that stands in', () => {
  let kratos: Awaited<ReturnType<typeof standIn>>;

  beforeAll(async () => {
    kratos = await standIn();
  });
  afterAll(() => kratos?.close());

  /** Without an edge cache every request is a check. */
  const file = (): EdgeFile => ({
    ory: { kratos: { public_url: kratos.url }, timeout: '2s' },
    cache: { edge_ttl: '0s' },
    rules: [{ name: 'app', match: { path: '/app/**' }, require: { session: {} } }],
  });

  /** Good and bad credentials in turn until `stop`; what became of each kind. */
  function load(url: string) {
    const seen = { good: new Set<number>(), bad: new Set<number>(), count: 0 };
    let stopped = false;
    const clients = Array.from({ length: 16 }, async (_, client) => {
      for (let i = 0; !stopped; i++) {
        const kind = i % 2 ? 'bad' : 'good';
        const token = `${kind}-${client}-${i % 50}`;
        const { status } = await send(url, 'HTTP/1.1', { path: '/app/x', headers: [['X-Session-Token', token]] });
        seen[kind].add(status);
        seen.count++;
      }
    });
    return {
      seen,
      async stop() {
        stopped = true;
        await Promise.all(clients);
      },
    };
  }

  it.each(TRANSPORTS)('a worker killed under load lets nobody in and comes back, over %s', async (transport) => {
    const edge = await startTwo(file(), transport);
    try {
      const [first = 0] = edge.authorizer.workers();
      const running = load(edge.url);
      await until('the load is on', () => running.seen.count > 200);
      for (let round = 0; round < 3; round++) {
        const before = edge.authorizer.workers();
        process.kill(before[round % 2] ?? first, 'SIGKILL');
        await until('another worker is there', () => edge.authorizer.workers().some((pid) => !before.includes(pid)));
        await until('all are ready', async () => (await fetch(`${edge.adminUrl}/health/ready`)).status === 200);
      }
      const { count } = running.seen;
      await until('it goes on', () => running.seen.count > count + 200);
      await running.stop();
      expect([...running.seen.good].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      expect(running.seen.good).toContain(200);
      expect([...running.seen.bad].filter((status) => status !== 401 && status !== 503)).toEqual([]);
      const log = edge.authorizer.log();
      expect(log).toMatch(/"worker":[12],"code":null,"signal":"SIGKILL".*a worker ended/);
      expect(log).toMatch(/"worker":[12],"pid":\d+,"msg":"a worker was started again"/);
      expect(log).not.toMatch(/good-|bad-/);
    } finally {
      await edge.close();
    }
  });

  it.each(TRANSPORTS)('told to stop, all of them finish what is under way, over %s', async (transport) => {
    const edge = await startTwo(file(), transport);
    try {
      const gate = Promise.withResolvers<void>();
      kratos.state.gate = gate.promise;
      const before = kratos.state.whoamis;
      const underWay = Array.from({ length: 20 }, (_, i) =>
        send(edge.url, 'HTTP/1.1', { path: '/app/x', headers: [['X-Session-Token', `good-stop-${transport}-${i}`]] }),
      );
      await until('Kratos has been asked', () => kratos.state.whoamis >= before + 20);
      const workers = edge.authorizer.workers();
      expect(workers).toHaveLength(2);
      const stopped = edge.authorizer.stop();
      // As an orchestrator that stops every process of a group.
      for (const worker of workers) process.kill(worker, 'SIGTERM');
      await until('it is not ready', async () => (await fetch(`${edge.adminUrl}/health/ready`)).status === 503);
      gate.resolve();
      const answers = await Promise.all(underWay);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(await stopped).toBe(0);
      for (const worker of workers) expect(() => process.kill(worker, 0)).toThrow();
      const late = await send(edge.url, 'HTTP/1.1', {
        path: '/app/x',
        headers: [['X-Session-Token', `good-stop-${transport}-0`]],
      });
      expect(late.status).toBe(503);
    } finally {
      kratos.state.gate = undefined;
      await edge.close();
    }
  });

  it('no worker outlives a parent that was killed', async () => {
    const edge = await startTwo(file(), 'http');
    const workers = edge.authorizer.workers();
    await edge.authorizer.kill();
    await until('they are gone', () => workers.every((pid) => !isThere(pid)));
    await edge.close();
  });

  describe('a revocation', () => {
    async function start() {
      const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-workers-'));
      const text = `ory: { kratos: { public_url: "${kratos.url}" }, timeout: 2s }
edge: { upstream: "http://127.0.0.1:3000" }
cache: { negative_ttl: 0s }
serve: { http: "127.0.0.1:0", grpc: "127.0.0.1:0" }
`;
      const path = join(dir, 'ory-envoy.yaml');
      writeFileSync(path, text);
      const log = new RecordingLog();
      const workers = await startWorkers(parseConfig(text, path), { count: 2, file: path, text, log });
      const ask = async (token: string) => {
        const answer = await exchange(
          workers.http,
          `GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-session-token: ${token}\r\n\r\n`,
        );
        return Number(answer.split(' ')[1]);
      };
      return {
        workers,
        log,
        pids: () => workersOf(process.pid),
        ask,
        /** Connections are given to the workers in turn. */
        askAll: async (token: string) =>
          new Set([await ask(token), await ask(token), await ask(token), await ask(token)]),
        async close() {
          await workers.close();
          rmSync(dir, { recursive: true });
        },
      };
    }

    it('reaches every worker, and a session that was not meant stays', async () => {
      const rig = await start();
      try {
        for (const token of ['good-1', 'good-2']) expect(await rig.askAll(token)).toEqual(new Set([200]));
        const before = kratos.state.whoamis;
        kratos.state.revoked.add('good-1').add('good-2');
        expect(await rig.askAll('good-1')).toEqual(new Set([200]));
        expect(kratos.state.whoamis).toBe(before);
        const began = performance.now();
        expect(await rig.workers.revoke({ kind: 'session', id: 'good-1' })).toMatchObject({ edgeCaches: 'none' });
        const tookMs = performance.now() - began;
        expect(await rig.askAll('good-1')).toEqual(new Set([401]));
        expect(await rig.askAll('good-2')).toEqual(new Set([200]));
        await rig.workers.revoke({ kind: 'all' });
        expect(await rig.askAll('good-2')).toEqual(new Set([401]));
        process.stdout.write(`a revocation reached two workers in ${tookMs.toFixed(1)} ms\n`);
      } finally {
        await rig.close();
      }
    });

    it('under load never leaves a worker that goes on', async () => {
      const rig = await start();
      try {
        for (let round = 0; round < 20; round++) {
          const token = `good-round-${round}`;
          let stopped = false;
          const asking = Array.from({ length: 8 }, async () => {
            while (!stopped) await rig.ask(token);
          });
          await rig.askAll(token);
          kratos.state.revoked.add(token);
          await rig.workers.revoke({ kind: 'identity', id: `user-${token}` });
          expect(await rig.askAll(token)).toEqual(new Set([401]));
          stopped = true;
          await Promise.all(asking);
        }
      } finally {
        await rig.close();
      }
    });

    it('ends a worker that does not answer, and does not wait for it', async () => {
      const rig = await start();
      try {
        expect(await rig.askAll('good-hung')).toEqual(new Set([200]));
        kratos.state.revoked.add('good-hung');
        const [hung = 0, other = 0] = rig.pids();
        process.kill(hung, 'SIGSTOP');
        const began = performance.now();
        await rig.workers.revoke({ kind: 'session', id: 'good-hung' });
        expect(performance.now() - began).toBeLessThan(5_000);
        expect(isThere(hung)).toBe(false);
        await until('another is there', () => rig.workers.ready());
        expect(rig.pids()).toContain(other);
        expect(await rig.askAll('good-hung')).toEqual(new Set([401]));
        expect(rig.log.text).toContain('a worker ended');
      } finally {
        await rig.close();
      }
    });

    it('finds the same port after the last worker died', async () => {
      const rig = await start();
      try {
        const { port } = rig.workers.http;
        for (const pid of rig.pids()) process.kill(pid, 'SIGKILL');
        await until('they are gone', () => !rig.workers.ready());
        await until('all are back', () => rig.workers.ready());
        expect(rig.workers.http.port).toBe(port);
        expect(await rig.askAll('good-port')).toEqual(new Set([200]));
      } finally {
        await rig.close();
      }
    });
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
