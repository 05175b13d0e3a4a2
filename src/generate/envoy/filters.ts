// The HTTP filters: jwt_authn where a rule takes tokens, ext_authz, router. No I/O.
import { WIRE } from '../../check/wire.ts';
import type { Config } from '../../config/config.ts';
import type { Plan, PlannedTokens } from '../plan.ts';
import { AUTHORIZER_CLUSTER, JWKS_CLUSTER } from './clusters.ts';
import { edgeCacheFilter } from './edge-cache.ts';
import { EXT_AUTHZ, JWT_AUTHN } from './filter-names.ts';
import { trailerStripping } from './header-stripping.ts';
import { FAILURE, HEADER, nativeFilters, PAYLOAD, unlessDecided } from './native-yes.ts';
import { firstPartyCookies } from './ory-path.ts';
import { quote } from './path-matchers.ts';
import type { Transport } from './transport.ts';
import { type Block, COMMENT, type Value } from './yaml.ts';

/** Key of the requirement map that routes name. */
export const TOKEN_REQUIREMENT = 'token';
const PROVIDER = 'hydra';

/** What the authorizer is told of a request, beside method, path and host. */
const CHECK_HEADERS = [
  'cookie',
  'authorization',
  'x-session-token',
  'accept',
  'origin',
  'access-control-request-method',
  'x-requested-with',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'x-request-id',
  WIRE.edgeKey,
];
/** What of a denial the client is given. */
const DENIAL_HEADERS = [
  'content-type',
  'cache-control',
  'retry-after',
  'www-authenticate',
  'location',
  'set-cookie',
  'vary',
  'content-security-policy',
  'referrer-policy',
  'x-content-type-options',
];

export function httpFilters(config: Config, plan: Plan, transport: Transport): Value[] {
  const filters: Value[] = [];
  if ([...config.edge.upstreams.values()].some(({ http2 }) => http2)) filters.push(trailerStripping(plan));
  if (config.edge.ory) filters.push(firstPartyCookies(config.edge.ory));
  if (plan.tokens) filters.push(jwtAuthn(plan.tokens, plan.authorizer, config.oryTimeoutMs));
  if (judgesByItself(plan)) filters.push(...nativeFilters(plan));
  if (plan.authorizer) filters.push(...edgeCacheFilter(plan), extAuthz(config, plan, transport));
  filters.push({
    name: 'envoy.filters.http.router',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
      suppress_envoy_headers: true,
    },
  });
  return filters;
}

function judgesByItself({ rules }: Plan): boolean {
  return rules.some(({ verdict }) => verdict.kind === 'native' || verdict.kind === 'enforced');
}

function jwtAuthn(tokens: PlannedTokens, authorizer: boolean, timeoutMs: number): Block {
  return {
    [COMMENT]: authorizer
      ? 'Verifies access tokens and never refuses: whatever it cannot accept is the authorizer’s to judge.'
      : 'Verifies access tokens, and refuses what is none.',
    name: JWT_AUTHN,
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
      stat_prefix: 'ory',
      providers: {
        [PROVIDER]: {
          issuer: tokens.issuer,
          ...(tokens.audiences === 'any' ? {} : { audiences: tokens.audiences }),
          require_expiration: true,
          // Envoy cuts its clock to whole seconds, and would take a token up to one longer. 0 would mean 60 here.
          clock_skew_seconds: Math.max(1, Math.floor(tokens.clockSkewMs / 1_000) - 1),
          // Named, because the default also takes ?access_token= from the query.
          from_headers: [{ name: 'Authorization', value_prefix: 'Bearer ' }],
          forward: true,
          payload_in_metadata: PAYLOAD,
          header_in_metadata: HEADER,
          failed_status_in_metadata: FAILURE,
          normalize_payload_in_metadata: { space_delimited_claims: ['scope', 'scp'] },
          ...(tokens.native
            ? {
                claim_to_headers: tokens.headers.map(({ name, claims: [first = []] }) => ({
                  header_name: name,
                  claim_name: first.join('.'),
                })),
              }
            : {}),
          // Without jwt_cache_config: what is cached there outlives the removal of its key (Envoy 1.40).
          remote_jwks: remoteJwks(tokens.jwksUrl, authorizer, timeoutMs),
        },
      },
      requirement_map: {
        [TOKEN_REQUIREMENT]: authorizer
          ? { requires_any: { requirements: [{ provider_name: PROVIDER }, { allow_missing_or_failed: {} }] } }
          : { provider_name: PROVIDER },
      },
    },
  };
}

