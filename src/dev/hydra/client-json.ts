// A client as it is registered, and as Hydra gives it back. No I/O.
import { randomUUID } from 'node:crypto';
import { member, textMember } from '../answer.ts';
import { opaqueToken, randomToken } from '../random.ts';
import type { Client } from './clients.ts';

const defaultLifespanSeconds = 3_600;
const authMethods = ['client_secret_basic', 'client_secret_post', 'none'];
const grantTypes = ['authorization_code', 'refresh_token', 'client_credentials'];
/** Texts that are given back and have no effect; '' where there is none, as Hydra writes it. */
const texts = ['client_name', 'owner', 'policy_uri', 'tos_uri', 'client_uri', 'logo_uri'];

export type Registered =
  | { readonly kind: 'client'; readonly client: Client }
  | { readonly kind: 'invalid'; readonly error: string; readonly reason: string };

/** By `POST /admin/clients` (`dynamic` false), or by whoever wants to (true), who may not choose everything. */
export function clientFromJson(body: unknown, nowMs: number, dynamic: boolean): Registered {
  if (dynamic) {
    const forbidden = ['client_secret', 'access_token_strategy', 'metadata', 'skip_consent'].find((name) =>
      Boolean(member(body, name)),
    );
    if (forbidden !== undefined) return invalid(`It is not allowed to choose ${forbidden} oneself.`);
  }
  const lifespan = member(body, 'client_credentials_grant_access_token_lifespan') ?? `${defaultLifespanSeconds}s`;
  const lifespanSeconds = typeof lifespan === 'string' ? goDurationSeconds(lifespan) : undefined;
  if (lifespanSeconds === undefined) return invalid('client_credentials_grant_access_token_lifespan is not a duration');
  const strategy = member(body, 'access_token_strategy') ?? undefined;
  if (strategy !== undefined && strategy !== 'jwt' && strategy !== 'opaque') {
    return invalid('access_token_strategy is jwt or opaque');
  }
  const authMethod = textMember(body, 'token_endpoint_auth_method') || 'client_secret_basic';
  if (!authMethods.includes(authMethod))
    return invalid(`token_endpoint_auth_method is one of ${authMethods.join(', ')}`);
  const secret = textMember(body, 'client_secret') || randomToken('');
  if (secret.length < 6) return invalid('client_secret has less than 6 characters');
  const redirectUris = list(member(body, 'redirect_uris'));
  const bad = redirectUris.find((address) => !isRedirectUri(address));
  if (bad !== undefined) {
    const reason = `${JSON.stringify(bad)} cannot be redirected to: an absolute address without a fragment.`;
    return { kind: 'invalid', error: 'invalid_redirect_uri', reason };
  }
  const grants = list(member(body, 'grant_types'));
  const unknown = grants.find((grant) => !grantTypes.includes(grant));
  if (unknown !== undefined) return invalid(`The development Ory has no grant ${JSON.stringify(unknown)}.`);
  const client: Client = {
    id: (dynamic ? '' : textMember(body, 'client_id')) || randomUUID(),
    secret: authMethod === 'none' ? '' : secret,
    grantTypes: grants,
    responseTypes: list(member(body, 'response_types')),
    redirectUris,
    scopes: textMember(body, 'scope').split(' ').filter(Boolean),
    audience: list(member(body, 'audience')),
    strategy,
    authMethod,
    lifespanSeconds,
    skipConsent: member(body, 'skip_consent') === true,
    metadata: {
      ...Object.fromEntries(texts.map((name) => [name, textMember(body, name)])),
      contacts: Array.isArray(member(body, 'contacts')) ? list(member(body, 'contacts')) : null,
      metadata: member(body, 'metadata') ?? {},
    },
    createdAtMs: nowMs,
    registrationToken: opaqueToken('ory_at_'),
  };
  return { kind: 'client', client };
}

/** Nothing that a browser would run or read as this page's own. */
function isRedirectUri(address: string): boolean {
  if (!URL.canParse(address) || address.includes('#')) return false;
  return !['javascript:', 'data:', 'vbscript:', 'file:', 'blob:', 'about:'].includes(new URL(address).protocol);
}

/** Hydra's shape, its odd empty fields included: `client_uri: ""` and `contacts: null`. */
export function clientJson(client: Client): Record<string, unknown> {
  const { client_name, contacts, metadata, ...others } = client.metadata;
  const at = new Date(client.createdAtMs).toISOString();
  return {
    client_id: client.id,
    client_name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: client.responseTypes,
    scope: client.scopes.join(' '),
    audience: client.audience,
    ...others,
    allowed_cors_origins: [],
    contacts,
    client_secret_expires_at: 0,
    subject_type: 'public',
    jwks: {},
    token_endpoint_auth_method: client.authMethod,
    userinfo_signed_response_alg: 'none',
    created_at: at,
    updated_at: at,
    metadata,
    ...(client.strategy === undefined ? {} : { access_token_strategy: client.strategy }),
    skip_consent: client.skipConsent,
    client_credentials_grant_access_token_lifespan: `${client.lifespanSeconds}s`,
  };
}

/** What is said once, to whoever registered it. */
export function createdClientJson(client: Client, base: string): Record<string, unknown> {
  return {
    ...clientJson(client),
    ...(client.secret === '' ? {} : { client_secret: client.secret }),
    registration_access_token: client.registrationToken,
    registration_client_uri: `${base}/oauth2/register/${client.id}`,
  };
}

function invalid(reason: string): Registered {
  return { kind: 'invalid', error: 'invalid_client_metadata', reason };
}

/** `90s`, `1m30s`, `1h`: whole units of Go's durations, without fractions. */
function goDurationSeconds(text: string): number | undefined {
  const match = /^(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,8})s)?$/.exec(text);
  if (!match || text === '') return undefined;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}
