// The edge cache in Istio's chain of filters (`--edge-cache`): what is remembered is not asked again, and nothing else is
// let through by it. At a gateway and in a sidecar.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendRaw } from '../edge/rig/client.ts';
import { freePorts } from '../ports.ts';
import { until } from '../until.ts';
import { type RunningBacking, startBacking } from './backing.ts';
import { type RunningIstio, startIstio } from './istio.ts';
import { AUDIENCE, came, checks, identities, madeJwt, madeSession, type Session } from './istio-rig.ts';

const POLICY = {
  ory: { url: 'http://127.0.0.1:4455' },
  tokens: { audiences: [AUDIENCE] },
  identity_headers: { 'X-User-Id': ['session.identity.id', 'token.sub'] },
  cache: { edge_ttl: '2s' },
  rules: [
    { name: 'public', match: { path: '/public/**' }, allow: 'anyone' },
    { name: 'admin', match: { path: '/web/admin/**' }, require: { session: { aal: 'aal2' } } },
    { name: 'web', match: { path: '/web/**' }, require: { session: {} } },
    { name: 'other', match: { path: '/other/*/page', methods: ['GET'] }, require: { session: {} } },
    { name: 'by-host', match: { host: '*.shop.test', path: '/**' }, require: { session: {} } },
    { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
  ],
};

describe.each(['gateway', 'sidecar'] as const)('%s', (mode) => {
  let backing: RunningBacking;
  let edge: RunningIstio;
  beforeAll(async () => {
    backing = await startBacking(POLICY);
    const [port = 0] = await freePorts(1);
    edge = await startIstio(mode, backing, port, ['--edge-cache']);
  });
  afterAll(async () => {
    await edge?.close();
    await backing?.close();
  });

  /** How many checks the work took. */
  async function asked(work: () => Promise<unknown>): Promise<number> {
    const before = await checks(edge);
    await work();
    return (await checks(edge)) - before;
  }
  const cookieOf = ({ cookie }: Session): [string, string] => ['cookie', cookie];

  test('a session is asked about once, and its identity is whole each time', async () => {
    const ada = await madeSession(backing, 'ada');
    const request = async () => {
      const seen = await came(edge, '/web/x', [cookieOf(ada), ['x-user-id', 'root'], ['x_user.id', 'root']]);
      expect(seen.status).toBe(200);
      expect(identities(seen)).toEqual(['ada']);
      expect(seen.seen?.filter(([name]) => /^ory-/i.test(name))).toEqual([]);
    };
    expect(await asked(request)).toBe(1);
    expect(
      await asked(async () => {
        for (let i = 0; i < 5; i++) await request();
      }),
    ).toBe(0);
  });

  test('another rule is asked about anew, whatever makes it one', async () => {
    const ada = await madeSession(backing, 'ada');
    await came(edge, '/web/x', [cookieOf(ada)]);
    expect(await asked(() => came(edge, '/other/a/page', [cookieOf(ada)]))).toBe(1);
    expect(await asked(() => came(edge, '/x', [cookieOf(ada)], { host: 'a.shop.test' }))).toBe(1);
    expect(await asked(() => came(edge, '/other/b/page', [cookieOf(ada)]))).toBe(0);
    // The stricter rule inside of the remembered one.
    for (const path of ['/web/admin/x', '/web/x/../admin/x', '/web//admin/x', '/web/admin'])
      expect(await asked(async () => expect((await came(edge, path, [cookieOf(ada)])).status).toBe(403)), path).toBe(1);
    // No rule at all.
    expect(
      await asked(async () =>
        expect((await came(edge, '/other/a/page', [cookieOf(ada)], { method: 'PUT' })).status).toBe(403),
      ),
    ).toBe(1);
  });

  test('one person’s yes is nobody else’s', async () => {
    const [ada, eve] = [await madeSession(backing, 'ada'), await madeSession(backing, 'eve')];
    for (let i = 0; i < 2; i++) {
      expect(identities(await came(edge, '/web/x', [cookieOf(ada)]))).toEqual(['ada']);
      expect(identities(await came(edge, '/web/x', [cookieOf(eve)]))).toEqual(['eve']);
      expect(identities(await came(edge, '/web/x', [['x-session-token', eve.token]]))).toEqual(['eve']);
    }
    const both = await came(edge, '/web/x', [cookieOf(ada), ['x-session-token', eve.token]]);
    expect(identities(both)).toEqual(
      identities(await came(edge, '/web/x', [cookieOf(ada), ['x-session-token', eve.token]])),
    );
    expect(await asked(() => came(edge, '/web/x', [cookieOf(ada), ['x-session-token', eve.token]]))).toBe(1);
  });

  test('a key that a client claims is nobody’s', async () => {
    const [ada, eve] = [await madeSession(backing, 'ada'), await madeSession(backing, 'eve')];
    const key = `web c${ada.cookie}`;
    expect(identities(await came(edge, '/web/x', [cookieOf(eve), ['ory-edge-key', key]]))).toEqual(['eve']);
    expect(identities(await came(edge, '/web/x', [cookieOf(ada)]))).toEqual(['ada']);
    expect(identities(await came(edge, '/web/x', [cookieOf(ada)]))).toEqual(['ada']);
    expect((await came(edge, '/web/x', [['ory-edge-key', key]])).status).toBe(401);
  });

  test('a denial is not remembered', async () => {
    const nobody: [string, string] = ['cookie', 'ory_kratos_session=nobodys'];
    for (let i = 0; i < 2; i++)
      expect(await asked(async () => expect((await came(edge, '/web/x', [nobody])).status).toBe(401))).toBe(1);
  });

  test('a path of two readings is refused, remembered or not', async () => {
    const ada = await madeSession(backing, 'ada');
    await came(edge, '/web/x', [cookieOf(ada)]);
    for (const path of ['/web/x;y', '/web/a%2f..%2fadmin', '/web/%252e', '/web/a%00']) {
      const answer = await sendRaw(
        edge.url,
        `GET ${path} HTTP/1.1\r\nhost: a.test\r\ncookie: ${ada.cookie}\r\nconnection: close\r\n\r\n`,
      );
      expect(answer, path).toMatch(/^HTTP\/1\.1 400 /);
    }
  });

  test('a JWT is never remembered, and an open rule never asked about', async () => {
    const bearer: [string, string] = ['authorization', `Bearer ${await madeJwt(backing)}`];
    for (let i = 0; i < 2; i++) expect(await asked(() => came(edge, '/api/x', [bearer]))).toBe(1);
    const ada = await madeSession(backing, 'ada');
    expect(
      await asked(async () => expect(identities(await came(edge, '/public/x', [cookieOf(ada)]))).toEqual([])),
    ).toBe(0);
  });

  test('what is remembered ends with cache.edge_ttl', async () => {
    const ada = await madeSession(backing, 'ada');
    await came(edge, '/web/x', [cookieOf(ada)]);
    await until(
      'the session is asked about again',
      async () => (await asked(() => came(edge, '/web/x', [cookieOf(ada)]))) === 1,
    );
  });
});
