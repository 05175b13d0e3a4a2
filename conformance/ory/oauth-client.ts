// OAuth2 as a client does it: registration, authorization code with PKCE, tokens. Network.
import { createHash, randomBytes } from 'node:crypto';
import { at, basic, expectOk, jsonRequest, parse, text } from './http.ts';
import type {
  AuthorizationRequest,
  Authorized,
  ClientRequest,
  OAuth2Client,
  Ory,
  Person,
  TokenAnswer,
  Tokens,
} from './ory.ts';

/** How a person gets from the authorization endpoint to the client: by pages, or by the admin API in their place. */
export type AuthorizeInBrowser = (
  url: string,
  person: Person,
  consent: 'allow' | 'deny',
  isCallback: (location: string) => boolean,
) => Promise<string | undefined>;

type Calls = Pick<
  Ory,
  'createClient' | 'registerClient' | 'authorize' | 'token' | 'authorizationCode' | 'introspect' | 'revokeToken'
>;

const defaultRedirectUri = 'http://127.0.0.1:9/callback';
const defaultScope = 'openid offline_access email read';

export function oauthClient(hydra: Ory['hydra'], inBrowser: AuthorizeInBrowser): Calls {
  const calls: Calls = {
    createClient: (request) => createClient(hydra.adminUrl, request ?? {}),
    registerClient: (metadata) => answer(`${hydra.publicUrl}/oauth2/register`, jsonRequest('POST', metadata)),
    authorize: (person, client, request) => authorize(hydra.publicUrl, inBrowser, person, client, request ?? {}),
    token: (client, form) => answer(`${hydra.publicUrl}/oauth2/token`, asClient(client, form)),
    async authorizationCode(person, client, request) {
      const { callback, redirectUri, codeVerifier } = await calls.authorize(person, client, request);
      const code = callback?.searchParams.get('code');
      if (!code) throw new Error(`no code: ${callback?.href}`);
      const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: codeVerifier };
      return tokens(await calls.token(client, form));
    },
    async introspect(token) {
      const body = new URLSearchParams({ token });
      return expectOk(`${hydra.adminUrl}/admin/oauth2/introspect`, { method: 'POST', body });
    },
    async revokeToken(client, token) {
      return (await fetch(`${hydra.publicUrl}/oauth2/revoke`, asClient(client, { token }))).status;
    },
  };
  return calls;
}

async function createClient(adminUrl: string, request: ClientRequest): Promise<OAuth2Client> {
  const secret = request.public === false ? randomBytes(16).toString('hex') : '';
  const body = {
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: request.redirectUris ?? [defaultRedirectUri],
    scope: request.scope ?? defaultScope,
    audience: request.audience ?? [],
    token_endpoint_auth_method: secret === '' ? 'none' : 'client_secret_basic',
    ...(secret === '' ? {} : { client_secret: secret }),
    ...(request.strategy === undefined ? {} : { access_token_strategy: request.strategy }),
  };
  const client = await expectOk(`${adminUrl}/admin/clients`, jsonRequest('POST', body));
  return { id: text(client, 'client_id'), secret };
}

async function authorize(
  publicUrl: string,
  inBrowser: AuthorizeInBrowser,
  person: Person,
  client: OAuth2Client,
  request: AuthorizationRequest,
): Promise<Authorized> {
  const codeVerifier = randomBytes(32).toString('base64url');
  const redirectUri = request.redirectUri ?? defaultRedirectUri;
  const given: Record<string, string | undefined> = {
    client_id: client.id,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: request.scope ?? defaultScope,
    state: randomBytes(12).toString('hex'),
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...request.parameters,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, value);
  for (const audience of request.audience ?? []) query.append('audience', audience);
  const isCallback = (location: string): boolean => location.startsWith(redirectUri);
  const url = `${publicUrl}/oauth2/auth?${query}`;
  const location = await inBrowser(url, person, request.consent ?? 'allow', isCallback);
  return { callback: location === undefined ? undefined : new URL(location), redirectUri, codeVerifier };
}

function asClient(client: OAuth2Client, form: Readonly<Record<string, string>>): RequestInit {
  const isPublic = client.secret === '';
  return {
    method: 'POST',
    headers: isPublic ? {} : { authorization: basic(client) },
    body: new URLSearchParams(isPublic ? { ...form, client_id: client.id } : form),
  };
}

async function answer(url: string, init: RequestInit): Promise<TokenAnswer> {
  const response = await fetch(url, { redirect: 'error', ...init });
  return { status: response.status, body: parse(await response.text()) };
}

function tokens({ status, body }: TokenAnswer): Tokens {
  if (status !== 200) throw new Error(`no tokens: ${status} ${JSON.stringify(body)}`);
  const optional = (name: string): string | undefined => {
    const value = at(body, name);
    return typeof value === 'string' ? value : undefined;
  };
  return {
    accessToken: text(body, 'access_token'),
    refreshToken: optional('refresh_token'),
    idToken: optional('id_token'),
  };
}
