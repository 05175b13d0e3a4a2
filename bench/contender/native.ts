// What Envoy does without asking anybody: nothing at all, and verifying JWTs. Starts programs.

import { AUDIENCE } from '../stand-in/issuer.ts';
import type { Contender, Surroundings } from './contender.ts';
import { startFrame } from './envoy.ts';
import type { Json } from './frame.ts';
import { frameOf, withoutFilters, withoutFrame } from './frame.ts';
import { policyOf } from './policy.ts';

const NO_PORTS = { http: 1, grpc: 1, admin: 1 };

/** The frame that all share, changed, with nobody to ask. */
function alone(
  credential: Contender['credential'],
  change: (frame: ReturnType<typeof frameOf>, surroundings: Surroundings) => void,
): Contender['start'] {
  return async (surroundings) => {
    const { config } = policyOf(surroundings, { credential, edgeTtl: '0s', ports: NO_PORTS });
    const frame = frameOf(config);
    change(frame, surroundings);
    const envoy = await startFrame(surroundings, frame);
    return { envoy, authorizer: undefined, close: () => envoy.stop() };
  };
}

/** What the frame itself costs that all others share: one route to the application, with what Envoy has by itself. */
export const bare: Contender = {
  id: 'bare',
  title: 'bare Envoy: one route, no log, no checks of its own',
  credential: 'cookie',
  identifies: false,
  refuses: false,
  start: alone('cookie', (frame) => {
    withoutFilters(frame);
    withoutFrame(frame);
  }),
};

export const noAuth: Contender = {
  id: 'no-auth',
  title: 'Envoy without auth',
  credential: 'cookie',
  identifies: false,
  refuses: false,
  start: alone('cookie', withoutFilters),
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
  start: alone('cookie', (frame, { issuer }) => {
    withoutFilters(frame);
    frame.filters.unshift(jwtFilter(issuer.name, issuer.jwks));
  }),
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
  // The authorizer that it would ask about anything else is not there: the yes is Envoy's own.
  start: alone('JWT', () => {}),
};
