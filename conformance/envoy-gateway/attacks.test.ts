// Attacks on what Envoy Gateway makes of a policy: identities that a client claims, paths with two readings, tokens that
// are none, and what is left where somebody's own objects lack a part.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sign } from '../../src/check/testing/issuer.ts';
import { allow, echoed, headerOf, type RawAnswer, sendRaw } from '../edge/envoy-rig.ts';
import { until } from '../until.ts';
import { denyAll, type Rig, startRig, withSpec } from './rig.ts';

const AUDIENCE = 'https://api.test';
const POLICY = `
tokens: { audiences: ["${AUDIENCE}"], clock_skew: 10s }
identity_headers:
  X-User-Id: [session.identity.id, token.sub]
  X-User-Email: [session.identity.traits.email, token.ext.email]
rules:
  - { name: admin, match: { path: "/public/admin/**" }, require: { session: {} } }
  - { name: deleted, match: { path: "/public/**", methods: [DELETE] }, require: { session: {} } }
  - { name: inner, match: { host: inner.test, path: "/**" }, require: { session: {} } }
  - { name: public, match: { path: "/public/**" }, allow: anyone }
  - { name: orders, match: { path: "/orders/**" }, require: { token: { scopes: [read] } } }
  - { name: any, match: { path: "/any" }, require: { token: {} } }
  - { name: page, match: { path: "/page/**" }, require: { session: {} } }
  - { name: shown, match: { path: "/shown/**" }, require: { session: {} }, cors: { origins: ["https://page.test"] } }
`;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ policy: POLICY });
  // The keys come a moment after the listener.
  const good = await token();
  await until('a good token passes', async () => (await send(get('/orders/1', [bearer(good)]))).status === 200);
});
afterAll(() => rig?.close());

const now = () => Math.floor(Date.now() / 1_000);

function claims(change: Record<string, unknown> = {}): Record<string, unknown> {
  const times = { exp: now() + 300, iat: now(), nbf: now() };
  const good = { iss: rig.issuer, sub: 'ada', client_id: 'client', aud: [AUDIENCE], scp: ['read'], ext: {}, ...times };
  return { ...good, ...change };
}

/** `undefined` takes a claim away. */
function token(change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
  return sign(rig.key, claims(change), header);
}

const bearer = (value: string) => `authorization: Bearer ${value}`;

function get(path: string, lines: readonly string[] = [], host = 'app.test', method = 'GET'): string {
  return [`${method} ${path} HTTP/1.1`, `host: ${host}`, 'connection: close', ...lines, '', ''].join('\r\n');
}

async function send(
  text: string,
  to: Rig = rig,
): Promise<RawAnswer & { readonly asked: boolean; readonly reached: boolean }> {
  const [checks, received] = [to.checks.length, to.received.length];
  const answer = await sendRaw(to.port, Buffer.from(text, 'latin1'));
  return { ...answer, asked: to.checks.length > checks, reached: to.received.length > received };
}

describe('an identity that a client claims', () => {
  const SPELLINGS = [
    'X-User-Id',
    'x_user_id',
    'X-User_Id',
    'x.user.id',
    'X-USER-ID',
    'x~user~id',
    "x'user'id",
    'X-User-Email',
  ];
  const forged = SPELLINGS.map((name) => `${name}: admin`);

  function identityOf(answer: RawAnswer): string[][] {
    return echoed(answer)
      .headers.filter(([name]) => /^x.user.(?:id|email)$/.test(name))
      .map(([...pair]) => pair);
  }

  test('is gone on an open rule', async () => {
    const answer = await send(get('/public/1', forged));
    expect(answer).toMatchObject({ status: 200, asked: false });
    expect(identityOf(answer)).toEqual([]);
  });

  test('is gone beside a token, whose own it is', async () => {
    const answer = await send(get('/orders/1', [...forged, bearer(await token())]));
    expect(answer).toMatchObject({ status: 200, asked: false });
    expect(identityOf(answer)).toEqual([['x-user-id', 'ada']]);
  });

  test('is gone where the authorizer says who it is, also from the check', async () => {
    rig.answer = allow({ 'x-user-id': 'ada' });
    const answer = await send(get('/page/1', forged));
    rig.answer = denyAll;
    expect(answer).toMatchObject({ status: 200, asked: true });
    expect(identityOf(answer)).toEqual([['x-user-id', 'ada']]);
    expect(rig.checks.at(-1)?.headers.filter(([name]) => /^x.user/.test(name))).toEqual([]);
  });

  test('and what only the edge may say is gone as well', async () => {
    const words = [
      'ory-rule: page',
      'ory-edge-key: x',
      'ory_policy: x',
      'x-envoy-upstream-rq-timeout-ms: 1',
      'x-original-url: /public/admin',
      'x-http-method-override: DELETE',
      'x-forwarded-host: evil.test',
    ];
    const names = echoed(await send(get('/public/1', words))).headers.map(([name]) => name);
    expect(names.filter((name) => /^(?:ory|x-original|x-http|x-forwarded-host|x-envoy-up)/.test(name))).toEqual([]);
  });

  test('cannot be taken away by a Connection header that names it', async () => {
    const upgrade = ['upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=='];
    const line = (name: string) => [
      'GET /orders/1 HTTP/1.1',
      'host: app.test',
      `connection: upgrade${name}`,
      ...upgrade,
    ];
    const asking = async (name: string) => send([...line(name), bearer(await token()), '', ''].join('\r\n'));
    expect(await asking('')).toMatchObject({ status: 101, reached: true });
    expect(await asking(', X-User-Id')).toMatchObject({ status: 403, reached: false });
  });
});

