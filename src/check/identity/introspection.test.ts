// What each answer of Hydra to an introspection leads to, with a client that is a stub.
import { describe, expect, test } from 'vitest';
import { ThrottledLog } from '../log.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import { TurnedClock } from '../testing/turned-clock.ts';
import { IdentityCache } from './cache/memory.ts';
import { createIntrospectionVerifier } from './introspection.ts';
import type { NoAnswer, OryAnswer } from './ory-client.ts';

const clock = new TurnedClock();
const NOW = clock.now / 1_000;
const URL = 'http://hydra/admin/oauth2/introspect';
/** As Hydra writes it. */
const ACTIVE = {
  active: true,
  scope: 'read write',
  client_id: 'client',
  sub: 'user',
  exp: NOW + 3_600,
  iat: NOW,
  nbf: NOW,
  aud: ['https://api.example'],
  iss: 'https://issuer.example/',
  token_type: 'Bearer',
  token_use: 'access_token',
  ext: { email: 'a@b.c', sub: 'admin', aud: 'x' },
};

function answer(status: number, body: unknown, headers: Record<string, string[]> = {}): OryAnswer {
  return {
    kind: 'answer',
    status,
    header: (name) => headers[name] ?? [],
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

interface Rig {
  readonly apiKey?: string;
  readonly clockSkewMs?: number;
  readonly own?: TurnedClock;
}

function rig(given: () => OryAnswer | NoAnswer, { apiKey, clockSkewMs = 60_000, own = clock }: Rig = {}) {
  const log = new RecordingLog();
  const asked: unknown[] = [];
  const verifier = createIntrospectionVerifier({
    url: URL,
    apiKey,
    issuer: 'https://issuer.example/',
    clockSkewMs,
    client: {
      ask: async (...question) => {
        asked.push(question);
        return given();
      },
    },
    clock: own.read,
    log: new ThrottledLog(log, own.read),
  });
  return { log, asked, verifier, verify: (value = 'canary-token') => verifier.verify({ kind: 'access_token', value }) };
}

async function verify(given: OryAnswer | NoAnswer, options: Rig = {}) {
  const { verify: ask, log } = rig(() => given, options);
  const verification = await ask();
  expect(log.text).not.toMatch(/canary/);
  return { verification, log };
}

async function reason(changed: Record<string, unknown>, options: Rig = {}): Promise<string> {
  const { verification } = await verify(answer(200, { ...ACTIVE, ...changed }), options);
  return verification.kind === 'verified' ? 'verified' : verification.reason;
}

describe('a yes', () => {
  test('is an active access token, with Hydra’s answer as its claims', async () => {
    const { verification } = await verify(answer(200, ACTIVE));
    expect(verification).toEqual({
      kind: 'verified',
      identity: {
        kind: 'token',
        proof: 'introspection',
        claims: ACTIVE,
        audiences: ['https://api.example'],
        expiresAtMs: clock.now + 3_600_000,
      },
      cacheForMs: undefined,
      setCookie: [],
    });
  });

  test.each([
    ['list', ['a', 'b'], ['a', 'b']],
    ['text', 'a', ['a']],
    ['nothing', undefined, []],
  ])('with a %s as aud has these audiences', async (_, aud, audiences) => {
    const { verification } = await verify(answer(200, { ...ACTIVE, aud }));
    expect(verification).toMatchObject({ identity: { audiences } });
  });

  test('may be without the members that RFC 7662 makes optional', async () => {
    const { verification } = await verify(answer(200, { active: true, token_use: 'access_token' }));
    expect(verification).toMatchObject({ kind: 'verified', identity: { audiences: [], expiresAtMs: undefined } });
  });
});

describe('what Hydra calls active and is no access token of this issuer', () => {
  test.each([
    ['a refresh token', { token_use: 'refresh_token' }, 'token_kind_wrong'],
    ['no token_use', { token_use: undefined }, 'token_kind_wrong'],
    ['token_use in another case', { token_use: 'Access_Token' }, 'token_kind_wrong'],
    ['token_use as a list', { token_use: ['access_token'] }, 'token_kind_wrong'],
    ['another issuer', { iss: 'https://evil.example/' }, 'token_issuer_mismatch'],
    ['an issuer without its slash', { iss: 'https://issuer.example' }, 'token_issuer_mismatch'],
    ['no issuer', { iss: undefined }, 'verified'],
    ['iss as a list', { iss: ['https://issuer.example/'] }, 'token_malformed'],
    ['sub as a number', { sub: 1 }, 'token_malformed'],
    ['sub null', { sub: null }, 'token_malformed'],
    ['client_id as a map', { client_id: {} }, 'token_malformed'],
    ['aud as a number', { aud: 1 }, 'token_malformed'],
    ['aud with a number', { aud: ['https://api.example', 1] }, 'token_malformed'],
    ['aud null', { aud: null }, 'token_malformed'],
    ['exp as text', { exp: '1900000000' }, 'token_malformed'],
    ['exp null', { exp: null }, 'token_malformed'],
    ['exp beyond time', { exp: 1e12 }, 'token_malformed'],
    ['nbf as text', { nbf: '0' }, 'token_malformed'],
    ['iat as a list', { iat: [1] }, 'token_malformed'],
    ['exp zero', { exp: 0 }, 'token_expired'],
  ])('%s: %s', async (_, changed, expected) => expect(await reason(changed)).toBe(expected));
});

describe('time', () => {
  test.each([
    [60_000, { exp: NOW - 59.999 }, 'verified'],
    [60_000, { exp: NOW - 60 }, 'token_expired'],
    [0, { exp: NOW + 0.001 }, 'verified'],
    [0, { exp: NOW }, 'token_expired'],
    [60_000, { nbf: NOW + 60 }, 'verified'],
    [60_000, { nbf: NOW + 60.001 }, 'token_not_yet_valid'],
    [0, { nbf: NOW }, 'verified'],
    [0, { nbf: NOW + 0.001 }, 'token_not_yet_valid'],
  ])('with a skew of %d ms, %j: %s', async (clockSkewMs, changed, expected) => {
    expect(await reason(changed, { clockSkewMs })).toBe(expected);
  });
});

describe('a no', () => {
  test('of Hydra’s own may be remembered', async () => {
    expect((await verify(answer(200, { active: false }))).verification).toEqual({
      kind: 'rejected',
      reason: 'token_inactive',
      ory: true,
    });
    expect((await verify(answer(200, { ...ACTIVE, token_use: 'refresh_token' }))).verification).toMatchObject({
      reason: 'token_kind_wrong',
      ory: true,
    });
  });

  test('whatever else stands beside it', async () => {
    expect(await reason({ active: false })).toBe('token_inactive');
  });

  test.each([{ exp: 1 }, { nbf: NOW + 90 }, { sub: 1 }, { iss: 'x' }])('of ours (%j) is not', async (changed) => {
    expect((await verify(answer(200, { ...ACTIVE, ...changed }))).verification).toMatchObject({ ory: false });
  });
});

describe('an outage', () => {
  test.each<[string, OryAnswer | NoAnswer, object]>([
    ['500', answer(500, ACTIVE), { reason: 'ory_error' }],
    ['404, as Hydra’s public port says', answer(404, ''), { reason: 'ory_error' }],
    ['400', answer(400, { error: 'invalid_request' }), { reason: 'ory_error' }],
    ['a redirect', answer(302, ACTIVE), { reason: 'ory_error' }],
    ['201', answer(201, ACTIVE), { reason: 'ory_error' }],
    ['204', answer(204, ''), { reason: 'ory_error' }],
    ['200 with a page', answer(200, '<html>'), { reason: 'ory_error' }],
    ['200 with nothing', answer(200, ''), { reason: 'ory_error' }],
    ['200 with a list', answer(200, [ACTIVE]), { reason: 'ory_error' }],
    ['200 without active', answer(200, { ...ACTIVE, active: undefined }), { reason: 'ory_error' }],
    ['200 with active as text', answer(200, { ...ACTIVE, active: 'true' }), { reason: 'ory_error' }],
    ['200 with active as a number', answer(200, { ...ACTIVE, active: 1 }), { reason: 'ory_error' }],
    ['401', answer(401, ACTIVE), { reason: 'ory_error' }],
    ['403', answer(403, ACTIVE), { reason: 'ory_error' }],
    ['429', answer(429, ACTIVE), { reason: 'ory_rate_limited', retryAfterSeconds: undefined }],
    ['429 with Retry-After', answer(429, '', { 'retry-after': ['7'] }), { retryAfterSeconds: 7 }],
    ['429 with x-ratelimit-reset', answer(429, '', { 'x-ratelimit-reset': ['9'] }), { retryAfterSeconds: 9 }],
    ['no answer', { kind: 'none', cause: 'ECONNREFUSED' }, { reason: 'ory_unreachable' }],
  ])('%s is no verdict, and a line in the log with the endpoint', async (_, given, expected) => {
    const { verification, log } = await verify(given);
    expect(verification).toMatchObject({ kind: 'unavailable', ...expected });
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { endpoint: URL } }]);
  });

  test.each([
    [401, undefined, /asks for an API key \(ory\.api_key\)/],
    [403, 'canary-key', /does not take the API key \(ory\.api_key\)/],
  ])('%d says in the log that it is about the key, and never the key', async (status, apiKey, words) => {
    const { log } = await verify(answer(status, { error: { message: 'canary-key' } }), apiKey ? { apiKey } : {});
    expect(log.lines).toMatchObject([{ message: expect.stringMatching(words), fields: { cause: `status ${status}` } }]);
  });
});

