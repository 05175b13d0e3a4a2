// The closed list of reasons: every verdict, log line, metric and answer uses these words. No I/O.

export type AllowReason = 'session' | 'token' | 'anonymous';

/** Every denial, its HTTP status, and the one sentence that the client is given. */
export const DENIALS = {
  credential_missing: { status: 401, title: 'Authentication is required' },
  credential_malformed: { status: 401, title: 'The credential is malformed' },
  session_invalid: { status: 401, title: 'The session is not valid' },
  token_malformed: { status: 401, title: 'The access token is malformed' },
  token_expired: { status: 401, title: 'The access token has expired' },
  token_not_yet_valid: { status: 401, title: 'The access token is not valid yet' },
  token_signature_invalid: { status: 401, title: 'The access token has no valid signature' },
  token_algorithm_forbidden: { status: 401, title: 'The access token is signed with a forbidden algorithm' },
  token_key_unknown: { status: 401, title: 'The access token is signed with an unknown key' },
  token_issuer_mismatch: { status: 401, title: 'The access token is from another issuer' },
  token_audience_mismatch: { status: 401, title: 'The access token is for another audience' },
  token_kind_wrong: { status: 401, title: 'The token is not an access token that is taken here' },
  token_inactive: { status: 401, title: 'The access token is not active' },
  aal_insufficient: { status: 403, title: 'A second factor is required' },
  session_too_old: { status: 403, title: 'A recent login is required' },
  scope_insufficient: { status: 403, title: 'The access token lacks a scope' },
  claim_mismatch: { status: 403, title: 'The access token lacks a claim' },
  no_rule: { status: 403, title: 'No rule allows this request' },
  path_ambiguous: { status: 400, title: 'The path is ambiguous' },
  credential_ambiguous: { status: 400, title: 'Two different credentials are in one place' },
  ory_unreachable: { status: 503, title: 'Ory cannot be reached' },
  ory_error: { status: 503, title: 'Ory gave no usable answer' },
  ory_rate_limited: { status: 503, title: 'Ory limits the rate of requests' },
  jwks_unavailable: { status: 503, title: 'The keys of the token issuer are not available' },
  internal_error: { status: 503, title: 'The request could not be judged' },
} as const satisfies Record<string, { status: 400 | 401 | 403 | 503; title: string }>;

export type DenyReason = keyof typeof DENIALS;

export type Reason = AllowReason | DenyReason;

/** Reasons of a credential that was read and is refused for good. */
export type RejectReason = Exclude<DenyReason, UnavailableReason | 'credential_missing' | 'no_rule' | 'path_ambiguous'>;

/** Reasons of a question that could not be asked. */
export type UnavailableReason =
  | 'ory_unreachable'
  | 'ory_error'
  | 'ory_rate_limited'
  | 'jwks_unavailable'
  | 'internal_error';
