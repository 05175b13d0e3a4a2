// An error at any statement of the script lets nobody in, and costs nobody an answer: each faulty copy serves the same
// requests beside the others, and every answer is what it is without an edge cache.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TRANSPORTS } from '../../../src/generate/envoy/transport.ts';
import { Connections } from '../../equivalence/wire.ts';
import { until } from '../../until.ts';
import { said } from '../attacks/rig.ts';
import type { Lines } from '../rig/client.ts';
import { replacing, type Variant } from './bootstrap.ts';
import { type Faulty, faulty, places } from './faults.ts';
import { bearer, cookie, opaque, type Rig, session, startRig, token } from './rig.ts';

const SOURCE = readFileSync(new URL('../../../src/generate/envoy/edge-cache.lua', import.meta.url), 'utf8');
const ALL = (fires: 'always' | 'every second time') => places(SOURCE).map((place) => faulty(SOURCE, place, fires));
const COPIES: readonly Faulty[] = [...ALL('always'), ...ALL('every second time')].filter(
  ({ runs }) => runs !== 'loading',
);
/** Some of them: an Envoy for each. */
const LOADING = ALL('always').filter(({ runs }, i) => runs === 'loading' && i % 5 === 0);
/** So small that generations come and go. */
const SMALL = replacing('MAX_BYTES = 33554432', 'MAX_BYTES = 1500');
const asVariant = ({ name, source }: Faulty): Variant => ({
  name,
  script: (whole) => SMALL(whole.replace(SOURCE, () => source)),
});

