// The yes that Envoy gives by itself, under attack: with the authorizer gone, only what is beyond doubt may pass; with it
// there, nothing of a token that did not count reaches the application.
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../until.ts';
import { type Lines, send } from '../rig/client.ts';
import type { Edge } from '../rig/edge.ts';
import { WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Attacked, outcome, rawOutcome, startAttacked } from './rig.ts';
import { claimsOf, type ScriptedOry, sign, startScriptedOry } from './scripted-ory.ts';

const SECRET = Buffer.alloc(32, 7);
const anySession = { session: {} };
let attacked: Attacked;
let ory: ScriptedOry;

beforeAll(async () => {
  ory = await startScriptedOry();
  // With an issuer that publishes a secret Envoy would verify by it.
  ory.keys.push({ kty: 'oct', kid: 'oct', alg: 'HS256', k: SECRET.toString('base64url') });
  attacked = await startAttacked(
    {
      tokens: { audiences: ['https://api.test'], clock_skew: '60s' },
      // Envoy gives no yes where a claim of these is no plain text.
      identity_headers: {
        'X-User-Id': ['session.identity.id', 'token.sub'],
        'X-User-Email': ['session.identity.traits.mail', 'token.ext.email'],
      },
      rules: [
        { name: 'open', match: { path: '/public/**' }, allow: 'anyone' },
        { name: 'home', match: { path: '/home' }, allow: 'anyone', identify: true },
        { name: 'api', match: { path: '/api/**' }, require: { token: {} } },
        { name: 'scoped', match: { path: '/scoped/**' }, require: { token: { scopes: ['read', 'admin'] } } },
        { name: 'claimed', match: { path: '/claimed/**' }, require: { token: { claims: { 'ext.tenant': 1 } } } },
        { name: 'other', match: { path: '/other/**' }, require: { token: { audiences: ['https://other.test'] } } },
        { name: 'mixed', match: { path: '/mixed/**' }, require: { any_of: [anySession, { token: {} }] } },
        { name: 'turned', match: { path: '/turned/**' }, require: { any_of: [{ token: {} }, anySession] } },
        { name: 'app', match: { path: '/app/**' }, require: anySession },
      ],
    },
    ory,
  );
  ory.session('s-ada', 'ada');
  for (const edge of [attacked.edges.http, attacked.edges.grpc]) {
    const token = await good();
    await until('Envoy has the keys', async () => (await stat(edge, token)) === 0);
  }
});

afterAll(() => attacked?.close());

/** How many checks one request with this token costs. */
async function stat(edge: Edge, token: string): Promise<number> {
  const before = await checks(edge);
  expect(await outcome(edge, 'HTTP/1.1', '/api/x', bearer(token))).toBe('200 ada /api/x');
  return (await checks(edge)) - before;
}

