// The claims that every access token may have (RFC 7519, section 4.1; RFC 7662, section 2.2): their types, and time. No I/O.
import type { RejectReason } from '../reason.ts';
import type { JsonObject } from './identity.ts';
import { MAX_TIME } from './jws.ts';

/** What is left to read once {@link areRegisteredTypes} has said yes. */
export interface RegisteredClaims {
  readonly iss?: string;
  readonly aud?: string | readonly string[];
  readonly client_id?: string;
  /** Seconds since the epoch, as `nbf`. */
  readonly exp?: number;
  readonly nbf?: number;
}

/** A claim that is there has its type: what another program would read in its own way is read by nobody. */
export function areRegisteredTypes(claims: JsonObject): claims is JsonObject & RegisteredClaims {
  const { iss, sub, aud, client_id: clientId, exp, nbf, iat } = claims;
  const strings = [iss, sub, clientId].every((value) => value === undefined || typeof value === 'string');
  const times = [exp, nbf, iat].every(
    (value) => value === undefined || (typeof value === 'number' && Math.abs(value) < MAX_TIME),
  );
  const audience =
    aud === undefined || typeof aud === 'string' || (Array.isArray(aud) && aud.every((one) => typeof one === 'string'));
  return strings && times && audience;
}

export function timeFault(
  { exp, nbf }: RegisteredClaims,
  nowMs: number,
  clockSkewMs: number,
): Extract<RejectReason, 'token_expired' | 'token_not_yet_valid'> | undefined {
  if (exp !== undefined && nowMs >= exp * 1_000 + clockSkewMs) return 'token_expired';
  if (nbf !== undefined && nowMs < nbf * 1_000 - clockSkewMs) return 'token_not_yet_valid';
  return undefined;
}

/** `aud` as a list. */
export function audiencesOf({ aud = [] }: RegisteredClaims): readonly string[] {
  return typeof aud === 'string' ? [aud] : aud;
}
