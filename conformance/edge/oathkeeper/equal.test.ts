// One table of requests to two edges of one policy: Oathkeeper's answer is the authorizer's, or a difference that is known.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DIFFERENCES, type DifferenceName } from '../../oathkeeper/differences.ts';
import { claimsOf, sign } from '../attacks/scripted-ory.ts';
import { type Lines, type Protocol, type Request, send } from '../rig/client.ts';
import { outcome, PAGE, type Pair, startPair } from './rig.ts';

let pair: Pair;
const tokens = new Map<string, string>();
const token = (name: string) => tokens.get(name) ?? name;

beforeAll(async () => {
  pair = await startPair();
  const { ory, sessions } = pair;
  const now = Math.floor(Date.now() / 1_000);
  sessions.add('ada-cookie', 'ada', {
    traits: { email: 'ada@app.test', level: 12_345_678 },
    verifiable_addresses: [
      { via: 'sms', verified: true, value: '+1' },
      { via: 'email', verified: false, value: 'new@app.test' },
      { via: 'email', verified: true, value: 'verified@app.test' },
    ],
  });
  sessions.add('ory_st_ada', 'ada');
  sessions.add('ory_st_bob', 'bob', { traits: { email: 'bøb 100%@app.test\r\nx: y', level: { a: [1, 'ü'] } } });
  sessions.add('ory_st_zero', 'zero', { traits: { email: '', level: 0 } });
  sessions.add('ory_st_no_traits', 'eve', { traits: null, verifiable_addresses: null });
  const jwts: Record<string, [Record<string, unknown>, Record<string, unknown>?]> = {
    good: [{ ext: { email: 'ada@token.test', level: false } }],
    mirrored: [{ ext: { sub: 'root' }, username: 'root', identity: { id: 'root' }, id: 'x', active: true }],
    scopes: [{ scp: ['read', 'write'] }],
    scopeText: [{ scp: undefined, scope: 'write read' }],
    expired: [{ exp: now - 5 }],
    early: [{ nbf: now + 60 }],
    otherAudience: [{ aud: ['https://other.test'] }],
    otherIssuer: [{ iss: 'https://other.test/' }],
    idToken: [{ client_id: undefined, scp: undefined, at_hash: 'x' }],
    noExpiry: [{ exp: undefined }],
    unknownKey: [{}, { kid: 'none' }],
  };
  for (const [name, [claims, header]] of Object.entries(jwts))
    tokens.set(name, await sign(ory.rs256, claimsOf(ory, claims), header));
  tokens.set('es256', await sign(ory.es256, claimsOf(ory)));
  const introspected = (more: object = {}) => ({
    active: true,
    token_use: 'access_token',
    sub: 'robot',
    client_id: 'robot',
    scope: 'read write',
    aud: ['https://api.test'],
    iss: ory.issuer,
    exp: now + 300,
    ...more,
  });
  ory.opaque.set(
    'ory_at_good',
    introspected({ ext: { email: 'r@token.test', sub: 'root', scp: ['x'], client_id: 'y' } }),
  );
  ory.opaque.set('ory_at_read', introspected({ scope: 'read' }));
  ory.opaque.set('ory_at_other', introspected({ aud: ['https://other.test'] }));
  ory.opaque.set('ory_at_refresh', introspected({ token_use: 'refresh_token' }));
  ory.opaque.set('ory_at_expired', introspected({ exp: now - 5 }));
});
afterAll(() => pair?.close());

const bearer = (name: string): Lines => [['Authorization', `Bearer ${token(name)}`]];
const cookie = (value: string): Lines => [['Cookie', value]];
const sessionToken = (value: string): Lines => [['X-Session-Token', value]];
const ADA = cookie('ory_kratos_session=ada-cookie');

type Case = readonly [name: string, request: () => Request, difference?: DifferenceName];
const at =
  (path: string, headers: () => Lines = () => [], more: Request = {}) =>
  () => ({
    path,
    headers: headers(),
    ...more,
  });

