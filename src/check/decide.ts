// From a rule and what a credential turned out to be, to allow or deny. No I/O.
import type { ClaimRequirement, Requirement, SessionRequirement, TokenRequirement } from '../config/config.ts';
import type { Extraction } from './credential/credential.ts';
import { scopesOf, valueAt } from './identity/claims.ts';
import type { Identity, JsonObject, Verification } from './identity/identity.ts';
import type { RejectReason, UnavailableReason } from './reason.ts';

/** How one alternative of a rule came out. */
export type Attempt =
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'refused';
      readonly reason: RejectReason;
      readonly requirement: Requirement;
      readonly remedyUrl?: string | undefined;
    }
  | { readonly kind: 'unavailable'; readonly reason: UnavailableReason; readonly retryAfterSeconds: number | undefined }
  | { readonly kind: 'satisfied'; readonly identity: Identity; readonly setCookie: readonly string[] };

/** Of a credential that was not even found, or not readable. */
export function attemptWithout(extraction: Exclude<Extraction, { kind: 'found' }>, requirement: Requirement): Attempt {
  switch (extraction.kind) {
    case 'absent':
      return { kind: 'missing' };
    case 'malformed':
      return { kind: 'refused', reason: 'credential_malformed', requirement };
    case 'ambiguous':
      return { kind: 'refused', reason: 'credential_ambiguous', requirement };
  }
}

/** Of a credential that was verified: whether it is what the requirement asks for. */
export function attemptWith(verification: Verification, requirement: Requirement, nowMs: number): Attempt {
  switch (verification.kind) {
    case 'rejected':
      return { kind: 'refused', reason: verification.reason, requirement, remedyUrl: verification.remedyUrl };
    case 'unavailable':
      return verification;
    case 'verified': {
      const reason = unmet(verification.identity, requirement, nowMs);
      return reason
        ? { kind: 'refused', reason, requirement }
        : { kind: 'satisfied', identity: verification.identity, setCookie: verification.setCookie };
    }
  }
}

/** What an identity lacks of a requirement; undefined where it satisfies it. */
export function unmet(identity: Identity, requirement: Requirement, nowMs: number): RejectReason | undefined {
  if (identity.kind === 'session' && requirement.kind === 'session')
    return unmetBySession(identity.session, requirement, nowMs);
  if (identity.kind === 'token' && requirement.kind === 'token') return unmetByToken(identity, requirement);
  return identity.kind === 'token' ? 'token_kind_wrong' : 'session_invalid';
}

/** The second factor first: giving it is a login too. */
function unmetBySession(
  session: JsonObject,
  { aal, maxAgeMs }: SessionRequirement,
  nowMs: number,
): RejectReason | undefined {
  const level = session['authenticator_assurance_level'];
  if (aal === 'aal2' ? level !== 'aal2' : aal === 'aal1' && level !== 'aal1' && level !== 'aal2')
    return 'aal_insufficient';
  if (maxAgeMs === undefined) return undefined;
  const at = session['authenticated_at'];
  const authenticatedAt = typeof at === 'string' ? Date.parse(at) : Number.NaN;
  // Not "older": a time that cannot be read is too old as well.
  return nowMs - authenticatedAt < maxAgeMs ? undefined : 'session_too_old';
}

function unmetByToken(
  { audiences, claims }: Identity & { kind: 'token' },
  requirement: TokenRequirement,
): RejectReason | undefined {
  const wanted = requirement.audiences;
  if (wanted.length > 0 && !audiences.some((audience) => wanted.includes(audience))) return 'token_audience_mismatch';
  const scopes = scopesOf(claims) ?? [];
  if (!requirement.scopes.every((scope) => scopes.includes(scope))) return 'scope_insufficient';
  return requirement.claims.every((claim) => holds(claims, claim)) ? undefined : 'claim_mismatch';
}

function holds(claims: JsonObject, { path, value }: ClaimRequirement): boolean {
  const claim = valueAt(claims, path);
  return Array.isArray(claim) ? claim.includes(value) : claim === value;
}

/**
 * What stands when no alternative was satisfied: an outage first, since the one that could not be asked might have
 * been a yes; else the last one that was tried with a credential; else nothing was presented.
 */
export function strongest(
  attempts: readonly Exclude<Attempt, { kind: 'satisfied' }>[],
): Exclude<Attempt, { kind: 'satisfied' }> {
  return (
    attempts.find((attempt) => attempt.kind === 'unavailable') ??
    attempts.findLast((attempt) => attempt.kind === 'refused') ?? { kind: 'missing' }
  );
}