describe('a request with two readings', () => {
  const PATHS = [
    ...[
      '/public/..%2fadmin/x',
      '/public/%2e%2e%2fpublic/admin',
      '/public/a%5c..%5cadmin',
      '/public/admin;x',
      '/public/x;/../admin',
    ],
    ...[
      '/public/a%2fb',
      '/public/a%5Cb',
      '/public/%252e%252e/admin',
      '/public/%25',
      '/public/%c0%ae%c0%ae/admin',
      '/public/%e0%80%af',
      '/public/%f0%80%80%af',
    ],
    ...['/public/%3b', '/public/%3f', '/public/%23', '/public/%', '/public/%zz', '/public/%61dmin/x'],
  ];
  test.each(PATHS)('%s is not let through natively', async (path) => {
    const answer = await send(get(path));
    expect(answer.reached).toBe(false);
    // Refused by Envoy itself, or for the authorizer to refuse.
    expect(answer.asked || answer.status === 400).toBe(true);
  });

  test('is one that is normalised before a rule is looked for', async () => {
    for (const path of [
      '/public/../public/admin/x',
      '/public//admin/x',
      '/x/../public/%61dmin/x',
      '/public\\admin\\x',
      '/public/./admin',
    ])
      expect(await send(get(path)), path).toMatchObject({ asked: true, reached: false });
  });

  test('is a host with a dot at its end, in capitals or with a port', async () => {
    for (const host of ['inner.test.', 'INNER.test', 'inner.test:8080', 'inner.test.:80'])
      expect(await send(get('/public/1', [], host)), host).toMatchObject({ asked: true, reached: false });
    for (const host of ['inner.test%00', 'x@inner.test', 'a..b', 'inner.test,x'])
      expect((await send(get('/public/1', [], host))).reached, host).toBe(false);
  });

  test('is a host that is told in two places', async () => {
    const absolute = get('http://inner.test/public/1');
    expect(await send(absolute)).toMatchObject({ asked: true, reached: false });
    expect((await send(get('/public/1', ['host: inner.test']))).reached).toBe(false);
    const hidden = await send(get('/public/1', ['x-host: inner.test', 'x-forwarded-host: inner.test']));
    expect(headerOf(echoed(hidden), 'x-forwarded-host')).toEqual([]);
  });

  test('is a method that no rule can name', async () => {
    for (const method of ['delete', 'Delete', 'dELETE', 'GETX', 'PROPFIND'])
      expect((await send(get('/public/1', [], 'app.test', method))).reached, method).toBe(false);
  });

  test('is a WebSocket by OPTIONS', async () => {
    const text = get(
      '/shown/1',
      ['origin: https://page.test', 'access-control-request-method: GET', 'upgrade: websocket'],
      'app.test',
      'OPTIONS',
    );
    const answer = await send(text.replace('connection: close', 'connection: upgrade'));
    expect(answer).toMatchObject({ status: 403, asked: false, reached: false });
  });
});