const RULES: readonly Case[] = [
  ['anyone', at('/assets/x')],
  ['anyone, at the folder itself', at('/assets')],
  ['anyone, at another method: no rule', at('/assets/x', () => [], { method: 'POST' })],
  ['no rule', at('/nothing')],
  ['a neighbour of a folder', at('/assetsx')],
  ['a later rule of another method, without a session', at('/doc/x', () => [], { method: 'POST' })],
  ['a later rule of another method, with one', at('/doc/x', () => ADA, { method: 'POST' })],
  ['a method of WebDAV', at('/doc/x', () => ADA, { method: 'PROPFIND' })],
  ['a host', at('/assets/x', () => [], { host: 'admin.test' })],
  ['a host in capitals, with a port and a dot', at('/open/x', () => [], { host: 'ADMIN.Test.:8443' })],
  ['a host, with a session', at('/open/x', () => ADA, { host: 'admin.test' })],
  ['a host that only begins so', at('/open/x', () => [], { host: 'admin.test.evil.test' })],
  ['a host that only ends so', at('/open/x', () => [], { host: 'xadmin.test' })],
  ['a host of a suffix', at('/open/x', () => [], { host: 'a.b.acme.test' })],
  ['the suffix itself', at('/open/x', () => [], { host: 'acme.test' })],
  ['a host whose path looks like a suffix', at('/open/x.acme.test/y', () => [], { host: 'evil.test' })],
  ['signs of expressions', at('/a.b(c)+[d]/$x/y/z', () => ADA)],
  ['signs of expressions, without a session', at('/a.b(c)+[d]/$x/y')],
  ['what the signs would match as an expression', at('/aXbccd/x/y', () => ADA)],
  ['a star is one segment', at('/a.b(c)+[d]/$x', () => ADA)],
  ['angle brackets and letters, escaped', at('/a%3cb%3E/%C3%A9%20%c3%a9/x', () => ADA)],
  ['angle brackets and letters, without a session', at('/a%3Cb%3E/%C3%A9%20%C3%A9')],
  ['an escape that is none for a literal', at('/a%3Cb%3E/e%20e/x', () => ADA)],
  ['a query that looks like a path', at('/app/x?/assets/../open/x')],
  ['a query for whoami', at('/app/x?tokenize_as=evil', () => ADA)],
];

const CREDENTIALS: readonly Case[] = [
  ['a cookie', at('/app/x', () => ADA)],
  ['a cookie among others', at('/app/x', () => cookie('a=1; ory_kratos_session=ada-cookie; b=2'))],
  ['a cookie of another name', at('/app/x', () => cookie('session=ada-cookie'))],
  ['a cookie of nobody', at('/app/x', () => cookie('ory_kratos_session=nobody'))],
  ['a session token', at('/app/x', () => sessionToken('ory_st_ada'))],
  ['a session token before a cookie', at('/app/x', () => [...sessionToken('ory_st_bob'), ...ADA])],
  ['a bad session token before a good cookie', at('/app/x', () => [...sessionToken('ory_st_no'), ...ADA])],
  ['an empty session token before a cookie', at('/app/x', () => [...sessionToken(''), ...ADA])],
  ['a bearer session token', at('/app/x', () => bearer('ory_st_bob'))],
  ['a cookie before a bearer session token', at('/app/x', () => [...ADA, ...bearer('ory_st_bob')])],
  ['another scheme', at('/app/x', () => [['Authorization', 'Basic b3J5X3N0X2FkYQ==']])],
  ['another scheme beside a cookie', at('/app/x', () => [...ADA, ['Authorization', 'Digest a="b", c="d"']])],
  ['two cookies', at('/app/x', () => cookie('ory_kratos_session=ada-cookie; ory_kratos_session=other'))],
  ['two lines of cookies', at('/app/x', () => [...ADA, ...cookie('ory_kratos_session=other')])],
  ['two session tokens', at('/app/x', () => [...sessionToken('ory_st_ada'), ...sessionToken('ory_st_bob')])],
  ['two bearers', at('/api/x', () => [...bearer('good'), ...bearer('mirrored')])],
  ['a bearer after another scheme', at('/api/x', () => [['Authorization', 'Basic eDp5'], ...bearer('good')])],
  [
    'the same cookie twice',
    at('/app/x', () => cookie('ory_kratos_session=ada-cookie; ory_kratos_session=ada-cookie')),
    'sameTwice',
  ],
  ['the same cookie in two lines', at('/app/x', () => [...ADA, ...ADA])],
  ['an empty cookie before a full one', at('/app/x', () => cookie('ory_kratos_session=; ory_kratos_session=no'))],
  [
    'a cookie that another one is named after',
    at('/app/x', () => cookie('xory_kratos_session=a; ory_kratos_session=ada-cookie')),
  ],
  ['two cookies where nobody looks', at('/open/x', () => cookie('ory_kratos_session=a; ory_kratos_session=b'))],
];

