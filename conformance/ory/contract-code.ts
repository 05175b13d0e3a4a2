// The contract of the authorization code with PKCE, and of what comes of it.
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { beforeAll, expect, test } from 'vitest';
import { at } from './http.ts';
import type { Authorized, ContractPart, OAuth2Client, Person } from './ory.ts';

const audience = 'https://api.example.com';

export const describeCode: ContractPart = (ory) => {
  let person: Person;
  let client: OAuth2Client;

  beforeAll(async () => {
    person = await ory().createPerson();
    client = await ory().createClient({ audience: [audience] });
  });

  const get = (path: string, init: RequestInit = {}) =>
    fetch(`${ory().hydra.publicUrl}${path}`, { redirect: 'manual', ...init });
  const keys = async () => createLocalJWKSet((await (await get('/.well-known/jwks.json')).json()) as JSONWebKeySet);
  const active = async (token: string) => at(await ory().introspect(token), 'active');

  const exchange = ({ callback, redirectUri, codeVerifier }: Authorized, changes: Record<string, string> = {}) =>
    ory().token(client, {
      grant_type: 'authorization_code',
      code: callback?.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: codeVerifier,
      ...changes,
    });

  test('discovery names what the code needs', async () => {
    const { publicUrl } = ory().hydra;
    const body: unknown = await (await get('/.well-known/openid-configuration')).json();
    expect(body).toMatchObject({
      authorization_endpoint: `${publicUrl}/oauth2/auth`,
      registration_endpoint: `${publicUrl}/oauth2/register`,
      revocation_endpoint: `${publicUrl}/oauth2/revoke`,
      userinfo_endpoint: `${publicUrl}/userinfo`,
      response_types_supported: expect.arrayContaining(['code']),
      grant_types_supported: expect.arrayContaining(['authorization_code', 'refresh_token', 'client_credentials']),
      code_challenge_methods_supported: expect.arrayContaining(['S256']),
      token_endpoint_auth_methods_supported: expect.arrayContaining(['none', 'client_secret_basic']),
      scopes_supported: expect.arrayContaining(['openid', 'offline', 'offline_access']),
      id_token_signing_alg_values_supported: ['RS256'],
    });
    expect((await get('/.well-known/oauth-authorization-server')).status).toBe(404);
  });

  test('the client gets its code and its state, and the tokens that it asked for', async () => {
    const authorized = await ory().authorize(person, client, {
      audience: [audience],
      parameters: { state: 'state of my own', nonce: 'nonce-12345' },
    });
    const query = Object.fromEntries(authorized.callback?.searchParams ?? []);
    expect(query).toEqual({
      code: expect.stringMatching(/^ory_ac_/),
      scope: 'openid offline_access email read',
      state: 'state of my own',
    });
    const { status, body } = await exchange(authorized);
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String),
      expires_in: expect.any(Number),
      id_token: expect.any(String),
      refresh_token: expect.stringMatching(/^ory_rt_/),
      scope: 'openid offline_access email read',
      token_type: 'bearer',
    });
    const access = decodeJwt(String(at(body, 'access_token')));
    expect(access).toMatchObject({
      iss: ory().hydra.issuer,
      sub: person.id,
      client_id: client.id,
      aud: [audience],
      scp: ['openid', 'offline_access', 'email', 'read'],
      ext: { email: person.email },
    });
  });

  test('the ID token is for the client, of a key of its own, and names nonce, login and access token', async () => {
    const tokens = await ory().authorizationCode(person, client, { parameters: { nonce: 'nonce-12345' } });
    const { payload, protectedHeader } = await jwtVerify(tokens.idToken ?? '', await keys());
    expect(Object.keys(payload).sort()).toEqual(
      [
        'at_hash',
        'aud',
        'auth_time',
        'email',
        'email_verified',
        'exp',
        'iat',
        'iss',
        'jti',
        'nonce',
        'rat',
        'sid',
        'sub',
      ].sort(),
    );
    expect(payload).toMatchObject({
      iss: ory().hydra.issuer,
      sub: person.id,
      aud: [client.id],
      nonce: 'nonce-12345',
      email: person.email,
    });
    expect(protectedHeader.typ).toBe('JWT');
    expect(protectedHeader.kid).not.toBe(decodeProtectedHeader(tokens.accessToken).kid);
  });

  test('without the scopes there is neither ID token nor refresh token, and no audience that was not asked for', async () => {
    const tokens = await ory().authorizationCode(person, client, { scope: 'read' });
    expect(tokens).toMatchObject({ idToken: undefined, refreshToken: undefined });
    expect(decodeJwt(tokens.accessToken)).toMatchObject({ aud: [], scp: ['read'], ext: {} });
  });

  test('the parameter resource changes nothing', async () => {
    const tokens = await ory().authorizationCode(person, client, { parameters: { resource: audience } });
    expect(decodeJwt(tokens.accessToken).aud).toEqual([]);
  });

  test('a client with a secret gets opaque tokens where it is registered so', async () => {
    const secret = await ory().createClient({ public: false, strategy: 'opaque' });
    const { accessToken } = await ory().authorizationCode(person, secret);
    expect(accessToken).toMatch(/^ory_at_/);
    expect(await ory().introspect(accessToken)).toMatchObject({
      active: true,
      client_id: secret.id,
      sub: person.id,
      token_use: 'access_token',
      ext: { email: person.email },
    });
  });

  test('a code is good once; a second use ends what came of the first', async () => {
    const authorized = await ory().authorize(person, client);
    const first = await exchange(authorized);
    expect(first.status).toBe(200);
    const [access, refresh] = [String(at(first.body, 'access_token')), String(at(first.body, 'refresh_token'))];
    expect(await active(access)).toBe(true);
    const second = await exchange(authorized);
    expect(second.status).toBe(400);
    expect(at(second.body, 'error')).toBe('invalid_grant');
    expect([await active(access), await active(refresh)]).toEqual([false, false]);
  });

  test('a code is worth nothing without its verifier, and after a wrong one', async () => {
    const missing = await ory().authorize(person, client);
    const { code_verifier: _, ...without } = {
      grant_type: 'authorization_code',
      code: missing.callback?.searchParams.get('code') ?? '',
      redirect_uri: missing.redirectUri,
      code_verifier: '',
    };
    expect(at((await ory().token(client, without)).body, 'error')).toBe('invalid_grant');
    const wrong = await ory().authorize(person, client);
    expect(at((await exchange(wrong, { code_verifier: 'a'.repeat(43) })).body, 'error')).toBe('invalid_grant');
    expect(at((await exchange(wrong)).body, 'error')).toBe('invalid_grant');
  });

  test('a code is bound to its redirect_uri and its client', async () => {
    const authorized = await ory().authorize(person, client);
    const elsewhere = await exchange(authorized, { redirect_uri: `${authorized.redirectUri}/other` });
    expect(at(elsewhere.body, 'error')).toBe('invalid_grant');
    const other = await ory().createClient();
    const foreign = await ory().token(other, {
      grant_type: 'authorization_code',
      code: authorized.callback?.searchParams.get('code') ?? '',
      redirect_uri: authorized.redirectUri,
      code_verifier: authorized.codeVerifier,
    });
    expect(at(foreign.body, 'error')).toBe('invalid_grant');
    expect(at((await exchange(authorized, { code: 'ory_ac_garbage' })).body, 'error')).toBe('invalid_grant');
  });

  test('nobody is sent to an address that is not registered', async () => {
    for (const redirectUri of [
      'http://127.0.0.1:9/callback/',
      'http://127.0.0.1:9/callback?x=y',
      'http://127.0.0.1:9/Callback',
      'http://127.0.0.1.evil.example:9/callback',
      'http://127.0.0.1:9@evil.example/callback',
      'https://127.0.0.1:9/callback',
      'https://evil.example/callback',
    ]) {
      const { callback } = await ory().authorize(person, client, { redirectUri });
      expect([redirectUri, callback]).toEqual([redirectUri, undefined]);
    }
    const { callback } = await ory().authorize(person, { id: 'nobody', secret: '' });
    expect(callback).toBeUndefined();
  });

  test('a program on this machine may listen on any port', async () => {
    const { callback } = await ory().authorize(person, client, { redirectUri: 'http://127.0.0.1:65000/callback' });
    expect(callback?.origin).toBe('http://127.0.0.1:65000');
    expect(callback?.searchParams.get('code')).toMatch(/^ory_ac_/);
  });

  test.each<[string, Record<string, string | undefined>, string]>([
    ['a scope that the client may not have', { scope: 'openid admin' }, 'invalid_scope'],
    ['a foreign audience', { audience: 'https://evil.example' }, 'invalid_request'],
    ['a short state', { state: 'short' }, 'invalid_state'],
    ['an unknown response_type', { response_type: 'nonsense' }, 'unsupported_response_type'],
    ['a token without a code', { response_type: 'token' }, 'unsupported_response_type'],
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['plain PKCE', { code_challenge: 'a'.repeat(43), code_challenge_method: 'plain' }, 'invalid_request'],
    ['a login where nobody may be asked', { prompt: 'none' }, 'login_required'],
  ])('sends the client an error for %s', async (_, parameters, error) => {
    const { callback } = await ory().authorize(person, client, { parameters });
    const query = Object.fromEntries(callback?.searchParams ?? []);
    expect(query).toMatchObject({ error, error_description: expect.any(String) });
    expect(query['code']).toBeUndefined();
    if (parameters['state'] !== undefined) expect(query['state']).toBe(parameters['state']);
  });

  test('a no is told to the client', async () => {
    const { callback } = await ory().authorize(person, client, {
      consent: 'deny',
      parameters: { state: 'state of my own' },
    });
    expect(Object.fromEntries(callback?.searchParams ?? [])).toEqual({
      error: 'access_denied',
      error_description: expect.any(String),
      state: 'state of my own',
    });
  });

  test('a refresh gives new tokens of the same grant, and the old ones end', async () => {
    const before = await ory().authorizationCode(person, client, { audience: [audience] });
    const form = { grant_type: 'refresh_token', refresh_token: before.refreshToken ?? '' };
    const { status, body } = await ory().token(client, form);
    expect(status).toBe(200);
    expect(decodeJwt(String(at(body, 'access_token')))).toMatchObject({
      sub: person.id,
      aud: [audience],
      scp: ['openid', 'offline_access', 'email', 'read'],
    });
    expect(at(body, 'id_token')).toEqual(expect.any(String));
    expect(at(body, 'refresh_token')).not.toBe(before.refreshToken);
    expect(await active(before.accessToken)).toBe(false);
    expect(await active(before.refreshToken ?? '')).toBe(false);
    expect(await active(String(at(body, 'refresh_token')))).toBe(true);
  });

  test('a refresh token that was used before ends the whole grant', async () => {
    const { refreshToken = '' } = await ory().authorizationCode(person, client);
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const { body } = await ory().token(client, form);
    const again = await ory().token(client, form);
    expect([again.status, at(again.body, 'error')]).toEqual([400, 'invalid_grant']);
    expect(await active(String(at(body, 'access_token')))).toBe(false);
    const next = await ory().token(client, { ...form, refresh_token: String(at(body, 'refresh_token')) });
    expect([next.status, at(next.body, 'error')]).toEqual([400, 'invalid_grant']);
  });

  test('a refresh token is its client’s', async () => {
    const { refreshToken = '' } = await ory().authorizationCode(person, client);
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const foreign = await ory().token(await ory().createClient(), form);
    expect([foreign.status, at(foreign.body, 'error')]).toEqual([400, 'invalid_grant']);
    const garbage = await ory().token(client, { ...form, refresh_token: 'ory_rt_garbage' });
    expect([garbage.status, at(garbage.body, 'error')]).toEqual([400, 'invalid_grant']);
  });

  test('introspection tells a refresh token from an access token, and takes no ID token for either', async () => {
    const { accessToken, refreshToken = '', idToken = '' } = await ory().authorizationCode(person, client);
    expect(await ory().introspect(accessToken)).toMatchObject({ active: true, token_use: 'access_token' });
    expect(await ory().introspect(refreshToken)).toMatchObject({ active: true, token_use: 'refresh_token' });
    expect(await ory().introspect(idToken)).toEqual({ active: false });
  });

  test('introspection takes a token without its mark as well, and not with that of the other kind', async () => {
    const opaque = await ory().createClient({ strategy: 'opaque' });
    const { accessToken, refreshToken = '' } = await ory().authorizationCode(person, opaque);
    const [access, refresh] = [accessToken.slice('ory_at_'.length), refreshToken.slice('ory_rt_'.length)];
    expect(await ory().introspect(access)).toMatchObject({ active: true, token_use: 'access_token' });
    expect(await ory().introspect(refresh)).toMatchObject({ active: true, token_use: 'refresh_token' });
    for (const wrong of [`ory_rt_${access}`, `ory_at_${refresh}`])
      expect(await ory().introspect(wrong), wrong.slice(0, 7)).toEqual({ active: false });
  });

  test('a revoked access token ends, a revoked refresh token ends everything of its grant', async () => {
    const one = await ory().authorizationCode(person, client);
    expect(await ory().revokeToken(client, one.refreshToken ?? '')).toBe(200);
    expect([await active(one.accessToken), await active(one.refreshToken ?? '')]).toEqual([false, false]);
    const two = await ory().authorizationCode(person, client);
    expect(await ory().revokeToken(client, two.accessToken)).toBe(200);
    expect(await active(two.accessToken)).toBe(false);
  });

  test('a client revokes nobody else’s tokens', async () => {
    const { accessToken, refreshToken = '' } = await ory().authorizationCode(person, client);
    const other = await ory().createClient();
    for (const token of [accessToken, refreshToken]) await ory().revokeToken(other, token);
    expect([await active(accessToken), await active(refreshToken)]).toEqual([true, true]);
  });

  test('a client that is deleted takes its tokens with it', async () => {
    const other = await ory().createClient();
    const { accessToken, refreshToken = '' } = await ory().authorizationCode(person, other);
    const url = `${ory().hydra.adminUrl}/admin/clients/${other.id}`;
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(url)).status).toBe(404);
    expect([await active(accessToken), await active(refreshToken)]).toEqual([false, false]);
  });

  test('tokens outlive the state of the person: Hydra knows nothing of identities', async () => {
    const somebody = await ory().createPerson();
    const { accessToken, refreshToken = '' } = await ory().authorizationCode(somebody, client);
    await ory().setPersonState(somebody.id, 'inactive');
    expect([await active(accessToken), await active(refreshToken)]).toEqual([true, true]);
  });

  test('revoking nonsense is no error; who may not is one', async () => {
    expect(await ory().revokeToken(client, 'nonsense')).toBe(200);
    const secret = await ory().createClient({ public: false });
    expect(await ory().revokeToken({ ...secret, secret: 'wrong' }, 'nonsense')).toBe(401);
  });

  test('userinfo says who it is to whoever has an access token', async () => {
    const { accessToken, refreshToken = '' } = await ory().authorizationCode(person, client);
    const ask = (token: string) => get('/userinfo', { headers: { authorization: `Bearer ${token}` } });
    const answer = await ask(accessToken);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ sub: person.id, email: person.email, aud: [client.id] });
    for (const [token, error] of [
      [refreshToken, 'invalid_token'],
      ['garbage', 'request_unauthorized'],
      ['', 'request_unauthorized'],
    ]) {
      const refused = await ask(String(token));
      expect([token, refused.status]).toEqual([token, 401]);
      expect(refused.headers.get('www-authenticate')).toMatch(new RegExp(`^Bearer error="${error}"`));
    }
    const other = await ory().authorizationCode(person, client, { scope: 'read' });
    expect(at(await (await ask(other.accessToken)).json(), 'sub')).toBe(person.id);
  });

  test('a key made by the admin API signs from now on, the old ones stay published', async () => {
    const before = decodeProtectedHeader(await ory().accessToken()).kid;
    const kid = `made-${crypto.randomUUID()}`;
    const made = await fetch(`${ory().hydra.adminUrl}/admin/keys/hydra.jwt.access-token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ alg: 'RS256', use: 'sig', kid }),
    });
    expect(made.status).toBe(201);
    const token = await ory().accessToken();
    expect(decodeProtectedHeader(token).kid).toBe(kid);
    await jwtVerify(token, await keys());
    const set = (await (await get('/.well-known/jwks.json')).json()) as JSONWebKeySet;
    expect(set.keys.map((key) => key.kid)).toContain(before);
  });
};
