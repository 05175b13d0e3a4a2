// JWT access tokens of Ory Hydra (RFC 9068 in spirit, Hydra's shape in the letter): verified here, through jose.
// Does I/O only through the key set.
import { errors, jwtVerify } from 'jose';
import type { Clock } from '../clock.ts';
import type { RejectReason } from '../reason.ts';
import {
  type JsonObject,
  rejected,
  type TokenIdentity,
  unavailable,
  type Verification,
  type Verifier,
} from './identity.ts';
import type { Jwks, KeySet } from './jwks.ts';
import { ALGORITHMS, readJws } from './jws.ts';
import { areRegisteredTypes, audiencesOf, type RegisteredClaims, timeFault } from './registered-claims.ts';

export interface JwtOptions {
  /** Compared byte for byte. */
  readonly issuer: string;
  readonly clockSkewMs: number;
  readonly jwks: Jwks;
  readonly clock: Clock;
}

/** Hydra says `JWT`; RFC 9068 says `at+jwt`. */
export const TOKEN_TYPES = ['jwt', 'at+jwt', 'application/at+jwt'];

/** Claims of ID and logout tokens, which Hydra signs with keys of the same set. */
export const FOREIGN_CLAIMS = ['at_hash', 'c_hash', 's_hash', 'nonce', 'events'];

/** Verifies `access_token` credentials that are JWTs. */
export function createJwtVerifier(options: JwtOptions): Verifier {
  return {
    async verify(credential) {
      const jws = readJws(credential.value);
      if (!jws) return rejected('token_malformed');
      const fault = headerFault(jws.header) ?? claimsFault(jws.claims, options);
      if (fault) return rejected(fault);
      const kid = jws.header['kid'];
      if (typeof kid !== 'string') return rejected('token_key_unknown');
      const lookup = await options.jwks.find(kid);
      if (lookup.kind === 'unavailable') return unavailable('jwks_unavailable');
      if (lookup.kind === 'unknown') return rejected('token_key_unknown');
      return await verifySignature(credential.value, kid, lookup.keys, options);
    },
    stillTrusted(identity) {
      return (
        identity.kind === 'token' &&
        identity.proof === 'key' &&
        options.jwks.current?.material.get(identity.key.kid) === identity.key.material
      );
    },
  };
}

function headerFault(header: JsonObject): RejectReason | undefined {
  const alg = header['alg'];
  if (typeof alg !== 'string') return 'token_malformed';
  if (!ALGORITHMS.includes(alg)) return 'token_algorithm_forbidden';
  const typ = header['typ'] ?? 'JWT';
  if (typeof typ !== 'string') return 'token_malformed';
  return TOKEN_TYPES.includes(typ.toLowerCase()) ? undefined : 'token_kind_wrong';
}

/** Judged before the signature: a token that cannot pass costs no key and no cryptography. */
function claimsFault(claims: JsonObject, { issuer, clockSkewMs, clock }: JwtOptions): RejectReason | undefined {
  if (!areRegisteredTypes(claims)) return 'token_malformed';
  if (claims.iss !== issuer) return 'token_issuer_mismatch';
  if (claims.exp === undefined) return 'token_malformed';
  const late = timeFault(claims, clock(), clockSkewMs);
  if (late) return late;
  const foreign = FOREIGN_CLAIMS.some((claim) => Object.hasOwn(claims, claim));
  return foreign || !claims.client_id ? 'token_kind_wrong' : undefined;
}

async function verifySignature(token: string, kid: string, keys: KeySet, options: JwtOptions): Promise<Verification> {
  try {
    const { payload } = await jwtVerify(token, keys.getKey, {
      algorithms: [...ALGORITHMS],
      issuer: options.issuer,
      clockTolerance: options.clockSkewMs / 1_000,
      currentDate: new Date(options.clock()),
      requiredClaims: ['exp', 'client_id'],
    });
    return {
      kind: 'verified',
      identity: toIdentity(payload as JsonObject, { kid, material: keys.material.get(kid) ?? '' }),
      cacheForMs: undefined,
      setCookie: [],
    };
  } catch (error) {
    return rejected(reasonOf(error));
  }
}

/** Of claims that {@link claimsFault} found nothing wrong with. */
function toIdentity(claims: JsonObject, key: { kid: string; material: string }): TokenIdentity {
  return {
    kind: 'token',
    proof: 'key',
    claims,
    audiences: audiencesOf(claims as RegisteredClaims),
    expiresAtMs: (claims['exp'] as number) * 1_000,
    key,
  };
}

function reasonOf(error: unknown): RejectReason {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'token_signature_invalid';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'token_key_unknown';
  // A published key that cannot be imported is none.
  if (error instanceof DOMException) return 'token_key_unknown';
  if (error instanceof errors.JWTExpired) return 'token_expired';
  // jose counts whole seconds.
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') return 'token_not_yet_valid';
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return 'token_algorithm_forbidden';
  // A key that does not fit the algorithm, or a signature of the wrong length.
  if (error instanceof TypeError || error instanceof errors.JOSEError) return 'token_signature_invalid';
  throw error;
}
