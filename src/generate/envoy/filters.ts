// The HTTP filters, in order: jwt_authn where a rule takes tokens, RBAC for Envoy's own yes, the edge cache, ext_authz,
// router; trailers and Ory's cookies before them where there are any. No I/O.
import { WIRE } from '../../check/wire.ts';
import type { Config } from '../../config/config.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT, type Value } from '../yaml.ts';
import { AUTHORIZER_CLUSTER } from './clusters.ts';
import { edgeCacheFilter } from './edge-cache.ts';
import { EXT_AUTHZ, JWT_AUTHN } from './filter-names.ts';
import { trailerStripping } from './header-stripping.ts';
import { jwtAuthn } from './jwt-authn.ts';
import { FAILURE, nativeFilters, unlessDecided } from './native-yes.ts';
import { firstPartyCookies } from './ory-path.ts';
import { quote } from './path-matchers.ts';
import type { Transport } from './transport.ts';

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
export const DENIAL_HEADERS = [
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
  if (plan.tokens) filters.push(jwtAuthn(plan.tokens, plan, config.oryTimeoutMs));
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
export function checkTimeoutMs({ oryTimeoutMs }: Config): number {
  return 3 * oryTimeoutMs + 500;
}

/** The same as Envoy writes durations. */
export function checkTimeout(config: Config): string {
  return seconds(checkTimeoutMs(config));
}

/** A check changes nothing, so it may be asked twice. */
export function checkRetry(config: Config): Block {
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
    ...grpcReading(plan),
  };
}

/** Fields of ext_authz over gRPC that hold whoever asks. */
export function grpcReading(plan: Plan): Block {
  return {
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

export function exactly(names: readonly string[]): Block {
  return { patterns: names.map((exact) => ({ exact })) };
}

function seconds(ms: number): string {
  return `${ms / 1000}s`;
}
