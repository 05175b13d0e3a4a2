// The contract of OAuth2: discovery, keys, access tokens, introspection.
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { beforeAll, expect, test, vi } from 'vitest';
import { createClient } from './client.ts';
import { at, basic } from './http.ts';
import type { ContractPart, OAuth2Client } from './ory.ts';

const audience = 'https://api.example.com';

export const describeTokens: ContractPart = (ory) => {
  let client: OAuth2Client;

  beforeAll(async () => {
    client = await createClient(ory().hydra.adminUrl, { audience: [audience, 'https://b'], scope: 'read write' });
  });

  const keys = async (): Promise<JSONWebKeySet> =>
    (await fetch(`${ory().hydra.publicUrl}/.well-known/jwks.json`)).json() as Promise<JSONWebKeySet>;

  async function ask(
    form: Record<string, string> | [string, string][],
    authorization: string | undefined = basic(client),
  ) {
    const response = await fetch(`${ory().hydra.publicUrl}/oauth2/token`, {
      method: 'POST',
      headers: authorization === '' ? {} : { authorization },
      body: new URLSearchParams(form),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as unknown };
  }

  async function introspect(form: Record<string, string>) {
    const url = `${ory().hydra.adminUrl}/admin/oauth2/introspect`;
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
    return { status: response.status, body: (await response.json()) as unknown };
  }

  test('discovery names the issuer byte for byte, the keys and the token endpoint', async () => {
    const { issuer, publicUrl } = ory().hydra;
    const response = await fetch(`${publicUrl}/.well-known/openid-configuration`);
    expect(response.status).toBe(200);
    const body: unknown = await response.json();
    expect(body).toMatchObject({
      issuer,
      jwks_uri: `${publicUrl}/.well-known/jwks.json`,
      token_endpoint: `${publicUrl}/oauth2/token`,
    });
    expect(at(body, 'grant_types_supported')).toContain('client_credentials');
  });

  test('the JWKS holds public RS256 signing keys of distinct kid, and may not be stored', async () => {
    const response = await fetch(`${ory().hydra.publicUrl}/.well-known/jwks.json`);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(response.headers.get('cache-control')).toContain('no-store');
    const set = (await response.json()) as JSONWebKeySet;
    expect(set.keys.length).toBeGreaterThanOrEqual(2);
    for (const key of set.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      expect(key).toMatchObject({ use: 'sig', kty: 'RSA', alg: 'RS256', kid: expect.stringMatching(/./) });
    }
    expect(new Set(set.keys.map((key) => key.kid)).size).toBe(set.keys.length);
  });

  test('a JWT access token has exactly these claims and this header', async () => {
    const before = Math.floor(Date.now() / 1000);
    const { status, headers, body } = await ask({ grant_type: 'client_credentials', audience, scope: 'read write' });
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(body).toMatchObject({ token_type: 'bearer', scope: 'read write', expires_in: expect.any(Number) });
    const token = String(at(body, 'access_token'));
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'RS256', kid: expect.any(String), typ: 'JWT' });
    const claims = decodeJwt(token);
    expect(claims).toEqual({
      iss: ory().hydra.issuer,
      sub: client.id,
      client_id: client.id,
      aud: [audience],
      exp: expect.any(Number),
      iat: expect.any(Number),
      nbf: claims.iat,
      jti: expect.stringMatching(/./),
      scp: ['read', 'write'],
      ext: {},
    });
    expect(claims.iat).toBeGreaterThanOrEqual(before - 1);
    expect(Number(claims.exp) - Number(claims.iat)).toBeGreaterThanOrEqual(3_599);
    await jwtVerify(token, createLocalJWKSet(await keys()));
  });

  test('a token without audience and scope has empty ones', async () => {
    const { body } = await ask({ grant_type: 'client_credentials' });
    expect(decodeJwt(String(at(body, 'access_token')))).toMatchObject({ aud: [], scp: [] });
    expect(at(body, 'scope')).toBe('');
  });

  test('several audiences come as several parameters or separated by spaces', async () => {
    const both = [audience, 'https://b'];
    const first = await ask([
      ['grant_type', 'client_credentials'],
      ...both.map((value): [string, string] => ['audience', value]),
    ]);
    const second = await ask({ grant_type: 'client_credentials', audience: both.join(' ') });
    for (const { body } of [first, second]) expect(decodeJwt(String(at(body, 'access_token'))).aud).toEqual(both);
  });

  test('an audience below an allowed one is allowed', async () => {
    const { body } = await ask({ grant_type: 'client_credentials', audience: `${audience}/orders` });
    expect(decodeJwt(String(at(body, 'access_token'))).aud).toEqual([`${audience}/orders`]);
  });

  test('every token has a jti of its own', async () => {
    const tokens = [await ory().accessToken(), await ory().accessToken()];
    expect(new Set(tokens.map((token) => decodeJwt(token).jti)).size).toBe(2);
  });

  test('the lifespan of a token is its client’s', async () => {
    const { iat = 0, exp = 0 } = decodeJwt(await ory().accessToken({ lifespanSeconds: 90 }));
    expect(exp - iat).toBeGreaterThanOrEqual(89);
    expect(exp - iat).toBeLessThanOrEqual(91);
  });

  test.each<[string, Record<string, string>, number, string]>([
    [
      'a foreign audience',
      { grant_type: 'client_credentials', audience: 'https://evil.example' },
      400,
      'invalid_request',
    ],
    [
      'an audience that only begins like an allowed one',
      { grant_type: 'client_credentials', audience: `${audience}.evil` },
      400,
      'invalid_request',
    ],
    ['a foreign scope', { grant_type: 'client_credentials', scope: 'read admin' }, 400, 'invalid_scope'],
    ['a grant that it does not know', { grant_type: 'nonsense' }, 400, 'invalid_request'],
    ['no grant', { scope: 'read' }, 400, 'invalid_request'],
    ['nothing', {}, 400, 'invalid_request'],
  ])('refuses %s', async (_, form, status, error) => {
    const answer = await ask(form);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toMatchObject({ error, error_description: expect.any(String) });
    expect(at(answer.body, 'access_token')).toBeUndefined();
  });

  test('refuses a wrong secret and an unknown client alike', async () => {
    for (const wrong of [
      { ...client, secret: 'wrong' },
      { ...client, id: 'nobody' },
    ]) {
      const { status, body } = await ask({ grant_type: 'client_credentials' }, basic(wrong));
      expect(status).toBe(401);
      expect(at(body, 'error')).toBe('invalid_client');
    }
  });

  test('refuses a request without a client, and a secret in the body where the client uses Basic', async () => {
    expect(await ask({ grant_type: 'client_credentials' }, '')).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
    const inBody = { grant_type: 'client_credentials', client_id: client.id, client_secret: client.secret };
    expect(await ask(inBody, '')).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  });

  test('introspection says what an active token stands for, JWT and opaque', async () => {
    for (const strategy of ['jwt', 'opaque'] as const) {
      const token = await ory().accessToken({ strategy, audience: [audience], scope: 'read' });
      expect(/^ory_at_/.test(token)).toBe(strategy === 'opaque');
      const { status, body } = await introspect({ token });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        active: true,
        client_id: expect.any(String),
        sub: at(body, 'client_id'),
        scope: 'read',
        aud: [audience],
        iss: ory().hydra.issuer,
        exp: expect.any(Number),
        iat: expect.any(Number),
        nbf: at(body, 'iat'),
        token_type: 'Bearer',
        token_use: 'access_token',
      });
      expect((await introspect({ token, scope: 'write' })).body).toEqual({ active: false });
    }
  });

  test('introspection of anything else is 200 and inactive', async () => {
    const foreign = await ory().sign({ sub: 'nobody', exp: Math.floor(Date.now() / 1000) + 60 });
    for (const form of [{ token: 'garbage' }, { token: '' }, { other: 'x' }, { token: foreign }]) {
      expect(await introspect(form)).toEqual({ status: 200, body: { active: false } });
    }
  });

  test('introspection of an expired token is inactive', async () => {
    const token = await ory().accessToken({ lifespanSeconds: 1, strategy: 'opaque' });
    const inactive = async () => at((await introspect({ token })).body, 'active') === false;
    await vi.waitUntil(inactive, { timeout: 10_000, interval: 200 });
  });

  test('a test token is signed with a published key and holds exactly what was asked for', async () => {
    const token = await ory().sign({ sub: 'x', exp: 1 }, { typ: undefined, extra: 'y' });
    const header = decodeProtectedHeader(token);
    expect(header).toEqual({ alg: 'RS256', kid: expect.any(String), extra: 'y' });
    expect(decodeJwt(token)).toEqual({ sub: 'x', exp: 1 });
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(await keys()), { currentDate: new Date(0) });
    expect(protectedHeader.kid).toBe(header.kid);
  });

  test('a rotation puts a new key before the old ones, keeps them, and signs with it', async () => {
    const old = await ory().accessToken();
    const oldKid = decodeProtectedHeader(old).kid;
    await ory().rotateKey();
    const renewed = await ory().accessToken();
    const newKid = decodeProtectedHeader(renewed).kid;
    expect(newKid).not.toBe(oldKid);
    const set = await keys();
    const kids = set.keys.map((key) => key.kid);
    expect(kids).toContain(oldKid);
    expect(kids.indexOf(newKid)).toBeLessThan(kids.indexOf(oldKid));
    for (const token of [old, renewed]) await jwtVerify(token, createLocalJWKSet(set));
  });
};
