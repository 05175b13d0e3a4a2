// jwt_authn: verifies access tokens, with keys that it fetches or that it is given. No I/O.
import type { Plan, PlannedTokens } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { JWKS_CLUSTER } from './clusters.ts';
import { JWT_AUTHN } from './filter-names.ts';
import { FAILURE, HEADER, PAYLOAD } from './native-yes.ts';

/** Key of the requirement map that routes name. */
export const TOKEN_REQUIREMENT = 'token';
const PROVIDER = 'hydra';

/** For how long behind its end jwt_authn takes a token where nobody says so: targets that have no field for it. */
export const DEFAULT_SKEW_MS = 60_000;

export const JWT_AUTHN_TYPE = 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication';

/** For an Envoy that fetches the issuer's keys itself. */
export function jwtAuthn(tokens: PlannedTokens, { authorizer }: Plan, timeoutMs: number): Block {
  return {
    [COMMENT]: authorizer
      ? 'Verifies access tokens and never refuses: whatever it cannot accept is the authorizer’s to judge.'
      : 'Verifies access tokens, and refuses what is none.',
    name: JWT_AUTHN,
    typed_config: jwtAuthnConfig(tokens, authorizer, {
      // Without jwt_cache_config: what is cached there outlives the removal of its key (Envoy 1.40).
      remote_jwks: remoteJwks(tokens.jwksUrl, authorizer, timeoutMs),
    }),
  };
}

/** `keys`: fields of the provider that say where the keys are. */
function jwtAuthnConfig(tokens: PlannedTokens, authorizer: boolean, keys: Block): Block {
  return {
    '@type': JWT_AUTHN_TYPE,
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
        ...keys,
      },
    },
    requirement_map: {
      [TOKEN_REQUIREMENT]: authorizer
        ? { requires_any: { requirements: [{ provider_name: PROVIDER }, ASK] } }
        : { provider_name: PROVIDER },
    },
  };
}

/** Whatever comes goes on to the authorizer. */
export const ASK: Block = { allow_missing_or_failed: {} };

/** With the authorizer's own keys, as a JWKS: for an Envoy that is given others whenever they change. */
export function jwtAuthnWithKeys(tokens: PlannedTokens, jwks: string): Block {
  return jwtAuthnConfig(tokens, true, {
    local_jwks: { inline_string: jwks },
    // Other keys are another configuration of the filter, and its cache is a new one. It measures time as without it.
    jwt_cache_config: { jwt_cache_size: CACHED_TOKENS },
  });
}

/** In each worker; a token has at most 4 KiB there. */
const CACHED_TOKENS = 5_000;

/** Verifies nothing, so that the authorizer is asked about every token. Without the map a route would refuse (403). */
export const JWT_AUTHN_WITHOUT_KEYS: Block = {
  '@type': JWT_AUTHN_TYPE,
  stat_prefix: 'ory',
  requirement_map: { [TOKEN_REQUIREMENT]: ASK },
};

/** Fetched ahead of time: on demand, an issuer's outage would end every token with the cache. */
function remoteJwks(uri: string, authorizer: boolean, timeoutMs: number): Block {
  return {
    http_uri: { uri, cluster: JWKS_CLUSTER, timeout: `${timeoutMs / 1_000}s` },
    // Fetched 5 s before it ends. Without an authorizer a new key is refused until then.
    cache_duration: authorizer ? '60s' : '10s',
    async_fetch: { fast_listener: true, failed_refetch_duration: '1s' },
    retry_policy: { num_retries: 2, retry_back_off: { base_interval: '0.2s', max_interval: '2s' } },
  };
}
