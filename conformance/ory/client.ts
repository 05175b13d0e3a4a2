// Kratos's and Hydra's own HTTP APIs as the suites use them. The development Ory answers the same calls, so that one
// client drives both. Network.
import { randomBytes, randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT } from 'jose';
import { totpCode } from '../../src/dev/totp.ts';
import { basic, CookieJar, csrfToken, expectOk, jsonRequest, nodeWith, parse, text } from './http.ts';
import { type AuthorizeInBrowser, oauthClient } from './oauth-client.ts';
import type { BrowserSession, OAuth2Client, Ory, Person, PersonWithTotp, Session, TokenRequest } from './ory.ts';

/** Test keys live in a set of their own, because Hydra signs with the newest key of its access-token set. */
export const testKeySet = 'ory-envoy.conformance';
const accessTokenKeySet = 'hydra.jwt.access-token';
export const cookieName = 'ory_kratos_session';

export type Endpoints = Pick<Ory, 'name' | 'kratos' | 'hydra'>;

/** Everything of an `Ory` that goes over its APIs; `close` is added by whoever started the servers. */
export async function connect(endpoints: Endpoints, authorize: AuthorizeInBrowser): Promise<Omit<Ory, 'close'>> {
  const { kratos, hydra } = endpoints;
  const testKey = await generateKeyPair('RS256', { extractable: true });
  const testKid = `test-${randomUUID()}`;
  await putKey(hydra.adminUrl, testKeySet, testKid, testKey.privateKey);
  const clients = new Map<string, Promise<OAuth2Client>>();

  return {
    ...endpoints,
    ...oauthClient(hydra, authorize),
    createPerson: (traits) => createPerson(kratos.adminUrl, traits),
    login: (person) => login(kratos.publicUrl, person),
    loginBrowser: (person, options) => loginBrowser(kratos, person, options?.aal ?? 'aal1'),
    async createPersonWithTotp(traits) {
      const person = await createPerson(kratos.adminUrl, traits);
      return { ...person, totpSecret: await enrolTotp(kratos.publicUrl, await login(kratos.publicUrl, person)) };
    },
    totpCode: (person) => totpCode(person.totpSecret, Date.now()),
    stepUp: (person, session) => stepUp(kratos.publicUrl, person, session),
    async logout(session) {
      const body = { session_token: session.token };
      await expectOk(`${kratos.publicUrl}/self-service/logout/api`, jsonRequest('DELETE', body));
    },
    async revokeSession(sessionId) {
      await expectOk(`${kratos.adminUrl}/admin/sessions/${sessionId}`, { method: 'DELETE' });
    },
    async setPersonState(personId, state) {
      const patch = [{ op: 'replace', path: '/state', value: state }];
      await expectOk(`${kratos.adminUrl}/admin/identities/${personId}`, jsonRequest('PATCH', patch));
    },
    async accessToken(request = {}) {
      const key = JSON.stringify([request.audience, request.scope, request.lifespanSeconds, request.strategy]);
      const client = clients.get(key) ?? createClient(hydra.adminUrl, request);
      clients.set(key, client);
      return requestToken(hydra.publicUrl, await client, request);
    },
    sign: (claims, header = {}) => signToken(testKey.privateKey, testKid, claims, header),
    async rotateKey() {
      const { privateKey } = await generateKeyPair('RS256', { extractable: true });
      await putKey(hydra.adminUrl, accessTokenKeySet, randomUUID(), privateKey);
    },
  };
}

async function createPerson(adminUrl: string, traits: Record<string, unknown> = {}): Promise<Person> {
  const unique = randomBytes(6).toString('hex');
  const password = `correct-horse-${unique}`;
  const merged = { email: `person-${unique}@example.com`, name: { first: 'Test', last: 'Person' }, ...traits };
  const body = { schema_id: 'person', traits: merged, credentials: { password: { config: { password } } } };
  const identity = await expectOk(`${adminUrl}/admin/identities`, jsonRequest('POST', body));
  return { id: text(identity, 'id'), email: String(merged.email), password };
}

async function login(publicUrl: string, person: Person): Promise<Session> {
  const flow = await expectOk(`${publicUrl}/self-service/login/api`, { headers: { accept: 'application/json' } });
  const answer = await expectOk(
    `${publicUrl}/self-service/login?flow=${text(flow, 'id')}`,
    jsonRequest('POST', { method: 'password', identifier: person.email, password: person.password }),
  );
  return { id: text(answer, 'session', 'id'), token: text(answer, 'session_token') };
}

