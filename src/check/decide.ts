// From a rule and what a credential turned out to be, to allow or deny. No I/O.
import type { Requirement } from '../config/config.ts';
import type { Extraction } from './credential/credential.ts';
import type { Identity, Verification } from './identity/identity.ts';
import type { RejectReason, UnavailableReason } from './reason.ts';

/** How one alternative of a rule came out. */
export type Attempt =
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused'; readonly reason: RejectReason; readonly remedyUrl?: string | undefined }
  | { readonly kind: 'unavailable'; readonly reason: UnavailableReason; readonly retryAfterSeconds: number | undefined }
  | { readonly kind: 'satisfied'; readonly identity: Identity; readonly setCookie: readonly string[] };

/** Of a credential that was not even found, or not readable. */
export function attemptWithout(extraction: Exclude<Extraction, { kind: 'found' }>): Attempt {
  switch (extraction.kind) {
    case 'absent':
      return { kind: 'missing' };
    case 'malformed':
      return { kind: 'refused', reason: 'credential_malformed' };
    case 'ambiguous':
      return { kind: 'refused', reason: 'credential_ambiguous' };
  }
}

/** Of a credential that was verified: whether it is what the requirement asks for. */
export function attemptWith(verification: Verification, requirement: Requirement): Attempt {
  switch (verification.kind) {
    case 'rejected':
      return { kind: 'refused', reason: verification.reason, remedyUrl: verification.remedyUrl };
    case 'unavailable':
      return verification;
    case 'verified': {
      const reason = unmet(verification.identity, requirement);
      return reason
        ? { kind: 'refused', reason }
        : { kind: 'satisfied', identity: verification.identity, setCookie: verification.setCookie };
    }
  }
}

function unmet(identity: Identity, requirement: Requirement): RejectReason | undefined {
  if (identity.kind !== requirement.kind) return identity.kind === 'token' ? 'token_kind_wrong' : 'session_invalid';
  if (identity.kind !== 'token' || requirement.kind !== 'token' || requirement.audiences.length === 0) return undefined;
  return identity.audiences.some((audience) => requirement.audiences.includes(audience))
    ? undefined
    : 'token_audience_mismatch';
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
