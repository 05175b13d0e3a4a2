// What Istio's objects do by themselves, and what is asked. No I/O.
import type { Abilities } from '../abilities.ts';

const ALONE = 'where no rule of the policy is asked; else asked';

export const ISTIO_ABILITIES: Abilities = {
  open: { kind: 'native', how: 'left out of what the CUSTOM policy matches, or an ALLOW' },
  session: { kind: 'asked', why: 'only Kratos knows whether a session is alive' },
  jwt: { kind: 'native', how: `RequestAuthentication, and an ALLOW over the verified claims, ${ALONE}` },
  scopes: { kind: 'native', how: `an ALLOW over the verified claims, ${ALONE}` },
  text_claims: { kind: 'native', how: `an ALLOW over the verified claims, ${ALONE}` },
  other_claims: { kind: 'asked', why: 'an AuthorizationPolicy compares text alone' },
  nested_claims: { kind: 'native', how: `an ALLOW over the verified claims, ${ALONE}` },
  opaque: { kind: 'asked', why: 'only Hydra knows whether an opaque token is active' },
  any_of: { kind: 'asked', why: 'only Kratos knows whether a session is alive' },
  identify: { kind: 'asked', why: 'a token that is refused must leave no identity behind' },
  redirect: { kind: 'asked', why: 'the authorizer knows who is a browser, and counts how often it was sent away' },
  cors: { kind: 'asked', why: 'the authorizer answers preflights, and denials that a page may read' },
  first_match: {
    kind: 'native',
    how: 'paths, hosts and methods from which earlier rules are taken away; what that cannot say is asked',
  },
  path_refusal: { kind: 'native', how: 'an RBAC filter of the EnvoyFilter, before all others' },
  header_spellings: { kind: 'native', how: 'a mutation of the request by the EnvoyFilter, before all filters' },
  problem_body: {
    kind: 'unsupported',
    why: 'where nobody is asked, a refusal has Istio’s own words and status: 401 for a token that is no good, 403 for one that is missing or does not suffice',
  },
  outage: { kind: 'native', how: 'statusOnError; of Ory’s outage the authorizer says it' },
  edge_cache: { kind: 'native', how: 'a Lua filter of the EnvoyFilter, before ext_authz (`--edge-cache`)' },
  revocation: {
    kind: 'unsupported',
    why: 'the script stands in the EnvoyFilter, which no revocation reaches: a remembered yes ends with cache.edge_ttl',
  },
  key_rotation: {
    kind: 'unsupported',
    why: 'istiod fetches the keys every 20 minutes, and where nobody is asked a new one is refused until then',
  },
  ory_path: { kind: 'unsupported', why: 'routes are yours there (VirtualService, HTTPRoute)' },
  upstreams: { kind: 'unsupported', why: 'routes are yours there (VirtualService, HTTPRoute)' },
};