async function loginBrowser(kratos: Ory['kratos'], person: Person, aal: 'aal1' | 'aal2'): Promise<BrowserSession> {
  const jar = new CookieJar();
  const credentials = { method: 'password', identifier: person.email, password: person.password };
  await submitInBrowser(kratos.publicUrl, '', credentials, jar);
  if (aal === 'aal2') {
    const secret = text(person, 'totpSecret');
    const second = { method: 'totp', totp_code: totpCode(secret, Date.now()) };
    await submitInBrowser(kratos.publicUrl, '?aal=aal2', second, jar);
  }
  const value = jar.get(cookieName);
  if (value === undefined) throw new Error('browser login: no session cookie');
  // Newest first: half a login, which is owed a second factor, says no id of its own.
  const sessions = await expectOk(`${kratos.adminUrl}/admin/identities/${person.id}/sessions`, {});
  return { id: text(Array.isArray(sessions) ? sessions[0] : undefined, 'id'), cookie: { name: cookieName, value } };
}

/** At `publicUrl`, whatever address Kratos takes for its own. */
async function submitInBrowser(
  publicUrl: string,
  query: string,
  given: Record<string, string>,
  jar: CookieJar,
): Promise<void> {
  const begun = await fetch(`${publicUrl}/self-service/login/browser${query}`, {
    headers: { accept: 'application/json', cookie: jar.header() },
  });
  jar.take(begun);
  const flow = parse(await begun.text());
  const request = jsonRequest('POST', { ...given, csrf_token: csrfToken(flow) });
  const headers = { ...request.headers, cookie: jar.header() };
  const response = await fetch(`${publicUrl}/self-service/login?flow=${text(flow, 'id')}`, { ...request, headers });
  jar.take(response);
  const body = await response.text();
  // 422: the login is good, and a second factor is asked for.
  if (response.status !== 200 && response.status !== 422) throw new Error(`browser login: ${response.status} ${body}`);
}

/** By the settings flow. @returns the secret */
async function enrolTotp(publicUrl: string, session: Session): Promise<string> {
  const headers = { accept: 'application/json', 'x-session-token': session.token };
  const flow = await expectOk(`${publicUrl}/self-service/settings/api`, { headers });
  const secret = text(nodeWith(flow, 'id', 'totp_secret_key'), 'attributes', 'text', 'text');
  const request = jsonRequest('POST', { method: 'totp', totp_code: totpCode(secret, Date.now()) });
  const url = `${publicUrl}/self-service/settings?flow=${text(flow, 'id')}`;
  await expectOk(url, { ...request, headers: { ...request.headers, ...headers } });
  return secret;
}

async function stepUp(publicUrl: string, person: PersonWithTotp, session: Session): Promise<void> {
  const headers = { accept: 'application/json', 'x-session-token': session.token };
  const flow = await expectOk(`${publicUrl}/self-service/login/api?aal=aal2`, { headers });
  const request = jsonRequest('POST', { method: 'totp', totp_code: totpCode(person.totpSecret, Date.now()) });
  const url = `${publicUrl}/self-service/login?flow=${text(flow, 'id')}`;
  await expectOk(url, { ...request, headers: { ...request.headers, ...headers } });
}

/** A client that may ask for exactly what the request asks for. */
export async function createClient(adminUrl: string, request: TokenRequest): Promise<OAuth2Client> {
  const body = {
    client_secret: randomBytes(16).toString('hex'),
    grant_types: ['client_credentials'],
    scope: request.scope ?? '',
    audience: request.audience ?? [],
    access_token_strategy: request.strategy ?? 'jwt',
    token_endpoint_auth_method: 'client_secret_basic',
    ...(request.lifespanSeconds === undefined
      ? {}
      : { client_credentials_grant_access_token_lifespan: `${request.lifespanSeconds}s` }),
  };
  const client = await expectOk(`${adminUrl}/admin/clients`, jsonRequest('POST', body));
  return { id: text(client, 'client_id'), secret: body.client_secret };
}

async function requestToken(publicUrl: string, client: OAuth2Client, request: TokenRequest): Promise<string> {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (request.scope !== undefined) form.set('scope', request.scope);
  for (const audience of request.audience ?? []) form.append('audience', audience);
  const headers = { authorization: basic(client) };
  const answer = await expectOk(`${publicUrl}/oauth2/token`, { method: 'POST', headers, body: form });
  return text(answer, 'access_token');
}

async function putKey(adminUrl: string, set: string, kid: string, privateKey: CryptoKey): Promise<void> {
  const jwk = { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' };
  await expectOk(`${adminUrl}/admin/keys/${set}/${kid}`, jsonRequest('PUT', jwk));
}

async function signToken(
  key: CryptoKey,
  kid: string,
  claims: Record<string, unknown>,
  header: Record<string, unknown>,
): Promise<string> {
  const merged = { alg: 'RS256', kid, typ: 'JWT', ...header };
  const kept = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
  return new SignJWT(claims).setProtectedHeader(kept as JWTHeaderParameters).sign(key);
}