const TOKENS: readonly Case[] = [
  ['a JWT', at('/api/x', () => bearer('good'))],
  ['a JWT of ES256', at('/api/x', () => bearer('es256'))],
  ['a JWT that says it is a session', at('/mixed/x', () => bearer('mirrored'))],
  ['no token', at('/api/x')],
  ['scopes', at('/scoped/x', () => bearer('scopes'))],
  ['scopes as a text', at('/scoped/x', () => bearer('scopeText'))],
  ['a scope too few', at('/scoped/x', () => bearer('good')), 'scope'],
  ['an expired JWT', at('/api/x', () => bearer('expired'))],
  ['a JWT of tomorrow', at('/api/x', () => bearer('early'))],
  ['a JWT for others', at('/api/x', () => bearer('otherAudience'))],
  ['a JWT of others', at('/api/x', () => bearer('otherIssuer'))],
  ['a JWT of an unknown key', at('/api/x', () => bearer('unknownKey'))],
  ['an ID token for this audience', at('/api/x', () => bearer('idToken')), 'idToken'],
  ['a JWT for ever', at('/api/x', () => bearer('noExpiry')), 'noExpiry'],
  ['a signature cut off', at('/api/x', () => [['Authorization', `Bearer ${token('good').slice(0, -9)}`]])],
  ['an opaque token', at('/api/x', () => bearer('ory_at_good'))],
  ['an opaque token with scopes', at('/scoped/x', () => bearer('ory_at_good'))],
  ['an opaque token, a scope too few', at('/scoped/x', () => bearer('ory_at_read'))],
  ['an opaque token of nobody', at('/api/x', () => bearer('ory_at_none'))],
  ['an opaque token for others', at('/api/x', () => bearer('ory_at_other')), 'opaqueAudience'],
  ['a refresh token', at('/api/x', () => bearer('ory_at_refresh')), 'wrongTokenKind'],
  ['a refresh token by its mark', at('/api/x', () => bearer('ory_rt_x'))],
  ['an opaque token that has run out', at('/api/x', () => bearer('ory_at_expired'))],
  ['a session token where tokens are taken', at('/api/x', () => bearer('ory_st_ada'))],
  ['a token where sessions are taken', at('/app/x', () => bearer('good'))],
];

