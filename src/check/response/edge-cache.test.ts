// What the edge cache may remember: every no, and over generated requests that a lifetime is only ever given for the very
// rule, place and credential.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { saidSeed } from '../../testing/seed.ts';
import type { Credential } from '../credential/credential.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { request } from '../testing/request.ts';
import type { Allow } from '../verdict.ts';
import { cacheForMs, type EdgeCacheBounds } from './edge-cache.ts';

const [rule] = parseConfig(
  'ory: { url: https://ory.example }\nedge: { upstream: "http://127.0.0.1:3000" }\n',
  'f.yaml',
  { env: {} },
).rules;
if (!rule) throw new Error('no rule');

const BOUNDS: EdgeCacheBounds = {
  edgeTtlMs: 30_000,
  sessionCookies: [
    { name: 'sid', prefix: false },
    { name: 'ory_session_', prefix: true },
  ],
};
const NOW = 1_000_000;

function allow(credential: Credential | undefined, untilMs = NOW + 60_000): Allow {
  return {
    kind: 'allow',
    reason: credential?.kind === 'access_token' ? 'token' : 'session',
    rule: rule as Allow['rule'],
    identity: { kind: 'session', session: {}, expiresAtMs: undefined },
    setCookie: [],
    remember: credential && { credential, untilMs },
  };
}

type Headers = Readonly<Record<'cookie' | 'sessionToken' | 'authorization', readonly string[]>>;

const COOKIE: Credential = { kind: 'session_cookie', value: 'sid=abc' };
const TOKEN: Credential = { kind: 'session_token', value: 'abc' };
const ACCESS: Credential = { kind: 'access_token', value: 'abc' };

/** What Envoy asks after it has looked for `key`. */
function given(key: string | undefined, headers: Partial<CheckRequest>, verdict: Allow, nowMs = NOW): number {
  return cacheForMs(verdict, request({ edgeKey: key, ...headers }), BOUNDS, nowMs);
}