test('a refused key is said at once, whatever else went wrong a moment ago', async () => {
  const answers = [answer(500, ''), answer(401, '')];
  const { verify: ask, log } = rig(() => answers.shift() ?? answer(401, ''));
  for (let i = 0; i < 3; i++) await ask();
  expect(log.lines.map(({ message }) => message)).toEqual([
    'Hydra gave no usable answer',
    expect.stringContaining('ory.api_key'),
  ]);
});

describe('through the cache', () => {
  function cached(first: () => OryAnswer | NoAnswer, staleIfErrorMs = 0) {
    const own = new TurnedClock();
    const script = { answer: first };
    const { asked, verifier } = rig(() => script.answer(), { own });
    const cache = new IdentityCache({
      ttlMs: 60_000,
      negativeTtlMs: 5_000,
      staleIfErrorMs,
      maxEntries: 100,
      clock: own.read,
    });
    const ask = async (value = 't') => {
      const verification = await cache.verify({ kind: 'access_token', value }, verifier);
      return verification.kind === 'verified' ? 'verified' : verification.reason;
    };
    return { own, script, asked, ask };
  }
  const down: NoAnswer = { kind: 'none', cause: 'ECONNREFUSED' };

  test.each([
    ['cache.ttl', NOW + 3_600, 60_000],
    ['exp, where that is sooner', NOW + 10, 10_000],
    ['cache.ttl, where Hydra says no exp', undefined, 60_000],
  ])('a yes is used until %s', async (_, exp, lifeMs) => {
    const { own, asked, ask } = cached(() => answer(200, { ...ACTIVE, exp }));
    expect(await ask()).toBe('verified');
    own.now += lifeMs - 1;
    expect([await ask(), asked.length]).toEqual(['verified', 1]);
    own.now += 1;
    await ask();
    expect(asked).toHaveLength(2);
  });

  test('within the clock skew after its exp a token is used, and never remembered', async () => {
    const { own, asked, ask } = cached(() => answer(200, { ...ACTIVE, exp: NOW + 10 }));
    await ask();
    own.now += 10_000;
    expect([await ask(), await ask(), asked.length]).toEqual(['verified', 'verified', 3]);
    own.now += 60_000;
    expect(await ask()).toBe('token_expired');
  });

  test.each([
    ['inactive', { active: false }, 'token_inactive'],
    ['a refresh token', { ...ACTIVE, token_use: 'refresh_token' }, 'token_kind_wrong'],
  ])('%s is remembered for negative_ttl', async (_, body, expected) => {
    const { own, asked, ask } = cached(() => answer(200, body));
    for (const step of [0, 4_999]) {
      own.now += step;
      expect(await ask()).toBe(expected);
    }
    expect(asked).toHaveLength(1);
    own.now += 1;
    await ask();
    expect(asked).toHaveLength(2);
  });

  test('an outage is not remembered, and a revoked token is gone with Hydra’s next word', async () => {
    const { own, script, ask } = cached(() => down);
    expect(await ask()).toBe('ory_unreachable');
    script.answer = () => answer(200, ACTIVE);
    expect(await ask()).toBe('verified');
    script.answer = () => answer(200, { active: false });
    own.now += 60_000;
    expect(await ask()).toBe('token_inactive');
  });

  test('with stale_if_error a known token goes on through an outage, never past its exp', async () => {
    const { own, script, ask } = cached(() => answer(200, { ...ACTIVE, exp: NOW + 90 }), 300_000);
    await ask();
    for (const outage of [down, answer(500, ''), answer(401, ''), answer(429, '')]) {
      script.answer = () => outage;
      own.now += 20_000;
      expect(await ask()).toBe('verified');
    }
    own.now += 10_000;
    expect(await ask()).toBe('ory_rate_limited');
    expect(await ask('unknown')).toBe('ory_rate_limited');
  });

  test('any number of concurrent checks of one token ask once', async () => {
    const { asked, ask } = cached(() => answer(200, ACTIVE));
    expect(new Set(await Promise.all(Array.from({ length: 500 }, () => ask())))).toEqual(new Set(['verified']));
    expect(asked).toHaveLength(1);
  });
});
