// Access tokens, right and wrong: claims, kinds and times. Signatures and headers are attacked in jws.test.ts.
import { beforeAll, describe, expect, test } from 'vitest';
import { encode, hydraClaims, IssuerRig, type Key, makeKey, sign } from '../testing/issuer.ts';

let key: Key;
beforeAll(async () => {
  key = await makeKey('ES256', 'k1');
});

function rig() {
  const issuer = new IssuerRig([key.jwk]);
  const claims = hydraClaims(issuer.clock);
  return {
    issuer,
    claims,
    judge: async (changed: Record<string, unknown>, skew?: number) =>
      issuer.judge(await sign(key, { ...claims, ...changed }), skew),
  };
}

describe('an access token of Hydra', () => {
  test('becomes an identity with its claims, audiences, end and key', async () => {
    const { issuer, claims } = rig();
    const token = await sign(key, claims);
    expect(await issuer.verifier().verify({ kind: 'access_token', value: token })).toEqual({
      kind: 'verified',
      identity: {
        kind: 'token',
        claims,
        audiences: ['https://api.example'],
        expiresAtMs: issuer.clock.now + 3_600_000,
        proof: 'key',
        key: { kid: 'k1', material: expect.any(String) },
      },
      cacheForMs: undefined,
      setCookie: [],
    });
  });

  test.each([
    ['PS256'],
    ['PS384'],
    ['PS512'],
    ['RS256'],
    ['RS384'],
    ['RS512'],
    ['ES256'],
    ['ES384'],
    ['ES512'],
    ['EdDSA'],
    ['Ed25519'],
  ])('signed with %s is verified', async (alg) => {
    const own = await makeKey(alg, 'k');
    const issuer = new IssuerRig([own.jwk]);
    expect(await issuer.judge(await sign(own, hydraClaims(issuer.clock)))).toBe('verified');
  });

  test.each([
    ['list', ['a', 'b'], ['a', 'b']],
    ['text', 'a', ['a']],
    ['empty list', [], []],
    ['nothing', undefined, []],
    ['empty text', '', ['']],
  ])('with a %s as aud has these audiences', async (_, aud, audiences) => {
    const { issuer, claims } = rig();
    const verification = await issuer
      .verifier()
      .verify({ kind: 'access_token', value: await sign(key, { ...claims, aud }) });
    expect(verification).toMatchObject({ identity: { audiences } });
  });

  test('keeps what its ext says out of its claims', async () => {
    const { issuer, claims } = rig();
    const ext = { sub: 'admin', iss: 'x', aud: 'y', exp: 1 };
    expect(
      await issuer.verifier().verify({ kind: 'access_token', value: await sign(key, { ...claims, ext }) }),
    ).toMatchObject({ identity: { claims: { sub: 'user', ext } } });
  });
});

describe('claims', () => {
  test.each([
    ['no exp', { exp: undefined }, 'token_malformed'],
    ['exp as text', { exp: '1900000000' }, 'token_malformed'],
    ['exp null', { exp: null }, 'token_malformed'],
    ['exp beyond time', { exp: 1e12 }, 'token_malformed'],
    ['exp zero', { exp: 0 }, 'token_expired'],
    ['exp negative', { exp: -1 }, 'token_expired'],
    ['nbf as text', { nbf: '0' }, 'token_malformed'],
    ['iat as a list', { iat: [1] }, 'token_malformed'],
    ['iss of another', { iss: 'https://evil.example/' }, 'token_issuer_mismatch'],
    ['iss without its slash', { iss: 'https://issuer.example' }, 'token_issuer_mismatch'],
    ['iss in another case', { iss: 'https://Issuer.example/' }, 'token_issuer_mismatch'],
    ['iss missing', { iss: undefined }, 'token_issuer_mismatch'],
    ['iss as a list', { iss: ['https://issuer.example/'] }, 'token_malformed'],
    ['sub as a number', { sub: 1 }, 'token_malformed'],
    ['aud as a number', { aud: 1 }, 'token_malformed'],
    ['aud as a map', { aud: { a: 1 } }, 'token_malformed'],
    ['aud with a number', { aud: ['https://api.example', 1] }, 'token_malformed'],
    ['aud null', { aud: null }, 'token_malformed'],
    ['client_id as a list', { client_id: ['c'] }, 'token_malformed'],
    ['an ID token', { client_id: undefined, scp: undefined, aud: 'client', at_hash: 'x' }, 'token_kind_wrong'],
    ['an ID token that says a client', { at_hash: 'x' }, 'token_kind_wrong'],
    ['a nonce', { nonce: 'x' }, 'token_kind_wrong'],
    ['a logout token', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }, 'token_kind_wrong'],
    ['no client', { client_id: undefined }, 'token_kind_wrong'],
    ['an empty client', { client_id: '' }, 'token_kind_wrong'],
  ])('%s: %s', async (_, changed, reason) => {
    expect(await rig().judge(changed)).toBe(reason);
  });

  test.each([
    ['an array', '[]'],
    ['null', 'null'],
    ['text', '"x"'],
    ['no JSON', '{'],
    ['a byte order mark', '\ufeff{}'],
  ])('%s as payload is malformed', async (_, payload) => {
    expect(await rig().issuer.judge(await sign(key, payload))).toBe('token_malformed');
  });
});

describe('time', () => {
  test.each([
    [60_000, 'exp', 59.999, 'verified'],
    [60_000, 'exp', 60, 'token_expired'],
    [0, 'exp', -0.001, 'verified'],
    [0, 'exp', 0, 'token_expired'],
    [60_000, 'nbf', -60, 'verified'],
    [60_000, 'nbf', -60.001, 'token_not_yet_valid'],
    [0, 'nbf', 0, 'verified'],
    [0, 'nbf', -0.001, 'token_not_yet_valid'],
    // jose counts whole seconds: with a skew of half a second it is the stricter one, with the same reason.
    [500, 'nbf', -0.4, 'token_not_yet_valid'],
  ])('with a skew of %d ms, %s and %d s after it: %s', async (skew, claim, seconds, result) => {
    const { issuer, claims } = rig();
    const moment = 1_800_000_100;
    const token = await sign(key, { ...claims, exp: moment + 1_000, nbf: undefined, [claim]: moment });
    issuer.clock.now = moment * 1_000 + seconds * 1_000;
    expect(await issuer.judge(token, skew)).toBe(result);
  });
});

describe('what is no JWT access token', () => {
  test.each([
    'ory_at_x',
    'ory_rt_x',
    'ory_at_a.b.c',
    'ory_rt_a.b.c',
    'opaque',
    'a.b',
    'a.b.c.d',
    'a.b.c.d.e',
    '....',
    '.',
  ])('%s is of the wrong kind, and nobody is asked', async (token) => {
    const { issuer } = rig();
    expect(await issuer.judge(token)).toBe('token_kind_wrong');
    expect(issuer.asked).toEqual([]);
  });

  test('a JWE is of the wrong kind', async () => {
    const { issuer } = rig();
    expect(await issuer.judge(`${encode({ alg: 'RSA-OAEP', enc: 'A256GCM', zip: 'DEF', kid: 'k1' })}.a.b.c.d`)).toBe(
      'token_kind_wrong',
    );
  });
});