describe('a lifetime', () => {
  test.each([
    ['a cookie', 'default csid=abc', { cookie: ['sid=abc'] }, COOKIE],
    ['a cookie among others', 'default csid=abc', { cookie: ['a=1; sid=abc; b=2'] }, COOKIE],
    ['X-Session-Token', 'default tabc', { sessionToken: ['abc'] }, TOKEN],
    ['a bearer that is a session', 'default aabc', { authorization: ['Bearer abc'] }, TOKEN],
    ['a bearer that is an access token', 'default aabc', { authorization: ['Bearer abc'] }, ACCESS],
    ['a cookie of another name beside it', 'default tabc', { sessionToken: ['abc'], cookie: ['a=1'] }, TOKEN],
  ] as const)('is given for %s', (_, key, headers, credential) => {
    expect(given(key, headers, allow(credential))).toBe(30_000);
  });

  test.each([
    ['nobody looked', undefined, { cookie: ['sid=abc'] }, COOKIE],
    ['it was looked for under another rule', 'other csid=abc', { cookie: ['sid=abc'] }, COOKIE],
    ['for the rule of another policy', 'default@p csid=abc', { cookie: ['sid=abc'] }, COOKIE],
    ['without a rule', ' csid=abc', { cookie: ['sid=abc'] }, COOKIE],
    ['in another place', 'default tsid=abc', { cookie: ['sid=abc'] }, COOKIE],
    ['for another credential', 'default csid=xyz', { cookie: ['sid=abc'] }, COOKIE],
    ['for the beginning of it', 'default csid=ab', { cookie: ['sid=abc'] }, COOKIE],
    ['for more than it', 'default csid=abcd', { cookie: ['sid=abc'] }, COOKIE],
    ['for nothing', 'default t', { sessionToken: ['abc'] }, TOKEN],
    ['twice', 'default tabc,default tabc', { sessionToken: ['abc'] }, TOKEN],
    [
      'an empty X-Session-Token stands beside the cookie',
      'default csid=abc',
      { cookie: ['sid=abc'], sessionToken: [''] },
      COOKIE,
    ],
    [
      'an empty Authorization stands beside it',
      'default csid=abc',
      { cookie: ['sid=abc'], authorization: [''] },
      COOKIE,
    ],
    ['a bearer stands beside it', 'default tabc', { sessionToken: ['abc'], authorization: ['Bearer abc'] }, TOKEN],
    ['another scheme stands beside it', 'default tabc', { sessionToken: ['abc'], authorization: ['Basic x'] }, TOKEN],
    ['a session cookie stands beside it', 'default tabc', { sessionToken: ['abc'], cookie: ['sid=x'] }, TOKEN],
    [
      'something like a session cookie stands beside it',
      'default tabc',
      { sessionToken: ['abc'], cookie: ['xsid'] },
      TOKEN,
    ],
    ['the header has two lines', 'default tabc', { sessionToken: ['abc', 'abc'] }, TOKEN],
    ['a proxy joined two lines', 'default tabc', { sessionToken: ['abc,abc'] }, TOKEN],
    ['blanks stand around it', 'default tabc', { sessionToken: [' abc'] }, TOKEN],
    ['the bearer has two lines', 'default aabc', { authorization: ['Bearer abc', 'Bearer abc'] }, ACCESS],
    ['the bearer is written otherwise', 'default aabc', { authorization: ['bearer abc'] }, ACCESS],
    ['two blanks stand before it', 'default aabc', { authorization: ['Bearer  abc'] }, ACCESS],
    ['the yes rests on a credential that is nowhere', 'default tabc', {}, TOKEN],
    [
      'the yes rests on a cookie, and a token was looked for',
      'default tsid=abc',
      { sessionToken: ['sid=abc'] },
      COOKIE,
    ],
    ['the yes rests on a token, and a cookie was looked for', 'default cabc', { cookie: ['sid=abc'] }, TOKEN],
    ['the yes rests on nothing', 'default csid=abc', { cookie: ['sid=abc'] }, undefined],
  ] as const)('is not given where %s', (_, key, headers, credential) => {
    expect(given(key, headers, allow(credential))).toBe(0);
  });

  test('is the least of edge_ttl and what is left of the identity, in whole milliseconds', () => {
    const left = (untilMs: number) => given('default tabc', { sessionToken: ['abc'] }, allow(TOKEN, untilMs));
    expect(left(NOW + 30_001)).toBe(30_000);
    expect(left(NOW + 29_999.9)).toBe(29_999);
    expect(left(NOW + 1)).toBe(1);
    expect(left(NOW + 0.5)).toBe(0);
    expect(left(NOW)).toBe(0);
    expect(left(NOW - 1)).toBe(0);
    expect(left(Number.NaN)).toBe(0);
    expect(left(Number.NEGATIVE_INFINITY)).toBe(0);
  });

  test('is of the policy that the route names', () => {
    const of = (key: string) => given(key, { sessionToken: ['abc'], policy: 'p1' }, allow(TOKEN));
    expect(of('default@p1 tabc')).toBe(30_000);
    expect(of('default tabc')).toBe(0);
    expect(of('default@p2 tabc')).toBe(0);
  });

  test('is none with edge_ttl 0', () => {
    const none = { ...BOUNDS, edgeTtlMs: 0 };
    expect(cacheForMs(allow(TOKEN), request({ edgeKey: 'default tabc', sessionToken: ['abc'] }), none, NOW)).toBe(0);
  });

  test('is only ever given for the very rule, place and credential, and never for longer than it holds', () => {
    const value = fc.constantFrom('abc', 'sid=abc', 'ory_session_x=abc', 'ab', '', 'abc,abc', 'Bearer abc');
    const line = fc.oneof(
      value,
      fc.tuple(value, value).map((both) => both.join('; ')),
      value.map((one) => `Bearer ${one}`),
    );
    const lines = fc.array(line, { maxLength: 2 });
    const place = fc.constantFrom('c', 't', 'a');
    const kind = fc.constantFrom<Credential['kind']>('session_cookie', 'session_token', 'access_token');
    /** A request that may be remembered as like as not, and what is changed in it. */
    const generated = fc
      .record({
        place,
        value,
        kind,
        change: fc.oneof(
          { weight: 1, arbitrary: fc.constant({}) },
          {
            weight: 4,
            arbitrary: fc.record(
              { cookie: lines, sessionToken: lines, authorization: lines, looked: fc.tuple(place, value) },
              { requiredKeys: [] },
            ),
          },
        ),
      })
      .map(({ place, value, kind, change }) => {
        const { looked = [place, value], ...lines }: Partial<Headers> & { looked?: [string, string] } = change;
        const headers: Headers = {
          cookie: place === 'c' ? [value] : [],
          sessionToken: place === 't' ? [value] : [],
          authorization: place === 'a' ? [`Bearer ${value}`] : [],
          ...lines,
        };
        return { headers: { ...headers, edgeKey: `default ${looked.join('')}` }, credential: { kind, value } };
      });
    let given = 0;
    fc.assert(
      fc.property(generated, fc.integer({ min: -10, max: 100_000 }), ({ headers, credential }, leftMs) => {
        const lifetime = cacheForMs(allow(credential, NOW + leftMs), request(headers), BOUNDS, NOW);
        if (lifetime === 0) return;
        given++;
        expect(lifetime).toBeGreaterThan(0);
        expect(lifetime).toBeLessThanOrEqual(Math.min(leftMs, BOUNDS.edgeTtlMs));
        const { cookie, sessionToken, authorization } = headers;
        const place = headers.edgeKey.slice('default '.length)[0];
        expect(headers.edgeKey).toBe(`default ${place}${credential.value}`);
        const couldBeCookie = cookie.some((one) => one.includes('sid') || one.includes('ory_session_'));
        expect([couldBeCookie, sessionToken.length > 0, authorization.length > 0]).toEqual([
          place === 'c',
          place === 't',
          place === 'a',
        ]);
        expect(credential.kind === 'session_cookie').toBe(place === 'c');
        if (place === 't') expect(sessionToken).toEqual([credential.value]);
        if (place === 'a') expect(authorization).toEqual([`Bearer ${credential.value}`]);
      }),
      { numRuns: 20_000 },
    );
    expect(given, saidSeed()).toBeGreaterThan(200);
  });
});
