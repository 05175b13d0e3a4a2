// What a verified credential stands for, and what verifying one can lead to. No I/O.
import type { Credential } from '../credential/credential.ts';
import type { RejectReason, UnavailableReason } from '../reason.ts';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export type Identity = SessionIdentity | TokenIdentity;

interface SessionIdentity {
  readonly kind: 'session';
  /** Kratos's answer to whoami, as far as it is looked at ({@link createKeep}). */
  readonly session: JsonObject;
  /** Milliseconds since the epoch; undefined where Kratos did not say. */
  readonly expiresAtMs: number | undefined;
}

/** An access token, by whatever proof. */
export type TokenIdentity = {
  readonly kind: 'token';
  /** A JWT's payload, or Hydra's answer to introspection. */
  readonly claims: JsonObject;
  /** The claim `aud`, always as a list. */
  readonly audiences: readonly string[];
} & (
  | {
      readonly proof: 'key';
      /** The key that it was verified with: `material` is the key itself, as text. */
      readonly key: { readonly kid: string; readonly material: string };
      readonly expiresAtMs: number;
    }
  | {
      readonly proof: 'introspection';
      /** Undefined where Hydra did not say. */
      readonly expiresAtMs: number | undefined;
    }
);

/** An outage is not a bad login: `unavailable` says that nobody could be asked. */
export type Verification =
  | {
      readonly kind: 'verified';
      readonly identity: Identity;
      /** Ory's own bound on remembering the answer. */
      readonly cacheForMs: number | undefined;
      /** For the one client that asked, and for no cache. */
      readonly setCookie: readonly string[];
    }
  /** `ory`: whether this is Ory's own no, the only kind that may be remembered. */
  | {
      readonly kind: 'rejected';
      readonly reason: RejectReason;
      readonly ory: boolean;
      /** Where Kratos sends a browser to put it right (`redirect_browser_to`). */
      readonly remedyUrl?: string;
    }
  | {
      readonly kind: 'unavailable';
      readonly reason: UnavailableReason;
      readonly retryAfterSeconds: number | undefined;
    };

/** Whether an identity is all that the check needs. */
export type Enough = (identity: Identity) => boolean;

export interface Verifier {
  /** Never throws for what a client or Ory sent. `enough` matters to one that goes by a memory; default: anything is. */
  verify(credential: Credential, enough?: Enough): Promise<Verification>;
  /** Whether a remembered identity may still be used: false once what it was verified with is gone. */
  stillTrusted(identity: Identity): boolean;
}

export function rejected(reason: RejectReason): Verification {
  return { kind: 'rejected', reason, ory: false };
}

export function unavailable(reason: UnavailableReason, retryAfterSeconds?: number): Verification {
  return { kind: 'unavailable', reason, retryAfterSeconds };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
