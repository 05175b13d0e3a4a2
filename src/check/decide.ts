// From a rule and what a credential turned out to be, to allow or deny. No I/O.
import type { ClaimRequirement, Requirement, SessionRequirement, TokenRequirement } from '../config/config.ts';
import type { Credential, Extraction } from './credential/credential.ts';
import type { CachedVerification, Verified } from './identity/cache/memory.ts';
import { isRounded, scopesOf, valueAt } from './identity/claims.ts';
import type { Identity, JsonObject } from './identity/identity.ts';
import { rfc3339Ms } from './identity/rfc3339.ts';
import type { RejectReason, UnavailableReason } from './reason.ts';
import type { Remember } from './verdict.ts';

/** How one alternative of a rule came out. */
export type Attempt =
  | { readonly kind: 'missing' }
  | {
      readonly kind: 'refused';
      readonly reason: RejectReason;
      readonly requirement: Requirement;
      /** Where Kratos itself sends a browser to put it right. */
      readonly remedyUrl?: string | undefined;
      readonly loginQuery?: LoginQuery | undefined;
    }
  | { readonly kind: 'unavailable'; readonly reason: UnavailableReason; readonly retryAfterSeconds: number | undefined }
  | {
      readonly kind: 'satisfied';
      readonly identity: Identity;
      readonly setCookie: readonly string[];
      readonly remember: Remember | undefined;
    };

/**
 * What Kratos's login flow is asked for, so that a living session becomes one that satisfies the rule. Each renews
 * `authenticated_at` and leaves the session its id, its token and its level (Kratos v1.3.1); `refresh` alone asks for the
 * first factor, with `aal=aal2` for the second one and for nothing else.
 */
export type LoginQuery = 'aal=aal2' | 'refresh=true' | 'refresh=true&aal=aal2';

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
export function attemptWith(
  verification: CachedVerification,
  credential: Credential,
  requirement: Requirement,
  nowMs: number,
): Attempt {
  switch (verification.kind) {
    case 'rejected':
      return {
        kind: 'refused',
        reason: verification.reason,
        requirement,
        remedyUrl: verification.remedyUrl,
        loginQuery: verification.reason === 'aal_insufficient' ? 'aal=aal2' : undefined,
      };
    case 'unavailable':
      return verification;
    case 'verified': {
      const reason = unmet(verification.identity, requirement, nowMs);
      return reason
        ? { kind: 'refused', reason, requirement, loginQuery: loginQueryFor(reason, requirement) }
        : {
            kind: 'satisfied',
            identity: verification.identity,
            setCookie: verification.setCookie,
            remember: remember(verification, credential, requirement),
          };
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
  const ageMs = nowMs - authenticatedAt(session);
  // Not "older": a time that cannot be read is too old as well, and so is one that has not come yet.
  return ageMs < maxAgeMs && ageMs >= -MAX_CLOCK_DIFFERENCE_MS ? undefined : 'session_too_old';
}

/** Until when the same credential satisfies the requirement, as far as is known now. */
function remember(
  { identity, freshUntilMs }: Verified,
  credential: Credential,
  requirement: Requirement,
): Remember | undefined {
  // A JWT is Envoy's to judge: what the edge remembered of it would outlive its key.
  if (identity.kind === 'token' && identity.proof === 'key') return undefined;
  return { credential, untilMs: Math.min(freshUntilMs, tooOldFromMs(identity, requirement)) };
}

/** The moment at which `max_age` ends. */
function tooOldFromMs(identity: Identity, requirement: Requirement): number {
  return identity.kind === 'session' && requirement.kind === 'session' && requirement.maxAgeMs !== undefined
    ? authenticatedAt(identity.session) + requirement.maxAgeMs
    : Number.POSITIVE_INFINITY;
}

/** How far Kratos's clock may be ahead: a login that has just happened must not be one of the future. */
const MAX_CLOCK_DIFFERENCE_MS = 60_000;

function authenticatedAt(session: JsonObject): number {
  const at = session['authenticated_at'];
  return typeof at === 'string' ? rfc3339Ms(at) : Number.NaN;
}

/** At the level that the rule asks for: whoever is to be there at aal2 confirms it with the second factor. */
function loginQueryFor(reason: RejectReason, requirement: Requirement): LoginQuery | undefined {
  if (requirement.kind !== 'session') return undefined;
  const { aal } = requirement;
  if (reason === 'aal_insufficient') return aal === 'aal2' ? 'aal=aal2' : 'refresh=true';
  if (reason === 'session_too_old') return aal === 'aal2' ? 'refresh=true&aal=aal2' : 'refresh=true';
  return undefined;
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
  // Equal to it would be every number that was rounded to it.
  if (isRounded(value)) return false;
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