describe('a token', () => {
  async function refused(lines: readonly string[], path = '/orders/1'): Promise<void> {
    const answer = await send(get(path, lines));
    expect([401, 403]).toContain(answer.status);
    expect(answer).toMatchObject({ asked: false, reached: false });
  }

  test('is needed', async () => {
    await refused([]);
    await refused(['authorization: Bearer ']);
    await refused(['cookie: ory_kratos_session=x']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://evil.test' }],
    ['that has ended', { exp: now() - 61 }],
    ['that has ended longer ago than clocks may differ', { exp: now() - 30 }],
    ['that has not begun', { nbf: now() + 300 }],
    ['that begins later than clocks may differ', { nbf: now() + 58 }],
    ['that never ends', { exp: undefined }],
    ['that ends when no clock can say', { exp: 1e13 }],
    ['that was made when no clock can say', { iat: 1e13 }],
    ['that begins when no clock can say', { nbf: -1e13 }],
    ['for another service', { aud: ['https://other.test'] }],
    ['for nobody', { aud: undefined }],
    ['for the same with a slash', { aud: [`${AUDIENCE}/`] }],
    ['for the same by another scheme', { aud: ['http://api.test'] }],
    ['for the same without a scheme', { aud: ['api.test'] }],
    ['of an ID token', { client_id: undefined, scp: undefined, at_hash: 'x', nonce: 'n' }],
    ['of an ID token that was given scopes', { client_id: undefined }],
    ['of no client', { client_id: '' }],
    ['of a client that is a number', { client_id: 7 }],
    ['with a nonce', { nonce: 'x' }],
    ['of a logout', { events: {} }],
    ['of somebody who is a number', { sub: 7 }],
    ['of somebody who is encoded', { sub: '%61dmin' }],
    ['of somebody with a blank at the end', { sub: 'admin ' }],
    ['of somebody with a line of their own', { sub: 'x\r\nx-user-email: admin' }],
    ['of somebody who is a list', { ext: { email: ['admin@test'] } }],
  ])('%s is none', async (_, change) => {
    await refused([bearer(await token(change))]);
    await refused([bearer(await token(change))], '/any');
  });

  test.each<[string, Record<string, unknown>]>([
    ['without scopes', { scp: undefined }],
    ['with a longer scope', { scp: ['read-all', 'xread'] }],
    ['with a scope in capitals', { scp: ['READ'] }],
    ['with a text of a longer scope', { scp: undefined, scope: 'reader read:all' }],
    ['with an object that has a member of its name', { scp: { read: true } }],
  ])('%s is none where one is asked for', async (_, change) => {
    await refused([bearer(await token(change))]);
    expect((await send(get('/any', [bearer(await token(change))]))).status).toBe(200);
  });

  test('of nobody’s signature is none', async () => {
    const good = await token();
    const [head = '', body = '', signature = ''] = good.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const bad of [
      `${none}.${body}.`,
      `${head}.${body}.${'A'.repeat(86)}`,
      `${head}.${body}`,
      `${head}.${body}.${signature}.x`,
    ])
      await refused([bearer(bad)]);
  });

  test('is found in one place alone', async () => {
    const good = await token();
    expect(await send(get(`/orders/1?access_token=${good}`))).toMatchObject({ status: 401, reached: false });
    await refused([`authorization: bearer ${good}`]);
    await refused([`x-authorization: Bearer ${good}`]);
    for (const line of [`Basic eDp5, Bearer ${good}`, `Foo Bearer ${good}`, `Bearer ${good};x`, `Bearer ${good} x`])
      await refused([`authorization: ${line}`]);
  });

  test('beside another in one request is none', async () => {
    const [good, other] = [await token(), await token({ sub: 'eve' })];
    await refused([bearer(good), bearer(other)]);
    await refused([bearer(`${good},Bearer ${other}`)]);
  });

  test('says who it is in letters that are not ASCII as well, and with a blank', async () => {
    const answer = await send(get('/orders/1', [bearer(await token({ sub: 'Jürgen A' }))]));
    expect(answer.status).toBe(200);
    // Once for the header, and once for the answer's body.
    const utf8 = (text: string) => Buffer.from(text, 'latin1').toString('utf8');
    expect(utf8(utf8(headerOf(echoed(answer), 'x-user-id')[0] ?? ''))).toBe('Jürgen A');
  });
});

describe('the authorizer', () => {
  test('is told every line of a credential', async () => {
    await send(
      get('/page/1', ['cookie: a=1', 'cookie: ory_kratos_session=x', 'x-session-token: t', bearer('u'), bearer('v')]),
    );
    const seen = rig.checks.at(-1);
    expect(seen && headerOf(seen, 'cookie').join('|')).toMatch(/a=1.*ory_kratos_session=x/);
    expect(seen && headerOf(seen, 'authorization').join('|')).toMatch(/Bearer u.*Bearer v/);
    expect(seen && headerOf(seen, 'x-session-token')).toEqual(['t']);
  });

  test('that cannot be reached is a refusal', async () => {
    rig.answer = (_, reply) => reply.drop();
    const answer = await send(get('/page/1'));
    rig.answer = denyAll;
    expect(answer).toMatchObject({ status: 503, reached: false });
  });

  test('has its denial delivered as it is', async () => {
    rig.answer = (_, reply) =>
      reply.deny(
        302,
        { location: 'https://login.test/', 'set-cookie': ['a=1', 'b=2'], 'ory-reason': 'credential_missing' },
        '',
      );
    const answer = await send(get('/page/1'));
    rig.answer = denyAll;
    expect(answer.status).toBe(302);
    expect(answer.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual(['a=1', 'b=2']);
  });
});

describe('where somebody’s own objects lack a part', () => {
  test('without the order of filters an identity is lost, and none is forged', async () => {
    const other = await startRig({
      policy: POLICY,
      answer: allow({ 'x-user-id': 'ada' }),
      objects: (stream) => withSpec(stream, 'EnvoyProxy', ['filterOrder'], undefined),
    });
    try {
      const answer = await send(get('/page/1', ['x-user-id: admin']), other);
      expect(answer).toMatchObject({ status: 200, asked: true });
      expect(headerOf(echoed(answer), 'x-user-id')).toEqual([]);
    } finally {
      await other.close();
    }
  });

  test('without the policy of an open rule its requests are asked about', async () => {
    const other = await startRig({
      policy: POLICY,
      objects: (stream) =>
        stream
          .split(/^---\n/m)
          .filter((text) => !/name: ory-envoy-public$/m.test(text))
          .join('---\n'),
    });
    try {
      expect(await send(get('/public/1'), other)).toMatchObject({ status: 401, asked: true, reached: false });
    } finally {
      await other.close();
    }
  });
});
