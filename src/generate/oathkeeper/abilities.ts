// What Oathkeeper and the Envoy before it do by themselves. There is nobody else to ask. No I/O.
import type { Abilities, Support } from '../abilities.ts';

const CLAIMS: Support = {
  kind: 'unsupported',
  why: 'Oathkeeper compares no claims; its remote_json authorizer would need a server of one’s own that does',
};

export const OATHKEEPER_ABILITIES: Abilities = {
  open: { kind: 'native', how: 'a route without ext_authz, and a rule with the authenticator noop' },
  session: { kind: 'native', how: 'cookie_session and bearer_token: whoami at every request, without aal and max_age' },
  jwt: {
    kind: 'native',
    how: 'the authenticator jwt, for one audience a rule; a template of the header mutator refuses ID tokens',
  },
  scopes: { kind: 'native', how: 'required_scope with scope_strategy exact' },
  text_claims: CLAIMS,
  other_claims: CLAIMS,
  nested_claims: CLAIMS,
  opaque: { kind: 'native', how: 'the authenticator oauth2_introspection, at every request' },
  any_of: {
    kind: 'native',
    how: 'authenticators in the order of the alternatives; one that refuses what it finds ends it',
  },
  identify: {
    kind: 'unsupported',
    why: 'the authenticator noop comes last, so whoever brings no credential is nobody; but a credential that is refused, or cannot be judged, is a denial',
  },
  redirect: { kind: 'native', how: 'the error handler redirect, for whatever would take text/html' },
  cors: { kind: 'native', how: 'a route for preflights; denials are without CORS headers' },
  first_match: {
    kind: 'native',
    how: 'expressions that leave out what is of an earlier rule: Oathkeeper refuses what two rules match',
  },
  path_refusal: { kind: 'native', how: 'a route before all others that answers 400' },
  header_spellings: { kind: 'native', how: 'a mutation of the request before its route is chosen' },
  problem_body: { kind: 'unsupported', why: 'denials are Oathkeeper’s own, without a reason' },
  outage: {
    kind: 'unsupported',
    why: 'an outage of Kratos or of the keys is a 401 or a 403 of Oathkeeper’s, one of Hydra’s introspection a 503',
  },
  edge_cache: { kind: 'unsupported', why: 'Oathkeeper says of no answer for how long it is good' },
  revocation: { kind: 'native', how: 'nothing is remembered: every request asks Kratos or Hydra' },
  key_rotation: { kind: 'native', how: 'keys are fetched anew for a kid that is not known, and every 30 s' },
  ory_path: { kind: 'native', how: 'a route before the rules' },
  upstreams: { kind: 'native', how: 'a cluster for each' },
};