/** Fetched ahead of time: on demand, an issuer's outage would end every token with the cache. */
function remoteJwks(uri: string, authorizer: boolean, timeoutMs: number): Block {
  return {
    http_uri: { uri, cluster: JWKS_CLUSTER, timeout: seconds(timeoutMs) },
    // Fetched 5 s before it ends. Without an authorizer a new key is refused until then.
    cache_duration: authorizer ? '60s' : '10s',
    async_fetch: { fast_listener: true, failed_refetch_duration: '1s' },
    retry_policy: { num_retries: 2, retry_back_off: { base_interval: '0.2s', max_interval: '2s' } },
  };
}

function extAuthz(config: Config, plan: Plan, transport: Transport): Block {
  return {
    [COMMENT]: 'Asks the authorizer, and refuses where it does not answer.',
    name: EXT_AUTHZ,
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz',
      stat_prefix: 'ory',
      transport_api_version: 'V3',
      failure_mode_allow: false,
      status_on_error: { code: 'ServiceUnavailable' },
      validate_mutations: true,
      clear_route_cache: false,
      allowed_headers: exactly(CHECK_HEADERS),
      ...(judgesByItself(plan) || plan.edgeCache ? { filter_enabled_metadata: unlessDecided(plan) } : {}),
      ...(transport === 'http' ? httpService(config, plan) : grpcService(config, plan)),
    },
  };
}

/**
 * Three calls to Ory (one for a session that was under way and came too early, the session's own, the token's) and some
 * room: the authorizer's own 503 says more than a timeout.
 */
function checkTimeout(config: Config): string {
  return seconds(3 * config.oryTimeoutMs + 500);
}

/** A check changes nothing, so it may be asked twice. */
function checkRetry(config: Config): Block {
  return {
    num_retries: 1,
    retry_on: 'connect-failure,refused-stream,reset',
    // By default the second ask waits up to a second. Envoy takes `max_interval` for the bound of one try as well (1.40).
    retry_back_off: { base_interval: '0.025s', max_interval: checkTimeout(config) },
  };
}

function httpService(config: Config, plan: Plan): Block {
  return {
    http_service: {
      server_uri: {
        uri: config.edge.authorizer.origin,
        cluster: AUTHORIZER_CLUSTER,
        timeout: checkTimeout(config),
      },
      retry_policy: checkRetry(config),
      authorization_request: {
        headers_to_add: [{ key: WIRE.statusVia, value: 'metadata' }, ...nativeFindings(plan)],
      },
      authorization_response: {
        allowed_upstream_headers: exactly(plan.identityHeaders),
        allowed_client_headers: {
          patterns: [...DENIAL_HEADERS.map((exact) => ({ exact })), { prefix: 'access-control-' }],
        },
        allowed_client_headers_on_success: exactly(['set-cookie']),
        dynamic_metadata_from_headers: { patterns: [{ prefix: 'ory-' }] },
      },
    },
  };
}

function grpcService(config: Config, plan: Plan): Block {
  return {
    grpc_service: {
      envoy_grpc: { cluster_name: AUTHORIZER_CLUSTER, max_receive_message_length: MAX_ANSWER_BYTES },
      timeout: checkTimeout(config),
      retry_policy: checkRetry(config),
      ...(plan.tokens ? { initial_metadata: nativeFindings(plan) } : {}),
    },
    // Two lines of one credential stay two: joined, they could be read as one.
    encode_raw_headers: true,
    // What allowed_upstream_headers is over HTTP: whatever the authorizer says, it changes identity headers alone.
    decoder_header_mutation_rules: {
      disallow_all: true,
      allow_expression: { regex: [...plan.identityHeaders.map(separatorsAlike), quote(WIRE.edgeKey)].join('|') },
    },
  };
}

/** Why jwt_authn did not take a token. The claims stay here: the authorizer reads them in the token. */
function nativeFindings({ tokens }: Plan): Block[] {
  return tokens ? [{ key: WIRE.jwtFailure, value: `%DYNAMIC_METADATA(${JWT_AUTHN}:${FAILURE}:code)%` }] : [];
}

/** Above the largest answer that can be used: identity headers of 16 KiB each within the limits of an upstream. */
const MAX_ANSWER_BYTES = 262_144;

/** The spellings that the authorizer has removed. */
function separatorsAlike(name: string): string {
  return name.split(/[-_]/).map(quote).join('[-_.]');
}

function exactly(names: readonly string[]): Block {
  return { patterns: names.map((exact) => ({ exact })) };
}

function seconds(ms: number): string {
  return `${ms / 1000}s`;
}
