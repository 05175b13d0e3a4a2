// What Envoy allows by itself, and what it asks: the yes of a native filter is one that the authorizer would give too.
import { KeyObject, sign as signBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode, type Key, makeKey, sign } from '../../src/check/testing/issuer.ts';
import { TRANSPORTS } from '../../src/generate/envoy/transport.ts';
import { until } from '../until.ts';
import { closeServer, echoed, get, headerOf, portOf, type Rig, startRig } from './envoy-rig.ts';

const AUDIENCE = 'https://api.test';
const now = () => Math.floor(Date.now() / 1_000);

const RULES = `
tokens: { audiences: ["${AUDIENCE}"] }
identity_headers:
  X-User-Id: [session.identity.id, token.sub]
  X-User-Email: [session.identity.traits.email, token.ext.email, token.email]
rules:
  - { name: open, match: { path: /open }, allow: anyone }
  - { name: any, match: { path: "/any/**" }, require: { token: {} } }
  - { name: read, match: { path: /read }, require: { token: { scopes: [read] } } }
  - { name: both, match: { path: /both }, require: { token: { scopes: [read, write] } } }
  - { name: claims, match: { path: /claims }, require: { token: { claims: { ext.tenant: acme, level: 3, ext.staff: true } } } }
  - { name: scope-claim, match: { path: /scope-claim }, require: { token: { claims: { scope: read } } } }
  - { name: session-first, match: { path: /session-first }, require: { any_of: [{ session: {} }, { token: {} }] } }
  - { name: token-first, match: { path: /token-first }, require: { any_of: [{ token: {} }, { session: {} }] } }
  - name: either-scope
    match: { path: /either-scope }
    require: { any_of: [{ token: { scopes: [read] } }, { token: { audiences: ["https://other.test"], scopes: [write] } }] }
  - { name: session, match: { path: /session }, require: { session: {} } }
  - { name: home, match: { path: / }, allow: anyone, identify: true }
`;

/** The example of docs/native.md. */
const TENANT_FILTER = /```yaml\n([\s\S]+?)```/.exec(readFileSync('docs/native.md', 'utf8'))?.[1] ?? '';

/** As its reader does: before the router. */
function withTenantFilter(bootstrap: string): string {
  const lines = TENANT_FILTER.trimEnd().split('\n');
  return bootstrap.replace(/( +)- name: envoy\.filters\.http\.router\n/, (router, indent: string) => {
    const filter = lines.map((line, i) => `${indent}${i === 0 ? '- ' : '  '}${line}\n`).join('');
    return filter + router;
  });
}

let key: Key;
let unpublished: Key;
let issuer: Server;
let ISSUER = '';

beforeAll(async () => {
  key = await makeKey('ES256', 'k');
  unpublished = await makeKey('ES256', 'unpublished');
  issuer = createServer((_, response) => response.end(JSON.stringify({ keys: [key.jwk] })));
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  ISSUER = `http://127.0.0.1:${portOf(issuer)}`;
});

afterAll(async () => {
  await closeServer(issuer);
});

/** Claims of a good token; undefined takes one away. */
function claims(change: Record<string, unknown> = {}): Record<string, unknown> {
  const good = {
    iss: ISSUER,
    sub: 'user-1',
    client_id: 'client',
    aud: [AUDIENCE],
    exp: now() + 300,
    iat: now(),
    nbf: now(),
    scp: ['read'],
    ext: {},
  };
  return { ...good, ...change };
}

/** The same bytes in another spelling: the last character of an ECDSA signature has four bits that count for nothing. */
function withBitsLeftOver(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + alphabet[alphabet.indexOf(token.slice(-1)) + 1];
}

