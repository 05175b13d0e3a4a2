// The contract of dynamic client registration: who may register what, and what the answer looks like.
import { beforeAll, expect, test } from 'vitest';
import { at } from './http.ts';
import type { ContractPart, Person } from './ory.ts';

export const describeRegistration: ContractPart = (ory) => {
  let person: Person;

  beforeAll(async () => {
    person = await ory().createPerson();
  });

  const get = (path: string, init: RequestInit = {}) =>
    fetch(`${ory().hydra.publicUrl}${path}`, { redirect: 'manual', ...init });

  test('anybody may register a client, in Hydra’s shape, and it works', async () => {
    const redirectUri = 'http://127.0.0.1:9/registered';
    const { status, body } = await ory().registerClient({
      client_name: 'Registered',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'openid offline_access',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      client_id: expect.any(String),
      client_name: 'Registered',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: 'openid offline_access',
      audience: [],
      client_uri: '',
      contacts: null,
      client_secret_expires_at: 0,
      token_endpoint_auth_method: 'none',
      registration_access_token: expect.stringMatching(/^ory_at_/),
      registration_client_uri: expect.stringMatching(/\/oauth2\/register\//),
    });
    expect(at(body, 'client_secret')).toBeUndefined();
    const registered = { id: String(at(body, 'client_id')), secret: '' };
    const tokens = await ory().authorizationCode(person, registered, { redirectUri, scope: 'openid offline_access' });
    expect(tokens.refreshToken).toMatch(/^ory_rt_/);
  });

  test('a registered client that keeps secrets is given one', async () => {
    const { status, body } = await ory().registerClient({ redirect_uris: ['https://app.example.com/cb'] });
    expect(status).toBe(201);
    expect(at(body, 'client_secret')).toEqual(expect.stringMatching(/.{16,}/));
    expect(at(body, 'token_endpoint_auth_method')).toBe('client_secret_basic');
  });

  test.each<[string, Record<string, unknown>]>([
    ['a secret', { client_secret: 'my-own-secret' }],
    ['a strategy', { access_token_strategy: 'opaque' }],
    ['to skip the consent', { skip_consent: true }],
    ['an address with a fragment', { redirect_uris: ['https://app.example.com/cb#x'] }],
    ['an address that is none', { redirect_uris: ['nonsense'] }],
  ])('nobody registers %s', async (_, metadata) => {
    const { status, body } = await ory().registerClient(metadata);
    expect(status).toBe(400);
    expect(at(body, 'client_id')).toBeUndefined();
  });

  test('a registration is read and deleted with the token that came with it alone', async () => {
    const { body } = await ory().registerClient({ redirect_uris: ['https://app.example.com/cb'] });
    const id = String(at(body, 'client_id'));
    const token = String(at(body, 'registration_access_token'));
    const call = (method: string, bearer: string) =>
      get(`/oauth2/register/${id}`, { method, headers: { authorization: `Bearer ${bearer}` } });
    expect((await call('GET', 'ory_at_garbage.garbage')).status).toBe(401);
    const shown = await call('GET', token);
    expect(shown.status).toBe(200);
    expect(at(await shown.json(), 'client_secret')).toBeUndefined();
    expect((await call('DELETE', 'ory_at_garbage.garbage')).status).toBe(401);
    expect((await call('DELETE', token)).status).toBe(204);
    expect((await call('GET', token)).status).toBe(401);
  });
};