describe.each(TRANSPORTS)('over %s', (transport) => {
  let rig: Rig;
  /** One to each listener. */
  let connections: Map<string, Connections>;
  const ask = async (name: string, path: string, lines: Lines) => {
    const head = [`GET ${path} HTTP/1.1`, 'host: app.test', ...lines.map(([key, value]) => `${key}: ${value}`)];
    const { status, body } = (await connections.get(name)?.ask(`${head.join('\r\n')}\r\n\r\n`)) ?? {
      status: 0,
      body: '',
    };
    return said(status, body);
  };
  /** A few at a time. */
  const eachCopy = async (what: (copy: Faulty) => Promise<void>) => {
    const waiting = COPIES.values();
    const worker = async () => {
      for (const copy of waiting) await what(copy);
    };
    await Promise.all(Array.from({ length: 6 }, worker));
  };

  beforeAll(async () => {
    rig = await startRig({
      transport,
      variants: [{ name: 'plain', edgeCache: false }, ...COPIES.map(asVariant)],
      change: {
        cache: { ttl: '10m', edge_ttl: '10m', negative_ttl: '0s' },
        rules: [
          { name: 'home', match: { path: '/home' }, upstream: 'app', allow: 'anyone', identify: true },
          { name: 'admin', match: { path: '/admin/**' }, upstream: 'app', require: { session: {} } },
          { name: 'second', match: { path: '/second/**' }, upstream: 'app', require: { session: { aal: 'aal2' } } },
          { name: 'api', match: { path: '/api/**' }, upstream: 'app', require: { token: {} } },
        ],
      },
    });
    connections = new Map(rig.envoy.listeners.map(({ name, port }) => [name, new Connections(port, 1)]));
  });
  afterAll(async () => {
    for (const one of connections?.values() ?? []) one.close();
    await rig?.close();
  });

  it('an error at any statement changes no answer', async () => {
    const [ada, bob] = [session(rig, 'ada'), session(rig, 'bob')];
    const others = Array.from({ length: 4 }, (_, i) => session(rig, `p${i}`));
    const access = opaque(rig, 'mark');
    const requests: [string, Lines][] = [
      ['/admin/x', cookie(ada)],
      ['/admin/x', cookie(ada)],
      ['/admin/x', [['X-Session-Token', ''], ...cookie(bob)]],
      ['/admin/x', [['X-Session-Token', '']]],
      ['/admin/x', token(bob)],
      ['/admin/x', [['Cookie', `a=1; ory_kratos_session=${bob}; b=2`]]],
      ['/admin/x', [['Cookie', `ory_kratos_session=${ada}; ory_session_x=${bob}`]]],
      ['/admin/x', [['Cookie', `x="ory_kratos_session=${bob}`]]],
      ['/admin/x', [['Cookie', `ory_kratos_session=${ada}"`]]],
      ['/admin/x', [['Cookie', 'ory_kratos_session=']]],
      ['/admin/x', [['Cookie', 'a=1']]],
      ['/admin/x', [...cookie(ada), ...bearer(bob)]],
      ['/admin/x', [...token(ada), ...bearer(bob)]],
      ['/admin/x', token('a"b')],
      ['/admin/x', bearer(bob)],
      ['/admin/x', [['Authorization', 'Basic eDp5']]],
      ['/admin/x', [['Authorization', 'Bearer a b']]],
      ['/admin/x', bearer('a.b.c')],
      ['/admin/x', token('x'.repeat(2_100))],
      ['/admin/x', token('nobody')],
      ['/admin/x', []],
      ['/second/x', token(bob)],
      ['/api/x', bearer(access)],
      ['/api/x', bearer(access)],
      ['/api/x', bearer(ada)],
      ['/home', cookie(ada)],
      ['/home', cookie('nobody')],
      ['/nowhere', cookie(ada)],
      ...others.map((one): [string, Lines] => ['/admin/x', token(one)]),
      ...others.map((one): [string, Lines] => ['/admin/x', token(one)]),
    ];
    const expected: string[] = [];
    for (const [path, lines] of requests) expected.push(await ask('plain', path, lines));
    expect(expected.filter((one) => one.startsWith('200 ')).length).toBeGreaterThan(12);
    const wrong: string[] = [];
    await eachCopy(async ({ name, code }) => {
      for (let round = 0; round < 2; round++) {
        for (const [i, [path, lines]] of requests.entries()) {
          const answer = await ask(name, path, lines);
          if (answer !== expected[i]) wrong.push(`${name} (${code}): ${path} ${i}: ${answer}, not ${expected[i]}`);
        }
      }
    });
    expect(wrong).toEqual([]);
  }, 240_000);

  it('an error at any statement lets nobody in for longer than was remembered', async () => {
    const endsMs = Date.now() + 4_000;
    const value = session(rig, 'eve', { expires_at: new Date(endsMs).toISOString() });
    await eachCopy(async ({ name }) => {
      await ask(name, '/admin/x', token(value));
    });
    rig.ory.revoke(value);
    await until('the session has ended', () => Date.now() > endsMs, 60_000);
    await eachCopy(async ({ name, code }) => {
      for (let i = 0; i < 2; i++)
        expect([code, await ask(name, '/admin/x', token(value))]).toEqual([code, '401 session_invalid']);
    });
  });

  it('each of the errors was raised', async () => {
    const stats = await (await fetch(`${rig.envoy.adminUrl}/stats?filter=lua.edge_cache.errors`)).text();
    const raised = new Set(
      [...stats.matchAll(/^http\.(\S+)\.lua\.edge_cache\.errors: [1-9]/gm)].map(([, name]) => name),
    );
    // An error where the script leaves with nothing is no other than that.
    const leaves = (code: string) => /^return(?: nil)? end$/.test(code);
    const missing = COPIES.filter(({ name, runs, code }) => runs !== 'caught' && !leaves(code) && !raised.has(name));
    expect(missing.map(({ name, code }) => `${name}: ${code}`)).toEqual([]);
  });
});

describe('a script that fails while it is loaded', () => {
  it.each(LOADING.map((one) => [one.code, one] as const))('keeps Envoy from starting: before %s', async (_, copy) => {
    await expect(startRig({ variants: [asVariant(copy)] })).rejects.toThrow(/script load error/);
  });
});