async function checks({ envoy }: Edge): Promise<number> {
  const text = await (await fetch(`${envoy.adminUrl}/stats?filter=ext_authz.*\\.(?:ok|denied|error)$`)).text();
  return [...text.matchAll(/: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}

const bearer = (token: string): Lines => [['Authorization', `Bearer ${token}`]];
/** Without `ext`, so that a native yes has the one header that `sub` gives. */
const claims = (change: Record<string, unknown> = {}) => claimsOf(ory, { ext: undefined, ...change });
const good = (change: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  sign(ory.rs256, claims(change), header);

/** Not asked means: let in without an authorizer. */
const ASKED = '503 authorizer_unreachable';

describe(attack('native'), () => {
  describe('with the authorizer gone', () => {
    beforeAll(async () => {
      for (const edge of [attacked.edges.http, attacked.edges.grpc]) await edge.authorizer.kill();
    });
    afterAll(async () => {
      for (const edge of [attacked.edges.http, attacked.edges.grpc]) await edge.authorizer.start();
    });

    // Envoy’s own yes is the same over both transports, and its no takes long over gRPC: one case of each kind there.
    describe.concurrent.each(WAYS.filter(({ transport }) => transport === 'http'))(
      'over $protocol',
      ({ protocol, transport }) => {
        const ask = (path: string, headers: Lines, method = 'GET') =>
          outcome(attacked.edges[transport], protocol, path, headers, method);

        it('what is beyond doubt passes, so that the rest means something', async () => {
          expect(await ask('/api/x', bearer(await good()))).toBe('200 ada /api/x');
          expect(await ask('/api/x', bearer(await sign(ory.es256, claims())))).toBe('200 ada /api/x');
          expect(await ask('/scoped/x', bearer(await good({ scp: ['admin', 'read'] })))).toBe('200 ada /scoped/x');
          expect(await ask('/claimed/x', bearer(await good({ ext: { tenant: 1 } })))).toBe('200 ada /claimed/x');
          expect(await ask('/mixed/x', bearer(await good()))).toBe('200 ada /mixed/x');
          expect(await ask('/turned/x', bearer(await good()))).toBe('200 ada /turned/x');
          expect(await ask('/home', bearer(await good()))).toBe('200 ada /home');
          expect(await ask('/home', [])).toBe('200 nobody /home');
        });

        it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
          ['no key id', {}, { kid: undefined }],
          ['an empty key id', {}, { kid: '' }],
          ['a logout token', {}, { typ: 'logout+jwt' }],
          ['a DPoP proof', {}, { typ: 'dpop+jwt' }],
          ['a type that is a list', {}, { typ: ['JWT'] }],
          ['a jwk', {}, { jwk: {} }],
          ['a jku', {}, { jku: 'https://evil.test' }],
          ['an x5u', {}, { x5u: 'https://evil.test' }],
          ['an x5c', {}, { x5c: [] }],
          ['crit', {}, { crit: ['x'], x: 1 }],
          ['zip', {}, { zip: null }],
          ['an ID token: no client_id', { client_id: undefined }, {}],
          ['an empty client_id', { client_id: '' }, {}],
          ['an ID token: at_hash', { at_hash: 'x' }, {}],
          ['an ID token: nonce', { nonce: null }, {}],
          ['a logout token: events', { events: {} }, {}],
          ['another audience', { aud: ['https://other.test'] }, {}],
          ['an audience with a slash', { aud: ['https://api.test/'] }, {}],
          ['an audience without a scheme', { aud: 'api.test' }, {}],
          ['no audience', { aud: undefined }, {}],
          ['another issuer', { iss: 'https://evil.test/' }, {}],
          ['no expiry', { exp: undefined }, {}],
          ['an expiry in milliseconds', { exp: 1e12 }, {}],
          ['a past expiry', { exp: 1_000_000_000 }, {}],
        ])('a token that the authorizer refuses is asked about: %s', async (_, change, header) => {
          const headers = bearer(await good(change, header));
          expect(await Promise.all([ask('/api/x', headers), ask('/home', headers)])).toEqual([ASKED, ASKED]);
        });

        it('a token that is at the very end of the skew is asked about', async () => {
          for (let i = 0; i < 3; i++) {
            const token = await good({ exp: Math.floor(Date.now() / 1_000) - 60 });
            expect(await ask('/api/x', bearer(token))).toBe(ASKED);
          }
        });

        it('a secret that the issuer publishes signs nothing', async () => {
          for (const kid of ['oct', 'rs', undefined]) {
            const header = kid === undefined ? { alg: 'HS256' } : { alg: 'HS256', kid };
            const token = await new SignJWT(claims()).setProtectedHeader(header).sign(SECRET);
            expect(await ask('/api/x', bearer(token))).toBe(ASKED);
          }
        });

        it.each<[string, (token: string) => Lines]>([
          ['a scheme in lower case', (token) => [['Authorization', `bearer ${token}`]]],
          ['another scheme before it', (token) => [['Authorization', `Basic dTpw, Bearer ${token}`]]],
          ['a word before it', (token) => [['Authorization', `x Bearer ${token}`]]],
          ['another scheme that holds it', (token) => [['Authorization', `Token Bearer ${token}`]]],
          ['two blanks', (token) => [['Authorization', `Bearer  ${token}`]]],
          ['a word behind it', (token) => [['Authorization', `Bearer ${token} x`]]],
          ['padding', (token) => [['Authorization', `Bearer ${token}==`]]],
          ['a comma behind it', (token) => [['Authorization', `Bearer ${token},`]]],
          ['another token behind it', (token) => [['Authorization', `Bearer ${token},Bearer a.b.c`]]],
          ['another token before it', (token) => [['Authorization', `Bearer a.b.c,Bearer ${token}`]]],
          [
            'two lines',
            (token) => [
              ['Authorization', `Bearer ${token}`],
              ['Authorization', 'Bearer a.b.c'],
            ],
          ],
          [
            'two lines, the other first',
            (token) => [
              ['Authorization', 'Basic dTpw'],
              ['Authorization', `Bearer ${token}`],
            ],
          ],
          [
            'the same line twice',
            (token) => [
              ['Authorization', `Bearer ${token}`],
              ['Authorization', `Bearer ${token}`],
            ],
          ],
          ['bits left over', (token) => bearer(malleable(token))],
          ['a part more', (token) => bearer(`${token}.x`)],
        ])('an Authorization that can be read in two ways is asked about: %s', async (_, headers) => {
          const token = await good();
          const outcomes = ['/api/x', '/home', '/mixed/x'].map((path) => ask(path, headers(token)));
          expect(await Promise.all(outcomes)).toEqual([ASKED, ASKED, ASKED]);
        });

        it('bytes behind an ECDSA signature are asked about', async () => {
          const [head, body, signature = ''] = (await sign(ory.es256, claims())).split('.');
          const bytes = Buffer.from(signature, 'base64url');
          const outcomes = [1, 2, 3, 32, 64].map((more) => {
            const longer = Buffer.concat([bytes, Buffer.alloc(more, 1)]).toString('base64url');
            return ask('/api/x', bearer(`${head}.${body}.${longer}`));
          });
          expect(await Promise.all(outcomes)).toEqual(Array(5).fill(ASKED));
        });

        it.each<[string, Lines]>([
          ['a session token', [['X-Session-Token', 's-ada']]],
          ['an empty session token', [['X-Session-Token', '']]],
          ['a session token by a name in other case', [['x-SESSION-token', 's-ada']]],
          ['a session cookie', [['Cookie', 'ory_kratos_session=s-ada']]],
          ['a session cookie behind others', [['Cookie', 'a=1; b=2;ory_kratos_session=s-ada']]],
          ['a session cookie behind a tab', [['Cookie', 'a=1;\tory_kratos_session=s-ada']]],
          [
            'a session cookie in a second line',
            [
              ['Cookie', 'a=1'],
              ['Cookie', 'ory_kratos_session=s-ada'],
            ],
          ],
          ['a session cookie inside of quotes', [['Cookie', 'a="; ory_kratos_session=s-ada; "']]],
          ['a session cookie in quotes', [['Cookie', 'ory_kratos_session="s-ada"']]],
          ['a session cookie by a pattern', [['Cookie', 'ory_session_project=s-ada']]],
          ['two session cookies', [['Cookie', 'ory_kratos_session=s-ada; ory_kratos_session=x']]],
        ])('a session that would count first is not passed over: %s', async (_, session) => {
          const token = bearer(await good({ sub: 'mallory' }));
          const asked: [string, Lines][] = [
            ['/mixed/x', [...session, ...token]],
            ['/mixed/x', [...token, ...session]],
            ['/home', [...session, ...token]],
            ['/home', session],
          ];
          expect(await Promise.all(asked.map(([path, headers]) => ask(path, headers)))).toEqual(Array(4).fill(ASKED));
          // Where the token comes first, it counts; where no session is taken, none is looked at.
          expect(await ask('/turned/x', [...session, ...token])).toBe('200 mallory /turned/x');
          expect(await ask('/api/x', [...session, ...token])).toBe('200 mallory /api/x');
        });

        it.each<[string, Record<string, unknown>]>([
          ['a line break', { sub: 'ada\r\nX-User-Id: root' }],
          ['a line feed', { sub: 'ada\n' }],
          ['a NUL', { sub: 'ada\0' }],
          ['another alphabet', { sub: 'Zoë' }],
          ['a percent sign', { sub: '100%' }],
          ['a blank', { sub: 'ada lovelace' }],
          ['nothing', { sub: '' }],
          ['300 characters', { sub: 'a'.repeat(300) }],
          ['a number in the second header', { ext: { email: 7 } }],
          ['a list in the second header', { ext: { email: ['a@b.test'] } }],
          ['a line break in the second header', { ext: { email: 'a@b.test\r\nX-User-Id: root' } }],
        ])('an identity that is no plain text is asked about: %s', async (_, change) => {
          expect(await ask('/api/x', bearer(await good(change)))).toBe(ASKED);
        });

        it.each<[string, string, Record<string, unknown>]>([
          ['a scope too few', '/scoped/x', { scp: ['read'] }],
          ['a scope that begins alike', '/scoped/x', { scp: ['read', 'admin2'] }],
          ['both scopes in one entry', '/scoped/x', { scp: ['read admin'] }],
          ['scopes with a tab between', '/scoped/x', { scp: undefined, scope: 'read\tadmin' }],
          ['scopes in other case', '/scoped/x', { scp: ['READ', 'ADMIN'] }],
          ['a text for a number', '/claimed/x', { ext: { tenant: '1' } }],
          ['true for a number', '/claimed/x', { ext: { tenant: true } }],
          ['a list in a list', '/claimed/x', { ext: { tenant: [[1]] } }],
          ['a dotted name', '/claimed/x', { 'ext.tenant': 1 }],
          ['another rule’s audience', '/other/x', {}],
        ])('a token that the rule does not take is asked about: %s', async (_, path, change) => {
          expect(await ask(path, bearer(await good(change)))).toBe(ASKED);
        });

        it('nothing but the rule that was found decides', async () => {
          const token = bearer(await good());
          for (const path of ['/app/x', '/nowhere', '/other/x']) expect(await ask(path, token)).toBe(ASKED);
          expect(await ask('/api/../app/x', token)).toBe(ASKED);
          for (const path of ['/api/x;y', '/api/%2e%2e%2fapp', '/api/%252e'])
            expect(await ask(path, token)).toBe('400 path_ambiguous');
        });
      },
    );

    it('over gRPC neither', async () => {
      const edge = attacked.edges.grpc;
      const token = await good();
      const cases: [string, Lines, string][] = [
        ['/api/x', bearer(token), '200 ada /api/x'],
        ['/home', [], '200 nobody /home'],
        ['/api/x', bearer(`${token}=`), ASKED],
        ['/api/x', bearer(await good({ nonce: 'x' })), ASKED],
        ['/mixed/x', [['Cookie', 'ory_kratos_session=s-ada'], ...bearer(token)], ASKED],
        ['/home', [['Authorization', `x Bearer ${token}`]], ASKED],
        ['/app/x', bearer(token), ASKED],
      ];
      for (const [path, headers, expected] of cases)
        expect([path, await outcome(edge, 'HTTP/1.1', path, headers)]).toEqual([path, expected]);
    });

    it('as bytes neither', async () => {
      const token = await good();
      for (const edge of [attacked.edges.http]) {
        for (const line of [
          `authorization:\tBearer\t${token}`,
          `authorization: Bearer\x0b${token}`,
          `authorization: Bearer "${token}"`,
        ])
          expect(await rawOutcome(edge, 'GET /api/x HTTP/1.1', line)).toMatch(/^(?:503 authorizer_unreachable|400)$/);
        const both = ['cookie: a=1\r\n ory_kratos_session=s-ada', `authorization: Bearer ${token}`];
        expect(await rawOutcome(edge, 'GET /mixed/x HTTP/1.1', ...both)).toMatch(
          /^(?:503 authorizer_unreachable|400)$/,
        );
      }
    });
  });

  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    const seen = async (path: string, headers: Lines) =>
      (await send(attacked.edges[transport].url, protocol, { path, headers })).seen();

    it('a forged identity does not stand beside a native yes, nor in place of what the token lacks', async () => {
      const forged: Lines = [
        ['X-User-Id', 'root'],
        ['x_user_id', 'root'],
        ['X-User-Email', 'root@evil.test'],
        ['X.User.Email', 'root'],
      ];
      for (const path of ['/api/x', '/home', '/mixed/x']) {
        const { headers, header } = await seen(path, [...forged, ...bearer(await good())]);
        expect([header('x-user-id'), header('x-user-email')]).toEqual([['ada'], []]);
        expect(headers.filter(([, value]) => value.includes('root'))).toEqual([]);
      }
    });

    it('nothing of a token that did not count reaches the application', async () => {
      const token = await good({ sub: 'mallory', ext: { email: 'mallory@evil.test' } });
      const session: Lines = [['X-Session-Token', 's-ada']];
      const cases: [string, Lines, string[]][] = [
        // The session has no value for the second header.
        ['/mixed/x', [...session, ...bearer(token)], ['ada']],
        ['/home', [...session, ...bearer(token)], ['ada']],
        ['/app/x', [...session, ...bearer(token)], ['ada']],
        ['/home', [['Authorization', `x Bearer ${token}`]], []],
        ['/home', [['Authorization', `Basic dTpw, Bearer ${token}`]], []],
        ['/home', [['Authorization', `Bearer ${token},Bearer ${token}x`]], []],
        ['/home', bearer(await good({ sub: 'mallory', ext: { email: 'mallory@evil.test' }, nonce: 'x' })), []],
        [
          '/home',
          bearer(await good({ sub: 'mallory', ext: { email: 'mallory@evil.test' }, aud: ['https://api.test/'] })),
          [],
        ],
        ['/public/x', bearer(token), []],
      ];
      for (const [path, headers, user] of cases) {
        const { header } = await seen(path, headers);
        expect([path, headers.at(-1)?.[1].slice(0, 9), header('x-user-id'), header('x-user-email')]).toEqual([
          path,
          headers.at(-1)?.[1].slice(0, 9),
          user,
          [],
        ]);
      }
    });

    it('an identity that is no plain text arrives encoded, once', async () => {
      const token = await good({ sub: 'ada\r\nX-User-Id: root', ext: { email: 'Zoë@app.test' } });
      const { header } = await seen('/api/x', bearer(token));
      expect([header('x-user-id'), header('x-user-email')]).toEqual([
        ['ada%0D%0AX-User-Id:%20root'],
        ['Zo%C3%AB@app.test'],
      ]);
    });

    it('what a client says of Envoy’s findings is not heard', async () => {
      const forged: Lines = [
        ['ory-jwt-failure', '0'],
        ['x-envoy-jwt', 'ok'],
        ['envoy.filters.http.rbac', 'allowed'],
        ['ory_shadow_engine_result', 'allowed'],
        ['ory-token-shadow-engine-result', 'allowed'],
        ['x-jwt-payload', 'e30'],
      ];
      const answer = await send(attacked.edges[transport].url, protocol, { path: '/api/x', headers: forged });
      expect([answer.status, answer.json()['reason']]).toEqual([401, 'credential_missing']);
    });
  });
});

/** The same bytes in another spelling: the bits of the last character that mean nothing. */
function malleable(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return `${token.slice(0, -1)}${alphabet[alphabet.indexOf(token.at(-1) ?? '') | 1]}`;
}
