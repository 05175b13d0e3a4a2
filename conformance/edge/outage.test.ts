// What the edge does when a part of it, or Ory, is gone, hangs, or comes back: an outage is never a 401, never a yes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import type { RealOry } from '../ory/ory.ts';
import { startRealOry } from '../ory/real.ts';
import { until } from '../until.ts';
import { type Answer, type Lines, send } from './rig/client.ts';
import type { Edge } from './rig/edge.ts';
import { AUDIENCE, policy } from './rig/policy.ts';
import { type Edges, startEdges } from './rig/transports.ts';

let ory: RealOry;
let edges: Edges;
let edge: Edge;

beforeAll(async () => {
  ory = await startRealOry();
  edges = await startEdges(() => policy(ory, { cache: { ttl: '60s', negative_ttl: '0s' } }));
});

afterAll(async () => {
  await edges?.close();
  await ory?.close();
});

const session = async () => (await ory.login(await ory.createPerson())).token;
const get = (headers: Lines, path = '/app/x') => send(edge.url, 'HTTP/1.1', { path, headers });
const withSession = (token: string) => get([['X-Session-Token', token]]);
const withToken = (token: string) => get([['Authorization', `Bearer ${token}`]], '/api/x');

function expectOutage(answer: Answer, reason: string): void {
  expect([answer.status, answer.json()['reason'], answer.json()['status']]).toEqual([503, reason, 503]);
  expect(answer.header('retry-after')).toEqual([expect.stringMatching(/^\d+$/)]);
  expect(answer.header('content-type')).toEqual(['application/problem+json']);
  expect(answer.header('cache-control')).toEqual(['no-store']);
}

describe.each(TRANSPORTS)('Kratos, checks over %s', (transport) => {
  beforeAll(() => {
    edge = edges[transport];
  });

  it('killed: 503 with body and Retry-After, known sessions go on, and it recovers within 2 s of its return', async () => {
    const known = await session();
    const unknown = await session();
    expect((await withSession(known)).status).toBe(200);
    await ory.processes.kratos.kill();
    try {
      expectOutage(await withSession(unknown), 'ory_unreachable');
      expectOutage(await withSession('garbage'), 'ory_unreachable');
      expect((await withSession(known)).status).toBe(200);
      expect((await get([])).json()['reason']).toBe('credential_missing');
      expect((await get([['X-Session-Token', unknown]], '/')).status).toBe(200);
    } finally {
      await ory.processes.kratos.start();
    }
    await until('sessions are judged again', async () => (await withSession(unknown)).status === 200, 2_000);
  });

  it('killed under load: never a 401 for a valid session', async () => {
    const known = await session();
    // One after the other: SQLite knows one writer.
    const fresh: string[] = [];
    while (fresh.length < 40) fresh.push(await session());
    expect((await withSession(known)).status).toBe(200);
    const statuses = new Map<string, number>();
    const outages: Answer[] = [];
    let down = false;
    let stop = false;
    const load = Array.from({ length: 8 }, async (_, worker) => {
      for (let i = worker; !stop; i++) {
        // The fresh ones are first shown when Kratos is gone: none of them is remembered.
        const token = i % 2 === 0 || !down ? known : (fresh[i % fresh.length] ?? known);
        const answer = await withSession(token);
        const key = `${token === known ? 'known' : 'fresh'} ${answer.status}`;
        statuses.set(key, (statuses.get(key) ?? 0) + 1);
        if (answer.status === 503) outages.push(answer);
      }
    });
    try {
      await until('load is running', () => (statuses.get('known 200') ?? 0) > 20);
      await ory.processes.kratos.kill();
      down = true;
      const before = statuses.get('known 200') ?? 0;
      await until('known sessions go on without Kratos', () => (statuses.get('known 200') ?? 0) > before + 50);
      await until('fresh sessions meet the outage', () => outages.length > 20);
    } finally {
      await ory.processes.kratos.start();
    }
    await until(
      'fresh sessions are judged again',
      async () => (await withSession(fresh[0] ?? '')).status === 200,
      2_000,
    ).finally(() => {
      stop = true;
    });
    await Promise.all(load);
    for (const answer of outages) expectOutage(answer, 'ory_unreachable');
    expect([...statuses.keys()].filter((key) => !['known 200', 'fresh 200', 'fresh 503'].includes(key))).toEqual([]);
  });

  it('hanging: 503 after the timeout, others are answered meanwhile', async () => {
    const known = await session();
    const unknown = await session();
    expect((await withSession(known)).status).toBe(200);
    ory.processes.kratos.pause();
    try {
      const slow = withSession(unknown);
      expect((await withSession(known)).status).toBe(200);
      expectOutage(await slow, 'ory_unreachable');
    } finally {
      ory.processes.kratos.resume();
    }
    await until('sessions are judged again', async () => (await withSession(unknown)).status === 200, 2_000);
  });
});