const BOTH: readonly Case[] = [
  ['session or token: a cookie', at('/mixed/x', () => ADA)],
  ['session or token: a JWT', at('/mixed/x', () => bearer('good'))],
  ['session or token: an opaque one', at('/mixed/x', () => bearer('ory_at_good'))],
  ['session or token: a bearer session', at('/mixed/x', () => bearer('ory_st_bob'))],
  ['session or token: both', at('/mixed/x', () => [...ADA, ...bearer('good')])],
  ['session or token: neither', at('/mixed/x')],
  [
    'session or token: a bad cookie, a good token',
    at('/mixed/x', () => [...cookie('ory_kratos_session=no'), ...bearer('good')]),
    'badBesideGood',
  ],
  ['token or session: both', at('/turned/x', () => [...ADA, ...bearer('good')])],
  ['token or session: an opaque one and a cookie', at('/turned/x', () => [...ADA, ...bearer('ory_at_good')])],
  ['token or session: a bearer session and a cookie', at('/turned/x', () => [...ADA, ...bearer('ory_st_bob')])],
  [
    'token or session: a bad token, a good cookie',
    at('/turned/x', () => [...ADA, ...bearer('expired')]),
    'badBesideGood',
  ],
  ['identify: nobody', at('/')],
  ['identify: a session', at('/', () => ADA)],
  ['identify: a token', at('/', () => bearer('good'))],
  ['identify: another scheme', at('/', () => [['Authorization', 'Basic eDp5']])],
  ['identify: a bad session', at('/', () => cookie('ory_kratos_session=no')), 'badAtIdentify'],
];

const IDENTITY: readonly Case[] = [
  ['numbers, verified addresses', at('/app/x', () => ADA)],
  ['letters, blanks, lines, objects', at('/app/x', () => sessionToken('ory_st_bob'))],
  ['empty and zero', at('/app/x', () => sessionToken('ory_st_zero'))],
  ['no traits at all', at('/app/x', () => sessionToken('ory_st_no_traits'))],
  ['false of a token', at('/api/x', () => bearer('good'))],
  ['ext of an opaque token', at('/api/x', () => bearer('ory_at_good'))],
];

const PAGES: readonly Case[] = [
  ['a script at a rule that redirects', at('/web/x', () => [['Accept', '*/*']])],
  ['a form at a rule that redirects', at('/web/x', () => [['Accept', 'text/html']], { method: 'POST' })],
  [
    'a fetch that would take a page',
    at('/web/x', () => [
      ['Accept', 'text/html'],
      ['Sec-Fetch-Mode', 'cors'],
    ]),
    'noFetchMarks',
  ],
  ['a page at a rule that denies', at('/app/x', () => [['Accept', 'text/html']])],
  [
    'a preflight',
    at(
      '/spa/x',
      () => [
        ['Origin', PAGE],
        ['Access-Control-Request-Method', 'GET'],
      ],
      { method: 'OPTIONS' },
    ),
  ],
  [
    'a preflight of another page',
    at(
      '/spa/x',
      () => [
        ['Origin', 'https://evil.test'],
        ['Access-Control-Request-Method', 'GET'],
      ],
      { method: 'OPTIONS' },
    ),
  ],
  [
    'a preflight of a rule without cors',
    at(
      '/app/x',
      () => [
        ['Origin', PAGE],
        ['Access-Control-Request-Method', 'GET'],
      ],
      { method: 'OPTIONS' },
    ),
  ],
];

describe.each([
  ['rules', RULES],
  ['credentials', CREDENTIALS],
  ['tokens', TOKENS],
  ['sessions and tokens', BOTH],
  ['identity', IDENTITY],
  ['pages', PAGES],
] satisfies [string, readonly Case[]][])('%s', (_, cases) => {
  it.each(cases.map((one) => ({ name: one[0], one })))('$name', async ({ one: [, request, difference] }) => {
    await compare(request(), difference);
  });
});

async function compare(request: Request, difference?: DifferenceName, protocol: Protocol = 'HTTP/1.1'): Promise<void> {
  const wanted = outcome(await send(pair.ours.url, protocol, request));
  const found = outcome(await send(pair.oathkeeper.url, protocol, request));
  if (difference === undefined) {
    expect(found).toBe(wanted);
    return;
  }
  const { policy, oathkeeper } = DIFFERENCES[difference];
  expect([wanted.split(' ')[0], found.split(' ')[0]]).toEqual([policy, oathkeeper]);
}

it('a method that nobody has registered is no rule’s', async () => {
  await compare({ method: 'BREW', path: '/app/x' }, 'oddMethod', 'HTTP/2');
  await compare({ method: 'BREW', path: '/open/x' }, undefined, 'HTTP/2');
});
