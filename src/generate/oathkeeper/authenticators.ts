// Who a request comes from, as Oathkeeper finds it out: what its authenticators have in common, and which of them a rule
// tries in which order. The first one that finds its credential decides. No I/O.
import { ALGORITHMS } from '../../check/identity/jws.ts';
import type { Config, CookieName, Requirement, Rule, TokenRequirement } from '../../config/config.ts';
import { API_KEY_VARIABLE } from '../envoy/ory-path.ts';
import { type Block, COMMENT } from '../yaml.ts';

type Handler = 'noop' | 'unauthorized' | 'cookie_session' | 'bearer_token' | 'jwt' | 'oauth2_introspection';

export interface Authenticator extends Block {
  readonly handler: Handler;
}

/** By which session tokens and Hydra's opaque access tokens can be told apart in one header. */
const SESSION_TOKEN = 'ory_st_';
const ACCESS_TOKEN = 'ory_at_';

/** In the order in which a rule tries them. */
export function authenticatorsOf({ access }: Rule, config: Config): Authenticator[] {
  if (access.kind === 'anyone') return [{ handler: 'noop' }];
  const mixed = new Set(access.anyOf.map(({ kind }) => kind)).size > 1;
  const found = access.anyOf.flatMap((one) => forRequirement(one, mixed, config));
  if (access.kind === 'identify') return [...found, { handler: 'noop' }];
  return found.length === 0 ? [{ handler: 'unauthorized' }] : found;
}

function forRequirement(requirement: Requirement, mixed: boolean, config: Config): Authenticator[] {
  return requirement.kind === 'session' ? forSessions(mixed) : forTokens(requirement, config);
}

/** Kratos's own order. */
function forSessions(mixed: boolean): Authenticator[] {
  return [
    {
      handler: 'bearer_token',
      config: {
        token_from: { header: 'X-Session-Token' },
        forward_http_headers: ['X-Session-Token'],
      },
    },
    { handler: 'cookie_session' },
    { handler: 'bearer_token', ...(mixed ? { config: { prefix: SESSION_TOKEN } } : {}) },
  ];
}

function forTokens({ audiences, scopes }: TokenRequirement, { tokens }: Config): Authenticator[] {
  const wanted: Block = {
    ...(audiences.length === 0 ? {} : { target_audience: audiences }),
    ...(scopes.length === 0 ? {} : { required_scope: scopes }),
  };
  const config = Object.keys(wanted).length === 0 ? {} : { config: wanted };
  return [
    { handler: 'jwt', ...config },
    ...(tokens?.introspection ? [{ handler: 'oauth2_introspection' as const, ...config }] : []),
  ];
}

/** What every rule's authenticators have in common: those that some rule names. */
export function authenticatorSettings(config: Config): Block {
  const used = new Set(config.rules.flatMap((rule) => authenticatorsOf(rule, config)).map(({ handler }) => handler));
  const settings: Record<string, Block> = {};
  if (used.has('noop')) settings['noop'] = { enabled: true };
  if (used.has('unauthorized')) settings['unauthorized'] = { enabled: true };
  if (used.has('cookie_session')) settings['cookie_session'] = enabled(cookieSession(config));
  if (used.has('bearer_token')) settings['bearer_token'] = enabled(whoami(config));
  if (used.has('jwt')) settings['jwt'] = enabled(jwt(config));
  if (used.has('oauth2_introspection')) settings['oauth2_introspection'] = introspection(config);
  return settings;
}

function enabled(config: Block): Block {
  return { enabled: true, config };
}

/** By default Oathkeeper would ask with the client's method, path and query. Its words: preserve what stands here. */
function whoami({ sessions }: Config): Block {
  return {
    check_session_url: `${sessions?.kratosUrl ?? ''}/sessions/whoami`,
    force_method: 'GET',
    preserve_path: true,
    preserve_query: true,
    forward_http_headers: [],
    subject_from: 'identity.id',
    extra_from: '@this',
  };
}

function cookieSession(config: Config): Block {
  return {
    [COMMENT]: 'Without names it would take any cookie for a session.',
    only: exactCookies(config).map(({ name }) => name),
    ...whoami(config),
  };
}

/** On Ory Network the cookie is named after the project. */
const PROJECT = /^https:\/\/([a-z0-9-]+)\.projects\.oryapis\.com$/;

/** Oathkeeper knows no patterns: the names that stand for themselves, and the one that Ory Network has for the project. */
export function exactCookies({ sessionCookies, sessions }: Config): readonly CookieName[] {
  const [, slug] = PROJECT.exec(sessions?.kratosUrl ?? '') ?? [];
  const name = `ory_session_${slug?.replaceAll('-', '')}`;
  return sessionCookies.flatMap((cookie) => {
    if (!cookie.prefix) return [cookie];
    return slug !== undefined && name.startsWith(cookie.name) ? [{ name, prefix: false }] : [];
  });
}

/** Those of the policy that Oathkeeper knows. */
const JWT_ALGORITHMS = ALGORITHMS.filter((algorithm) => !algorithm.startsWith('Ed'));

function jwt({ tokens }: Config): Block {
  return {
    jwks_urls: [tokens?.jwksUrl ?? ''],
    trusted_issuers: [tokens?.issuer ?? ''],
    allowed_algorithms: JWT_ALGORITHMS,
    scope_strategy: 'exact',
  };
}

function introspection({ tokens }: Config): Block {
  const { url = '', apiKey } = tokens?.introspection ?? {};
  return {
    ...(apiKey === undefined
      ? {}
      : { [COMMENT]: `Ory asks for an API key. Where Oathkeeper runs: ${API_KEY_HEADER}='${API_KEY_VALUE}'` }),
    ...enabled({
      introspection_url: url,
      prefix: ACCESS_TOKEN,
      trusted_issuers: [tokens?.issuer ?? ''],
      scope_strategy: 'exact',
      // A remembered token is not asked about again, whatever Hydra has revoked since.
      cache: { enabled: false },
    }),
  };
}

/** By which Oathkeeper reads the header from its environment: the key stands in no file. */
export const API_KEY_HEADER = 'AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_INTROSPECTION_REQUEST_HEADERS';
export const API_KEY_VALUE = `{"authorization":"Bearer \${${API_KEY_VARIABLE}}"}`;
