// What each target can do by itself, what it asks the authorizer about, and what it cannot do at all. The reference page is
// made of these tables, and the matrix of conformance/targets/ holds them to what real edges do. No I/O.
import { ENVOY_ABILITIES } from './envoy/abilities.ts';
import { ENVOY_GATEWAY_ABILITIES } from './envoy-gateway/abilities.ts';
import { ISTIO_ABILITIES } from './istio/abilities.ts';
import { OATHKEEPER_ABILITIES } from './oathkeeper/abilities.ts';
import type { Target } from './target.ts';

/** What a policy may ask of an edge, in a sentence's words. */
export const FEATURES = {
  open: 'a rule with `allow: anyone`',
  session: 'a session',
  jwt: 'a JWT of the issuer, for an audience',
  scopes: 'scopes of a JWT',
  text_claims: 'a claim that is text',
  other_claims: 'a claim that is a number or a boolean',
  nested_claims: 'a claim inside of another',
  opaque: 'an opaque token',
  any_of: 'sessions or tokens at one rule',
  identify: '`identify: true`',
  redirect: '`unauthenticated: redirect`',
  cors: '`cors`',
  first_match: 'first match wins, over hosts, globs and methods',
  path_refusal: 'a path with two readings is refused',
  header_spellings: 'identity headers of a client are removed in every spelling',
  problem_body: 'every denial has a problem body with its reason',
  outage: 'an outage is a 503, never a 401',
  edge_cache: 'a yes of the authorizer is remembered',
  revocation: 'a revocation counts at once, remembered or not',
  key_rotation: 'a new key is taken at once',
  ory_path: '`edge.ory_path`',
  upstreams: '`edge.upstream`, `edge.upstreams`',
} as const;
export type Feature = keyof typeof FEATURES;

/** `why`: in a sentence's words, such as could stand behind "asked:". */
export type Support =
  /** `how`: by what of the target. `from`: the first version that can; undefined: all that are known. */
  | { readonly kind: 'native'; readonly how: string; readonly from?: string }
  | { readonly kind: 'asked'; readonly why: string }
  /** `issue`: of the target's own project, such as `istio/istio#1234`. */
  | { readonly kind: 'unsupported'; readonly why: string; readonly issue?: string };

export type Abilities = Readonly<Record<Feature, Support>>;

export const ABILITIES_OF: Readonly<Record<Target, Abilities>> = {
  envoy: ENVOY_ABILITIES,
  'envoy-gateway': ENVOY_GATEWAY_ABILITIES,
  istio: ISTIO_ABILITIES,
  oathkeeper: OATHKEEPER_ABILITIES,
};
