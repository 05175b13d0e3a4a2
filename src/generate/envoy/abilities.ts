// What a standalone Envoy does by itself, and what it asks. No I/O.
import type { Abilities } from '../abilities.ts';

export const ENVOY_ABILITIES: Abilities = {
  open: { kind: 'native', how: 'a route without ext_authz' },
  session: { kind: 'asked', why: 'only Kratos knows whether a session is alive' },
  jwt: { kind: 'native', how: 'jwt_authn, and RBAC over what it has verified; every no is asked about' },
  scopes: { kind: 'native', how: 'RBAC over the verified claims' },
  text_claims: { kind: 'native', how: 'RBAC over the verified claims' },
  other_claims: { kind: 'native', how: 'RBAC over the verified claims' },
  nested_claims: { kind: 'native', how: 'RBAC over the verified claims' },
  opaque: { kind: 'asked', why: 'only Hydra knows whether an opaque token is active' },
  any_of: { kind: 'native', how: 'the yes to a token, where no session comes before it; the rest is asked about' },
  identify: {
    kind: 'native',
    how: 'a request without a credential and one with a good token; the rest is asked about',
  },
  redirect: { kind: 'asked', why: 'the authorizer knows who is a browser, and counts how often it was sent away' },
  cors: { kind: 'asked', why: 'the authorizer answers preflights, and denials that a page may read' },
  first_match: { kind: 'native', how: 'routes in the order of the rules' },
  path_refusal: { kind: 'native', how: 'a route before all others that answers 400' },
  header_spellings: { kind: 'native', how: 'a mutation of the request before its route is chosen' },
  problem_body: { kind: 'asked', why: 'every no of a rule is the authorizer’s own' },
  outage: { kind: 'native', how: 'status_on_error and a local reply; of Ory’s outage the authorizer says it' },
  edge_cache: { kind: 'native', how: 'a Lua filter before ext_authz' },
  revocation: {
    kind: 'native',
    how: 'the script is read anew from a file (`--envoy-config`), which empties every worker',
  },
  key_rotation: {
    kind: 'native',
    how: 'the keys are read anew from a file (`--envoy-config`); else unknown ones are asked about',
  },
  ory_path: { kind: 'native', how: 'a route before the rules' },
  upstreams: { kind: 'native', how: 'a cluster for each' },
};
