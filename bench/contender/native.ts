// What Envoy does without asking anybody: nothing at all, and verifying JWTs. Starts programs.

import { AUDIENCE } from '../stand-in/issuer.ts';
import type { Contender } from './contender.ts';
import { startFrame } from './envoy.ts';
import type { Json } from './frame.ts';
import { frameOf, withoutFilters, withoutFrame } from './frame.ts';
import { policyOf } from './policy.ts';

const NO_PORTS = { http: 1, grpc: 1, admin: 1 };

/** What the frame itself costs that all others share: one route to the application, with what Envoy has by itself. */
export const bare: Contender = {
  id: 'bare',
  title: 'bare Envoy: one route, no log, no checks of its own',
  credential: 'cookie',
  identifies: false,
  refuses: false,
  async start(surroundings) {
    const { config } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '0s', ports: NO_PORTS });
    const frame = frameOf(config);
    withoutFilters(frame);
    withoutFrame(frame);
    const envoy = await startFrame(surroundings, frame);
    return { envoy, authorizer: undefined, close: () => envoy.stop() };
  },
};

export const noAuth: Contender = {
  id: 'no-auth',
  title: 'Envoy without auth',
  credential: 'cookie',
  identifies: false,
  refuses: false,
  async start(surroundings) {
    const { config } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '0s', ports: NO_PORTS });
    const frame = frameOf(config);
    withoutFilters(frame);
    const envoy = await startFrame(surroundings, frame);
    return { envoy, authorizer: undefined, close: () => envoy.stop() };
  },
};

/** Envoy's default remembers a hundred tokens a worker. */
const REMEMBERED_TOKENS = 100_000;

/** As one writes it by hand: the keys at hand, the cache large enough for everyone. */
export const jwtAuthn: Contender = {
  id: 'jwt-authn',
  title: 'jwt_authn, ES256, cached',
  credential: 'JWT',
  identifies: true,
  refuses: true,
  async start(surroundings) {
    const { config } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '0s', ports: NO_PORTS });
    const frame = frameOf(config);
    withoutFilters(frame);
    frame.filters.unshift(jwtFilter(surroundings.issuer.name, surroundings.issuer.jwks));
    const envoy = await startFrame(surroundings, frame);
    return { envoy, authorizer: undefined, close: () => envoy.stop() };
  },
};

function jwtFilter(issuer: string, jwks: string): Json {
  return {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
      providers: {
        hydra: {
          issuer,
          audiences: [AUDIENCE],
          require_expiration: true,
          from_headers: [{ name: 'Authorization', value_prefix: 'Bearer ' }],
          forward: true,
          claim_to_headers: [
            { header_name: 'X-User-Id', claim_name: 'sub' },
            { header_name: 'X-User-Email', claim_name: 'ext.email' },
          ],
          local_jwks: { inline_string: jwks },
          jwt_cache_config: { jwt_cache_size: REMEMBERED_TOKENS, jwt_max_token_size: 4_096 },
        },
      },
      rules: [{ match: { prefix: '/' }, requires: { provider_name: 'hydra' } }],
    },
  };
}

/**
 * A rule that takes tokens, as `generate envoy` has it where Envoy fetches the keys itself: without a cache, since that
 * outlives the removal of a key. With `--envoy-config` there is one.
 */
export const nativeToken: Contender = {
  id: 'native-token',
  title: 'token rule (native, keys fetched, nothing cached)',
  credential: 'JWT',
  identifies: true,
  refuses: false,
  async start(surroundings) {
    const { config } = policyOf(surroundings, { credential: 'JWT', edgeTtl: '0s', ports: NO_PORTS });
    // The authorizer that it would ask about anything else is not there: the yes is Envoy's own.
    const envoy = await startFrame(surroundings, frameOf(config));
    return { envoy, authorizer: undefined, close: () => envoy.stop() };
  },
};
