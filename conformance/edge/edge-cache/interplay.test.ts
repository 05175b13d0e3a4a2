// A remembered session beside everything else that happens: tokens, other rules, ends, outages, several workers, restarts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { Connections } from '../../equivalence/wire.ts';
import { until } from '../../until.ts';
import { claimsOf, json, sign } from '../attacks/scripted-ory.ts';
import type { Lines } from '../rig/client.ts';
import { bearer, cookie, opaque, type Rig, session, startRig, token, warm } from './rig.ts';

describe.each(TRANSPORTS)('over %s', (transport) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ transport, change: { cache: { ttl: '10m', edge_ttl: '10m', negative_ttl: '0s' } } });
  });
  afterAll(() => rig?.close());

  /** Twice, and the same as without an edge cache. */
  async function both(path: string, lines: Lines): Promise<string> {
    const plain = await rig.ask(path, lines, { variant: 'plain' });
    for (let i = 0; i < 2; i++) expect(await rig.ask(path, lines)).toBe(plain);
    return plain;
  }

  it.each([
    ['the session first', '/mixed/x', 'ada'],
    ['the token first', '/turned/x', 'jane'],
  ])('a rule that takes either, with a JWT beside a remembered session: %s', async (_, path, expected) => {
    const value = session(rig, 'ada', { authenticator_assurance_level: 'aal2' });
    const jwt = await sign(rig.ory.rs256, claimsOf(rig.ory, { sub: 'jane' }));
    const old = await sign(rig.ory.rs256, claimsOf(rig.ory, { sub: 'jane', exp: 1_000 }));
    for (const lines of [cookie(value), token(value)]) {
      await warm(rig, path, lines);
      expect(await both(path, [...lines, ...bearer(jwt)])).toBe(`200 ${expected} ${path}`);
      expect(await both(path, bearer(jwt))).toBe(`200 jane ${path}`);
      expect(await both(path, [...lines, ...bearer(old)])).toBe(`200 ada ${path}`);
      expect(await both(path, bearer(old))).toBe('401 token_expired');
      expect(await both(path, lines)).toBe(`200 ada ${path}`);
    }
  });

  it('an opaque token beside a session is asked about, whatever is remembered of either', async () => {
    const value = session(rig, 'ada', { authenticator_assurance_level: 'aal2' });
    const access = opaque(rig, 'mark');
    for (const path of ['/mixed/x', '/turned/x']) {
      await warm(rig, path, cookie(value));
      await warm(rig, path, bearer(access));
      const { hits } = await rig.during(() => both(path, [...cookie(value), ...bearer(access)]));
      expect(hits).toBe(0);
      expect(await both(path, bearer(access))).toBe(`200 mark ${path}`);
      expect(await both(path, cookie(value))).toBe(`200 ada ${path}`);
    }
  });

  it('where identity is not asked for, a remembered one is given to its credential alone', async () => {
    const value = session(rig, 'ada');
    await warm(rig, '/home', cookie(value));
    expect(await both('/home', cookie(value))).toBe('200 ada /home');
    expect(await both('/home', [])).toBe('200 nobody /home');
    expect(await both('/home', cookie('nobody'))).toBe('200 nobody /home');
    expect(await both('/home', [...cookie(value), ...cookie(session(rig, 'bob'))])).toBe('200 nobody /home');
    // A yes to nobody is not remembered.
    const later = 's-later-than-asked';
    expect(await rig.ask('/home', token(later))).toBe('200 nobody /home');
    rig.ory.session(later, 'eve');
    await until('it is known', async () => (await rig.ask('/home', token(later))) === '200 eve /home');
  });

  it('max_age ends a remembered session at its moment', async () => {
    const endsMs = Date.now() + 1_500;
    const value = session(rig, 'ada', { authenticated_at: new Date(endsMs - 60_000).toISOString() });
    await warm(rig, '/recent/x', token(value));
    await warm(rig, '/admin/x', token(value));
    let lastYes = 0;
    await until('it is too old', async () => {
      const sent = Date.now();
      const answer = await rig.ask('/recent/x', token(value));
      if (answer === '200 ada /recent/x') lastYes = sent;
      return answer === '403 session_too_old';
    });
    expect(lastYes).toBeLessThan(endsMs);
    expect(lastYes).toBeGreaterThan(endsMs - 1_500);
    expect(await rig.ask('/admin/x', token(value))).toBe('200 ada /admin/x');
  });

  it('a session ends with itself, also where the edge cache could go on', async () => {
    const endsMs = Date.now() + 1_200;
    const value = session(rig, 'ada', { expires_at: new Date(endsMs).toISOString() });
    await warm(rig, '/admin/x', token(value));
    rig.ory.revoke(value);
    let lastYes = 0;
    await until('it has ended', async () => {
      const sent = Date.now();
      const answer = await rig.ask('/admin/x', token(value));
      if (answer.startsWith('200')) lastYes = sent;
      return answer === '401 session_invalid';
    });
    expect(lastYes).toBeLessThan(endsMs);
  });

  it('with the authorizer away a remembered session goes on, and everything else is refused', async () => {
    const value = session(rig, 'ada');
    const access = opaque(rig, 'mark');
    await warm(rig, '/admin/x', cookie(value));
    await warm(rig, '/api/x', bearer(access));
    await rig.stopAuthorizer();
    try {
      const away = '503 authorizer_unreachable';
      for (let i = 0; i < 3; i++) {
        expect(await rig.ask('/admin/x', cookie(value))).toBe('200 ada /admin/x');
        expect(await rig.ask('/api/x', bearer(access))).toBe('200 mark /api/x');
        expect(await rig.ask('/web/x', cookie(value))).toBe(away);
        expect(await rig.ask('/admin/x', token(value))).toBe(away);
        expect(await rig.ask('/admin/x', [])).toBe(away);
        expect(await rig.ask('/admin/x', [...cookie(value), ...bearer(value)])).toBe(away);
        expect(await rig.ask('/admin/x', cookie(session(rig, 'bob')))).toBe(away);
        expect(await rig.ask('/admin/x', cookie(value), { variant: 'plain' })).toBe(away);
        expect(await rig.ask('/public/x')).toBe('200 nobody /public/x');
      }
    } finally {
      await rig.startAuthorizer();
    }
    await until('it is back', async () => (await rig.ask('/web/x', cookie(value))) === '200 ada /web/x');
  });

  it('what Ory’s outage leaves is not remembered by the edge', async () => {
    const stale = await startRig({
      transport,
      change: { cache: { ttl: '300ms', edge_ttl: '300ms', stale_if_error: '1h' } },
    });
    try {
      const value = session(stale, 'ada');
      await warm(stale, '/admin/x', token(value));
      let asked = 0;
      stale.ory.before = (_, response) => {
        asked++;
        json(response, 500, {});
        return true;
      };
      await until('it goes by what it had', async () => {
        await stale.ask('/admin/x', token(value));
        return asked > 0;
      });
      const counts = await stale.during(async () => {
        for (let i = 0; i < 4; i++) expect(await stale.ask('/admin/x', token(value))).toBe('200 ada /admin/x');
      });
      expect(counts).toEqual({ hits: 0, misses: 4, stores: 0, asked: 4 });
    } finally {
      await stale.close();
    }
  });

  it('nothing outlives Envoy', async () => {
    const value = session(rig, 'ada');
    await warm(rig, '/admin/x', cookie(value));
    await rig.stopAuthorizer();
    try {
      await rig.restartEnvoy();
      expect(await rig.ask('/admin/x', cookie(value))).toBe('503 authorizer_unreachable');
    } finally {
      await rig.startAuthorizer();
    }
    await until('it is back', async () => (await rig.ask('/admin/x', cookie(value))) === '200 ada /admin/x');
  });

  it('each of four workers remembers for itself, and everybody is who they are', async () => {
    const many = await startRig({ transport, concurrency: 4, change: { cache: { ttl: '10m', edge_ttl: '10m' } } });
    try {
      const people = Array.from({ length: 8 }, (_, i) => [`p${i}`, session(many, `p${i}`)] as const);
      const counts = await many.during(async () => {
        await Promise.all(
          people.map(async ([name, value]) => {
            for (let i = 0; i < 40; i++) expect(await many.ask('/admin/x', token(value))).toBe(`200 ${name} /admin/x`);
          }),
        );
      });
      expect(counts.hits + counts.misses).toBe(8 * 40);
      expect(counts.asked).toBe(counts.misses);
      // One at a time of each person: a worker asks once.
      expect(counts.stores).toBeLessThanOrEqual(8 * 4);
      expect(counts.stores).toBeGreaterThanOrEqual(8);
      expect(counts.misses).toBe(counts.stores);
    } finally {
      await many.close();
    }
  });

  it('10,000 requests of one session over two rules: the authorizer is asked as lifetimes and workers predict', async () => {
    const [requests, connections, ttlMs] = [10_000, 2, 500];
    const two = await startRig({
      transport,
      concurrency: 2,
      change: { cache: { ttl: '10m', edge_ttl: `${ttlMs}ms` } },
    });
    try {
      const value = session(two, 'ada');
      const wires = Array.from({ length: connections }, () => new Connections(Number(new URL(two.url()).port), 1));
      const startedMs = performance.now();
      const counts = await two.during(() =>
        Promise.all(
          wires.map(async (wire) => {
            for (let i = 0; i < requests / connections; i++) {
              const path = i % 2 === 0 ? '/admin/x' : '/web/x';
              const lines = `GET ${path} HTTP/1.1\r\nhost: app.test\r\ncookie: ory_kratos_session=${value}\r\n\r\n`;
              const { status, body } = await wire.ask(lines);
              if (status !== 200 || !body.includes('["x-user-id","ada"]')) throw new Error(`${status} ${body}`);
            }
          }),
        ),
      );
      const tookMs = performance.now() - startedMs;
      for (const wire of wires) wire.close();
      // Each connection has a worker of its own, or both have one. Both rules end and begin by themselves.
      const lifetimes = Math.floor(tookMs / ttlMs) + 1;
      expect(counts.hits + counts.misses).toBe(requests);
      expect(counts.misses).toBe(counts.asked);
      expect(counts.stores).toBe(counts.asked);
      expect(counts.asked).toBeLessThanOrEqual(2 * connections * lifetimes);
      expect(counts.asked).toBeGreaterThanOrEqual(2 * Math.floor(tookMs / (ttlMs + 100)));
      expect(two.ory.askedFor('/sessions/whoami').length).toBe(1);
    } finally {
      await two.close();
    }
  });
});
