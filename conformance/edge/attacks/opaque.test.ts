// Opaque tokens, of which only Hydra knows what they are: what it is asked, and which of its answers are a yes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../until.ts';
import { startEdges, WAYS } from '../rig/transports.ts';
import { attack } from './classes.ts';
import { type Attacked, fileFor, outcome } from './rig.ts';
import { claimsOf, json, type ScriptedOry, sign, startScriptedOry } from './scripted-ory.ts';

const INTROSPECT = '/admin/oauth2/introspect';
let attacked: Attacked;
let ory: ScriptedOry;
let made = 0;

beforeAll(async () => {
  ory = await startScriptedOry();
  const file = fileFor(ory);
  const edges = await startEdges(() => ({
    ...file,
    ory: { ...(file['ory'] as object), hydra: { public_url: ory.url, admin_url: ory.url, issuer: ory.issuer } },
    cache: { ttl: '60s', negative_ttl: '0s' },
  }));
  attacked = { ory, edges, close: async () => void (await Promise.all([edges.close(), ory.close()])) };
});

afterAll(() => attacked?.close());

/** What Hydra says of a good one. */
const active = (change: Record<string, unknown> = {}) => ({
  ...claimsOf(ory),
  active: true,
  token_use: 'access_token',
  token_type: 'Bearer',
  scope: 'read admin',
  scp: undefined,
  ...change,
});

describe(attack('introspection'), () => {
  describe.each(WAYS)('over $protocol, checks over $transport', ({ protocol, transport }) => {
    const ask = (token: string, path = '/api/x') =>
      outcome(attacked.edges[transport], protocol, path, [['Authorization', `Bearer ${token}`]]);
    const fresh = () => `ory_at_${protocol === 'HTTP/2' ? 2 : 1}${transport}${made++}`;

    it('a good one is taken, so that the rest means something', async () => {
      const token = fresh();
      ory.opaque.set(token, active());
      expect(await ask(token)).toBe('200 ada /api/x');
      expect(await ask(token, '/scoped/x')).toBe('200 ada /scoped/x');
      expect(await ask(token, '/other/x')).toBe('401 token_audience_mismatch');
      expect(await ask(token, '/claimed/x')).toBe('403 claim_mismatch');
    });

    it.each([
      ['a plus', 'a+b'],
      ['an equals sign', 'a=b=='],
      ['another parameter', 'a=token=good'],
      ['slashes and a tilde', '_/a/b~c'],
      ['an escape that is none', 'a-2Bb'],
    ])('the token is one value of the form, and the only one: %s', async (_, value) => {
      const token = `${value}-${fresh()}`;
      const since = ory.asked.length;
      ory.opaque.set(token, active());
      expect(await ask(token)).toBe('200 ada /api/x');
      const [asked] = ory.askedFor(INTROSPECT, since);
      expect([...new URLSearchParams(asked?.body)]).toEqual([['token', token]]);
      expect(asked?.headers.filter(([name]) => /^(?:cookie|authorization|x-)/.test(name))).toEqual([]);
    });

    it('what could be a second parameter is malformed, and nobody is asked', async () => {
      const since = ory.asked.length;
      for (const token of ['a&token=b', 'a%26token=b', 'a;b', 'a"b', 'a b', 'a\\b'])
        expect(await ask(token)).toBe('401 credential_malformed');
      expect(ory.askedFor(INTROSPECT, since)).toEqual([]);
    });

    const KIND = '401 token_kind_wrong';
    it.each<[string, unknown, string]>([
      ['not active', { active: false }, '401 token_inactive'],
      ['a refresh token', { token_use: 'refresh_token' }, KIND],
      ['an ID token', { token_use: 'id_token' }, KIND],
      ['no kind', { token_use: undefined }, KIND],
      ['a kind in other case', { token_use: 'ACCESS_TOKEN' }, KIND],
      ['a list of kinds', { token_use: ['access_token'] }, KIND],
      ['another issuer', { iss: 'https://evil.test/' }, '401 token_issuer_mismatch'],
      ['an issuer with a slash less', { iss: 'x' }, '401 token_issuer_mismatch'],
      ['an end in the past', { exp: 1_000_000_000 }, '401 token_expired'],
      ['an end that is a text', { exp: '9999999999' }, '401 token_malformed'],
      ['a start to come', { nbf: 9_000_000_000 }, '401 token_not_yet_valid'],
      ['another audience', { aud: ['https://other.test'] }, '401 token_audience_mismatch'],
      ['an audience that is an object', { aud: {} }, '401 token_malformed'],
      ['a subject that is a number', { sub: 7 }, '401 token_malformed'],
      ['active as a text', { active: 'true' }, '503 ory_error'],
      ['active as a number', { active: 1 }, '503 ory_error'],
      ['active as null', { active: null }, '503 ory_error'],
    ])('only an active access token for here is a yes: %s', async (_, change, expected) => {
      const token = fresh();
      ory.opaque.set(token, active(change as Record<string, unknown>));
      expect(await ask(token)).toBe(expected);
    });

    it.each([
      [401, { active: true }],
      [403, { active: true }],
      [404, {}],
      [500, {}],
      [302, {}],
      [204, {}],
      [200, []],
      [200, 'active'],
      [200, null],
    ])('an answer that is none is an outage, and is not remembered: %d %j', async (status, body) => {
      const token = fresh();
      ory.opaque.set(token, active());
      ory.before = (request, response) => {
        if (request.url !== INTROSPECT) return false;
        json(response, status, body);
        return true;
      };
      try {
        expect(await ask(token)).toBe('503 ory_error');
      } finally {
        ory.before = undefined;
      }
      expect(await ask(token)).toBe('200 ada /api/x');
    });

    it('nobody but Hydra’s own tokens are asked about: no session, and no JWT, least of all a forged one', async () => {
      const since = ory.asked.length;
      const jwt = await sign(ory.rs256, claimsOf(ory, { jti: `${made++}` }));
      expect(await ask(jwt)).toBe('200 ada /api/x');
      const [head, body] = jwt.split('.');
      for (const token of [`${head}.${body}.AAAA`, `${head}.${body}.`, `${jwt}x`, 'a.b.c']) {
        ory.opaque.set(token, active({ sub: 'root' }));
        expect(await ask(token)).toMatch(/^401 token_/);
      }
      ory.opaque.set('ory_st_x', active({ sub: 'root' }));
      expect(await ask('ory_st_x')).toBe('401 credential_missing');
      expect(ory.askedFor(INTROSPECT, since)).toEqual([]);
    });

    it('a token is remembered no longer than it lives', async () => {
      const token = fresh();
      ory.opaque.set(token, active({ exp: Math.floor(Date.now() / 1_000) + 2 }));
      expect(await ask(token)).toBe('200 ada /api/x');
      ory.opaque.set(token, { active: false });
      await until('it has ended', async () => (await ask(token)) === '401 token_inactive', 5_000);
    });

    it('what Hydra says of a person is one header of printable ASCII', async () => {
      const token = fresh();
      ory.opaque.set(token, active({ sub: 'ada\r\nX-User-Id: root', ext: { '\n': 'Zoë' } }));
      expect(await ask(token)).toBe('200 ada%0D%0AX-User-Id:%20root /api/x');
    });
  });
});
