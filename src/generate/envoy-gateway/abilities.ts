// What Envoy Gateway does by itself, and what it asks. No I/O.
import type { Abilities } from '../abilities.ts';

const CEL = 'SecurityPolicy.jwt, and authorization by CEL over the verified claims, which refuses the rest by itself';

export const ENVOY_GATEWAY_ABILITIES: Abilities = {
  open: { kind: 'native', how: 'a SecurityPolicy for the rule that allows everybody' },
  session: { kind: 'asked', why: 'only Kratos knows whether a session is alive' },
  jwt: { kind: 'native', how: CEL, from: '1.9' },
  scopes: { kind: 'native', how: CEL, from: '1.9' },
  text_claims: { kind: 'native', how: CEL, from: '1.9' },
  other_claims: { kind: 'native', how: CEL, from: '1.9' },
  nested_claims: { kind: 'native', how: CEL, from: '1.9' },
  opaque: { kind: 'asked', why: 'only Hydra knows whether an opaque token is active' },
  any_of: { kind: 'asked', why: 'a filter of the gateway refuses what it does not allow; several tokens are native' },
  identify: { kind: 'asked', why: 'a token that is refused must leave no identity behind' },
  redirect: { kind: 'asked', why: 'the authorizer knows who is a browser, and counts how often it was sent away' },
  cors: { kind: 'asked', why: 'a preflight has no token, and a page may read a denial' },
  first_match: { kind: 'native', how: 'one HTTPRoute for all hosts, its paths written in the order of precedence' },
  path_refusal: { kind: 'asked', why: 'whatever is judged natively matches no such path' },
  header_spellings: { kind: 'native', how: 'ClientTrafficPolicy.headers.earlyRequestHeaders.removeOnMatch' },
  problem_body: {
    kind: 'unsupported',
    why: 'a rule that the gateway judges by itself is refused in its own words, and so is an outage of the authorizer',
  },
  outage: { kind: 'native', how: 'statusOnError, without a body; of Ory’s outage the authorizer says it' },
  edge_cache: {
    kind: 'unsupported',
    why: 'a SecurityPolicy has no condition on which extAuth is left out; the authorizer remembers what Ory said',
  },
  revocation: { kind: 'native', how: 'no Envoy remembers a yes; of the authorizer each replica is told' },
  key_rotation: {
    kind: 'unsupported',
    why: 'the keys are fetched once a minute, and a token of a newer one is refused until then',
    issue: 'envoyproxy/gateway#4180',
  },
  ory_path: { kind: 'unsupported', why: 'its routes have no field that makes the cookies of Ory the edge’s own' },
  upstreams: { kind: 'native', how: 'Services, Backends outside of the cluster, BackendTLSPolicies' },
};