describe.each(TRANSPORTS)('checks over %s', (transport) => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await startRig({
      config: RULES,
      ory: `ory: { url: "${ISSUER}", timeout: 1s }`,
      transport,
      patch: withTenantFilter,
    });
    await until('Envoy has the keys', async () => (await outcome('/any/x', await sign(key, claims()))).native, 10_000);
  });
  afterAll(async () => {
    await rig?.close();
  });

  /** Sends one request, and says who decided. The authorizer of the rig says yes to everything, in another's name. */
  async function outcome(path: string, token: string | undefined, more: readonly string[] = []) {
    const asked = rig.checks.length;
    const headers = token === undefined ? [] : [`authorization: Bearer ${token}`];
    const answer = await get(rig.port, path, [...headers, ...more]);
    // A request that Envoy refuses for a reason of its own is no yes.
    const native = rig.checks.length === asked && answer.status === 200;
    return { native, status: answer.status, seen: answer.status === 200 ? echoed(answer) : undefined };
  }

  async function nativeFor(path: string, change: Record<string, unknown> = {}, more: readonly string[] = []) {
    return (await outcome(path, await sign(key, claims(change)), more)).native;
  }

  test('a token that a rule takes is not asked about, and its claims are the identity', async () => {
    const token = await sign(key, claims({ ext: { email: 'jo@acme.test' } }));
    const { native, status, seen } = await outcome('/any/x', token, ['x-user-id: forged', 'X_User.Id: forged']);
    expect([native, status]).toEqual([true, 200]);
    expect(headerOf(seen ?? { headers: [] }, 'x-user-id')).toEqual(['user-1']);
    expect(headerOf(seen ?? { headers: [] }, 'x-user-email')).toEqual(['jo@acme.test']);
    expect(JSON.stringify(seen)).not.toContain('forged');
    expect(headerOf(seen ?? { headers: [] }, 'authorization')).toEqual([`Bearer ${token}`]);
    await until('the access log names the rule and the reason', async () =>
      rig.accessLog.some((line) => line['rule'] === 'any' && line['reason'] === 'token' && line['path'] === '/any/x'),
    );
  });

  test('no claim for a header, no header', async () => {
    const { native, seen } = await outcome('/any/x', await sign(key, claims()), ['x-user-email: forged@x']);
    expect(native).toBe(true);
    expect(headerOf(seen ?? { headers: [] }, 'x-user-email')).toEqual([]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['an audience as text', { aud: AUDIENCE }],
    ['one audience of several', { aud: ['https://x', AUDIENCE] }],
    ['no subject, and so no header', { sub: undefined }],
    ['a scope as text', { scp: undefined, scope: 'write read' }],
    ['no start and no time of issue', { nbf: undefined, iat: undefined }],
    ['an expiry within the clock skew', { exp: now() - 30 }],
  ])('native: %s', async (_, change) => {
    expect(await nativeFor('/read', change)).toBe(true);
  });

  test.each<[string, Record<string, unknown>]>([
    ['another audience', { aud: ['https://evil.test'] }],
    ['an audience with a slash at its end', { aud: [`${AUDIENCE}/`] }],
    ['an audience without scheme', { aud: ['api.test'] }],
    ['an audience with another scheme', { aud: ['http://api.test'] }],
    ['no audience', { aud: undefined }],
    ['no expiry', { exp: undefined }],
    ['an expiry that is no time', { exp: 1e13 }],
    ['a start in the future', { nbf: now() + 3_600 }],
    ['a start that is no time', { nbf: -1e13 }],
    ['a time of issue that is no time', { iat: 1e13 }],
    ['no client', { client_id: undefined }],
    ['an empty client', { client_id: '' }],
    ['a client that is a number', { client_id: 7 }],
    ['an at_hash', { at_hash: 'x' }],
    ['a nonce that is null', { nonce: null }],
    ['events', { events: {} }],
    ['a subject that is a number', { sub: 7 }],
    ['a subject with an umlaut', { sub: 'jürgen' }],
    ['a subject with a percent sign', { sub: 'a%20b' }],
    ['a subject with a line break', { sub: 'a\r\nx-admin: 1' }],
    ['a subject with a blank', { sub: 'a b' }],
    ['an empty subject', { sub: '' }],
    ['a long subject', { sub: 'a'.repeat(257) }],
    ['an email that is not plain', { ext: { email: 'jö@acme.test' } }],
    ['an email that is a list', { ext: { email: ['a@b'] } }],
    ['an email that is null', { ext: { email: null } }],
    ['an email in the second place', { email: 'jo@acme.test' }],
    ['no scope', { scp: undefined }],
    ['another scope', { scp: ['readwrite', 'reads'] }],
    ['a scope in another case', { scp: ['READ'] }],
    ['scopes parted by a tab', { scp: undefined, scope: 'read\twrite' }],
  ])('asked: %s', async (_, change) => {
    expect(await nativeFor('/read', change)).toBe(false);
  });

  test.each<[string, Record<string, unknown>]>([
    ['typ logout+jwt', { typ: 'logout+jwt' }],
    ['typ as a number', { typ: 1 }],
    ['no kid', { kid: undefined }],
    ['an unknown kid', { kid: 'nobody' }],
    ['a jku', { jku: 'http://127.0.0.1:1/' }],
    ['a jwk that is null', { jwk: null }],
    ['an x5c', { x5c: [] }],
    ['an x5u', { x5u: '' }],
    ['b64 false', { b64: false }],
    ['zip', { zip: 'DEF' }],
  ])('asked: %s', async (_, header) => {
    const payload = encode(claims());
    const head = encode({ alg: 'ES256', kid: 'k', typ: 'JWT', ...header });
    const signature = signBytes('sha256', Buffer.from(`${head}.${payload}`), {
      key: KeyObject.from(key.privateKey),
      dsaEncoding: 'ieee-p1363',
    }).toString('base64url');
    expect((await outcome('/any/x', `${head}.${payload}.${signature}`)).native).toBe(false);
  });

  test.each([
    ['at+jwt', { typ: 'at+jwt' }],
    ['application/at+jwt', { typ: 'application/AT+JWT' }],
    ['another case', { typ: 'jwt' }],
    ['no type', { typ: undefined }],
  ])('native: typ %s', async (_, header) => {
    expect((await outcome('/any/x', await sign(key, claims(), header))).native).toBe(true);
  });

  test('asked: a key that is not published', async () => {
    expect((await outcome('/any/x', await sign(unpublished, claims(), { kid: 'k' }))).native).toBe(false);
  });

  test.each<[string, (token: string) => string[]]>([
    ['a scheme in lower case', (token) => [`authorization: bearer ${token}`]],
    ['two blanks', (token) => [`authorization: Bearer  ${token}`]],
    ['something behind it', (token) => [`authorization: Bearer ${token} x`]],
    ['padding', (token) => [`authorization: Bearer ${token}=`]],
    ['a byte behind the signature', (token) => [`authorization: Bearer ${token}A`]],
    ['three bytes behind the signature', (token) => [`authorization: Bearer ${token.slice(0, -1)}AAAAA`]],
    ['bits left over', (token) => [`authorization: Bearer ${withBitsLeftOver(token)}`]],
    ['a second one', (token) => [`authorization: Bearer ${token}`, `authorization: Bearer ${token}`]],
    ['another one beside it', (token) => [`authorization: Bearer ${token}`, 'authorization: Bearer x']],
    ['another scheme beside it', (token) => [`authorization: Bearer ${token}`, 'authorization: Basic eDp5']],
    ['the query', () => []],
  ])('asked: an Authorization with %s', async (name, lines) => {
    const token = await sign(key, claims());
    const path = name === 'the query' ? `/any/x?access_token=${token}` : '/any/x';
    expect((await outcome(path, undefined, lines(token))).native).toBe(false);
  });

  test('all scopes and claims are needed', async () => {
    expect(await nativeFor('/both', { scp: ['read'] })).toBe(false);
    expect(await nativeFor('/both', { scp: ['write', 'read'] })).toBe(true);
    expect(await nativeFor('/both', { scp: ['write'], scope: 'read' })).toBe(true);
    const all = { ext: { tenant: 'acme', staff: true }, level: 3 };
    expect(await nativeFor('/claims', all)).toBe(true);
    expect(await nativeFor('/claims', { ...all, ext: { tenant: ['x', 'acme'], staff: [true] } })).toBe(true);
    expect(await nativeFor('/claims', { ...all, level: '3' })).toBe(false);
    expect(await nativeFor('/claims', { ...all, level: 3.5 })).toBe(false);
    expect(await nativeFor('/claims', { ...all, ext: { tenant: 'acme', staff: 'true' } })).toBe(false);
    expect(await nativeFor('/claims', { ...all, ext: { tenant: 'acme ', staff: true } })).toBe(false);
    expect(await nativeFor('/claims', { ...all, ext: { tenant: { acme: 'acme' }, staff: true } })).toBe(false);
    expect(await nativeFor('/claims', { ...all, 'ext.tenant': 'acme', ext: { staff: true } })).toBe(false);
  });

  test('a claim that Envoy sees otherwise is asked about', async () => {
    expect(await nativeFor('/scope-claim', { scope: 'read' })).toBe(false);
    expect(await nativeFor('/scope-claim', { scope: 'read write' })).toBe(false);
  });

  test('another credential that counts first is asked about', async () => {
    expect(await nativeFor('/session-first')).toBe(true);
    expect(await nativeFor('/session-first', {}, ['x-session-token: ory_st_x'])).toBe(false);
    expect(await nativeFor('/session-first', {}, ['x-session-token:'])).toBe(false);
    expect(await nativeFor('/session-first', {}, ['cookie: a=b; ory_kratos_session=x'])).toBe(false);
    expect(await nativeFor('/session-first', {}, ['cookie: ory_session_acme=x'])).toBe(false);
    expect(await nativeFor('/session-first', {}, ['cookie: a=b', 'cookie: ory_kratos_session=x'])).toBe(false);
    expect(await nativeFor('/session-first', {}, ['cookie: a=b'])).toBe(true);
    for (const more of ['x-session-token: ory_st_x', 'cookie: ory_kratos_session=x']) {
      expect(await nativeFor('/token-first', {}, [more])).toBe(true);
      expect(await nativeFor('/any/x', {}, [more])).toBe(true);
    }
  });

  test('one of several alternatives is enough, and each is judged whole', async () => {
    expect(await nativeFor('/either-scope')).toBe(true);
    expect(await nativeFor('/either-scope', { aud: ['https://other.test'] })).toBe(false);
    expect(await nativeFor('/either-scope', { aud: ['https://other.test'], scp: ['write'] })).toBe(true);
    expect(await nativeFor('/either-scope', { scp: ['write'] })).toBe(false);
  });

  test('sessions are asked about, whatever token comes along', async () => {
    expect(await nativeFor('/session')).toBe(false);
    expect((await outcome('/session', undefined)).native).toBe(false);
  });

  test('where anyone may pass, a request without credentials is nobody, and one with a token is somebody', async () => {
    expect((await outcome('/open', undefined)).native).toBe(true);
    const nobody = await outcome('/', undefined, ['x-user-id: forged', 'cookie: theme=dark']);
    expect([nobody.native, headerOf(nobody.seen ?? { headers: [] }, 'x-user-id')]).toEqual([true, []]);
    const somebody = await outcome('/', await sign(key, claims()));
    expect([somebody.native, headerOf(somebody.seen ?? { headers: [] }, 'x-user-id')]).toEqual([true, ['user-1']]);
    for (const more of ['authorization: Basic eDp5', 'x-session-token: x', 'cookie: ory_kratos_session=x']) {
      expect((await outcome('/', undefined, [more])).native).toBe(false);
    }
    await until('the access log names the reasons', async () => {
      const reasons = rig.accessLog.filter((line) => line['rule'] === 'home').map((line) => line['reason']);
      return reasons.includes('anonymous') && reasons.includes('token');
    });
  });

  test.each<[string, () => Promise<string | undefined>, string | undefined]>([
    ['no token', async () => undefined, '1'],
    ['an opaque one', async () => 'ory_at_x', '4'],
    ['an expired one', () => sign(key, claims({ exp: now() - 300 })), '3'],
    ['an unknown kid', () => sign(unpublished, claims()), '32'],
    ['a good one without the scope', () => sign(key, claims({ scp: [] })), undefined],
  ])('the authorizer is told what jwt_authn found: %s', async (_, token, code) => {
    const before = rig.checks.length;
    await outcome('/read', await token(), ['ory-jwt-failure: 9', 'Ory_Jwt_Failure: 9']);
    const [check] = rig.checks.slice(before);
    expect(headerOf(check ?? { headers: [] }, 'ory-jwt-failure')).toEqual(code === undefined ? [] : [code]);
    expect(JSON.stringify(rig.received.at(-1))).not.toContain('jwt-failure');
  });

  test('verified claims are there for a filter of one’s own, and what a client claims is not', async () => {
    const tenant = async (token: string | undefined) =>
      headerOf(
        (await outcome('/any/x', token, ['x-tenant: forged', 'X_Tenant: forged'])).seen ?? { headers: [] },
        'x-tenant',
      );
    expect(await tenant(await sign(key, claims({ ext: { tenant: 'acme' } })))).toEqual(['acme']);
    expect(await tenant(await sign(key, claims()))).toEqual([]);
    expect(await tenant(await sign(unpublished, claims({ ext: { tenant: 'acme' } })))).toEqual([]);
    expect(await tenant(undefined)).toEqual([]);
  });

  test('what a native filter has written is replaced by what the authorizer says', async () => {
    rig.answer = (_, reply) => reply.allow({ 'ory-reason': 'session', 'x-user-id': 'of-the-authorizer' });
    const { native, seen } = await outcome('/session-first', await sign(key, claims()), ['x-session-token: ory_st_x']);
    expect([native, headerOf(seen ?? { headers: [] }, 'x-user-id')]).toEqual([false, ['of-the-authorizer']]);
  });
});