describe.each(TRANSPORTS)('Hydra, checks over %s', (transport) => {
  beforeAll(() => {
    edge = edges[transport];
  });

  it('killed: tokens of known keys go on, unknown keys are an outage and not a bad token', async () => {
    const known = await ory.accessToken({ audience: [AUDIENCE] });
    const same = await ory.accessToken({ audience: [AUDIENCE] });
    expect((await withToken(known)).status).toBe(200);
    const unknownKey = await ory.sign(
      { iss: ory.hydra.issuer, client_id: 'x', aud: [AUDIENCE], exp: Math.floor(Date.now() / 1_000) + 300 },
      { kid: 'new' },
    );
    await ory.processes.hydra.kill();
    try {
      expect((await withToken(same)).status).toBe(200);
      expectOutage(await withToken(unknownKey), 'jwks_unavailable');
    } finally {
      await ory.processes.hydra.start();
    }
    await until(
      'an unknown key is a bad token again',
      async () => (await withToken(unknownKey)).json()['reason'] === 'token_key_unknown',
      5_000,
    );
  });
});

describe.each(TRANSPORTS)('the authorizer, checks over %s', (transport) => {
  beforeAll(() => {
    edge = edges[transport];
  });

  it('killed: 503 with a body of Envoy’s own, public rules go on, and it recovers', async () => {
    const token = await session();
    await edge.authorizer.kill();
    try {
      expectOutage(await withSession(token), 'authorizer_unreachable');
      expect((await get([], '/public/x')).status).toBe(200);
      // Who brings no credential is nobody, and Envoy knows that by itself; of the others only the authorizer could say who.
      expect((await get([], '/')).status).toBe(200);
      expectOutage(await get([['X-Session-Token', token]], '/'), 'authorizer_unreachable');
    } finally {
      await edge.authorizer.start();
    }
    await until('sessions are judged again', async () => (await withSession(token)).status === 200, 2_000);
  });

  it('hanging: 503 after the timeout', async () => {
    edge.authorizer.signal('SIGSTOP');
    try {
      expectOutage(await withSession('x'), 'authorizer_unreachable');
    } finally {
      edge.authorizer.signal('SIGCONT');
    }
  });

  it('told to stop: is not ready first, finishes the checks under way and ends with 0', async () => {
    const token = await session();
    ory.processes.kratos.pause();
    const slow = withSession(token);
    await until('the check is under way', async () => {
      const stats = await (
        await fetch(`${edge.envoy.adminUrl}/stats?filter=cluster.authorizer.upstream_rq_active`)
      ).text();
      return /upstream_rq_active: [1-9]/.test(stats);
    });
    const health = async () => (await fetch(`${edge.adminUrl}/health/ready`)).status;
    expect(await health()).toBe(200);
    const stopped = edge.authorizer.stop();
    await until('it is not ready', async () => (await health()) === 503);
    ory.processes.kratos.resume();
    expect((await slow).status).toBe(200);
    expect(await stopped).toBe(0);
    await edge.authorizer.start();
  });
});

describe('the authorizer over HTTP', () => {
  it('answers an outage as a 503 to a client that is not Envoy', async () => {
    await ory.processes.kratos.kill();
    try {
      const answer = await send(edges.http.authorizerUrl, 'HTTP/1.1', {
        path: '/app/x',
        headers: [['X-Session-Token', 'x']],
      });
      expect([answer.status, answer.header('retry-after'), answer.header('ory-status')]).toEqual([503, ['1'], []]);
    } finally {
      await ory.processes.kratos.start();
    }
  });
});
