// What the authorizer remembers of verified credentials, in this process's memory. No I/O.
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import type { Credential } from '../../credential/credential.ts';
import type { Enough, Identity, Verification, Verifier } from '../identity.ts';
import { type Revocation, Revocations } from './revocations.ts';

export interface IdentityCacheOptions {
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  readonly staleIfErrorMs: number;
  readonly maxEntries: number;
  readonly clock: Clock;
}

interface Remembered {
  readonly identity: Identity;
  /** How many revocations there had been when Ory was asked. */
  readonly revokedBefore: number;
  readonly fromMs: number;
  readonly freshUntilMs: number;
  readonly staleUntilMs: number;
}

interface Call {
  readonly revokedBefore: number;
  readonly answer: Promise<CachedVerification>;
}

/** A verification with the time until which the identity is remembered as it is: the past where it is not. */
export type Verified = Extract<Verification, { kind: 'verified' }> & { readonly freshUntilMs: number };
export type CachedVerification = Verified | Exclude<Verification, { kind: 'verified' }>;

type Refusal = Extract<Verification, { kind: 'rejected' }>;

const THE_PAST = Number.NEGATIVE_INFINITY;

/** Garbage costs nothing to make: what is remembered of it is bounded apart, and pushes out no identity. */
const MAX_NEGATIVE_ENTRIES = 10_000;

/** On the average: whoever fills a trait with a megabyte pushes out others, and does not fill the memory. */
const MEAN_IDENTITY_BYTES = 4_096;
/** So that few entries still hold a large one. */
const MIN_CACHE_BYTES = 8 * 1024 * 1024;

export class IdentityCache {
  readonly #options: IdentityCacheOptions;
  readonly #identities: LRUCache<string, Remembered>;
  readonly #refusals: LRUCache<
    string,
    { readonly refusal: Refusal; readonly fromMs: number; readonly untilMs: number }
  >;
  readonly #underWay = new Map<string, Call>();
  readonly #revocations: Revocations;

  constructor(options: IdentityCacheOptions) {
    this.#options = options;
    this.#revocations = new Revocations({ keepMs: options.ttlMs + options.staleIfErrorMs, clock: options.clock });
    this.#identities = new LRUCache({
      max: options.maxEntries,
      maxSize: Math.max(options.maxEntries * MEAN_IDENTITY_BYTES, MIN_CACHE_BYTES),
      sizeCalculation: ({ identity }) => bytesOf(identity),
    });
    this.#refusals = new LRUCache({ max: Math.min(options.maxEntries, MAX_NEGATIVE_ENTRIES) });
  }

  /**
   * Verifies through the cache. Any number of checks of one credential make one call, which belongs to none of them:
   * a client that goes away does not end it. A cookie that Ory sets goes to the check that made the call.
   * A remembered identity that is not `enough` is asked about anew, and is nothing to go by in an outage: nobody knows
   * whether what it lacks has been given since.
   */
  async verify(credential: Credential, verifier: Verifier, enough: Enough = () => true): Promise<CachedVerification> {
    const key = cacheKey(credential);
    const remembered = this.#recall(key, verifier, enough);
    if (remembered) return remembered;
    const answer = await this.#answer(key, credential, verifier, enough);
    return answer.kind === 'unavailable' ? (this.#stale(key, verifier, enough) ?? answer) : answer;
  }

  /**
   * From now on no check goes by an answer of Ory from before, whether it is remembered or still under way. What is
   * revoked is not dead by that: Ory is asked again.
   */
  forget(revocation: Revocation): void {
    this.#revocations.add(revocation);
    if (revocation.kind !== 'all') return;
    this.#identities.clear();
    this.#refusals.clear();
  }

  /** What an outage leaves of an identity (`stale_if_error`), without asking again. */
  stale(credential: Credential, verifier: Verifier, enough: Enough): CachedVerification | undefined {
    return this.#stale(cacheKey(credential), verifier, enough);
  }

  async #answer(key: string, credential: Credential, verifier: Verifier, enough: Enough): Promise<CachedVerification> {
    const before = this.#underWay.get(key);
    if (!before) return await this.#call(key, credential, verifier, enough);
    const joined = await before.answer;
    if (!isShort(joined, enough) && !this.#isRevoked(joined, before.revokedBefore)) return withoutCookies(joined);
    // That call may have begun before the login or the second factor that this request comes from, or the revocation.
    const next = this.#underWay.get(key);
    return next ? withoutCookies(await next.answer) : await this.#call(key, credential, verifier, enough);
  }

  #isRevoked(verification: Verification, revokedBefore: number): boolean {
    return verification.kind === 'verified' && this.#revocations.cover(verification.identity, revokedBefore);
  }

  #call(key: string, credential: Credential, verifier: Verifier, enough: Enough): Promise<CachedVerification> {
    const revokedBefore = this.#revocations.count;
    const answer = this.#ask(key, () => verifier.verify(credential, enough), revokedBefore).finally(() =>
      this.#underWay.delete(key),
    );
    this.#underWay.set(key, { revokedBefore, answer });
    return answer;
  }

  #recall(key: string, verifier: Verifier, enough: Enough): CachedVerification | undefined {
    const nowMs = this.#options.clock();
    const entry = this.#remembered(key, verifier);
    if (entry && within(nowMs, entry.fromMs, entry.freshUntilMs))
      return enough(entry.identity) ? verified(entry.identity, entry.freshUntilMs) : undefined;
    const refused = this.#refusals.get(key);
    return refused && within(nowMs, refused.fromMs, refused.untilMs) ? refused.refusal : undefined;
  }

  /** Whether fresh, stale or too old. What may never be used again is gone. */
  #remembered(key: string, verifier: Verifier): Remembered | undefined {
    const entry = this.#identities.get(key);
    if (!entry) return undefined;
    if (verifier.stillTrusted(entry.identity) && !this.#revocations.cover(entry.identity, entry.revokedBefore))
      return entry;
    this.#identities.delete(key);
    return undefined;
  }

  async #ask(key: string, ask: () => Promise<Verification>, revokedBefore: number): Promise<CachedVerification> {
    // From before the call: however long Ory takes, nothing is remembered for longer than it may be.
    const fromMs = this.#options.clock();
    const verification = await ask();
    switch (verification.kind) {
      case 'verified':
        return {
          ...verification,
          freshUntilMs: this.#isRevoked(verification, revokedBefore)
            ? THE_PAST
            : this.#remember(key, verification.identity, revokedBefore, fromMs, verification.cacheForMs),
        };
      case 'rejected':
        this.#identities.delete(key);
        if (verification.ory && this.#options.negativeTtlMs > 0) {
          this.#refusals.set(key, { refusal: verification, fromMs, untilMs: fromMs + this.#options.negativeTtlMs });
        }
        return verification;
      case 'unavailable':
        return verification;
    }
  }

  /** @returns until when it is fresh. */
  #remember(
    key: string,
    identity: Identity,
    revokedBefore: number,
    fromMs: number,
    cacheForMs: number | undefined,
  ): number {
    this.#refusals.delete(key);
    const endMs = identity.expiresAtMs ?? Number.POSITIVE_INFINITY;
    const freshUntilMs = Math.min(
      fromMs + Math.min(this.#options.ttlMs, cacheForMs ?? Number.POSITIVE_INFINITY),
      endMs,
    );
    const staleUntilMs = Math.min(freshUntilMs + this.#options.staleIfErrorMs, endMs);
    if (staleUntilMs > fromMs)
      this.#identities.set(key, { identity, revokedBefore, fromMs, freshUntilMs, staleUntilMs });
    else this.#identities.delete(key);
    return freshUntilMs;
  }

  #stale(key: string, verifier: Verifier, enough: Enough): CachedVerification | undefined {
    const entry = this.#remembered(key, verifier);
    if (!entry || !enough(entry.identity)) return undefined;
    return within(this.#options.clock(), entry.fromMs, entry.staleUntilMs)
      ? verified(entry.identity, entry.freshUntilMs)
      : undefined;
  }
}

/** Of its JSON; what is too deep to be written out is too large to be remembered. */
function bytesOf(identity: Identity): number {
  try {
    return 1 + JSON.stringify(identity.kind === 'session' ? identity.session : identity.claims).length;
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** A yes or a no that one more login may have changed. */
export function isShort(verification: Verification, enough: Enough): boolean {
  if (verification.kind === 'verified') return !enough(verification.identity);
  return verification.kind === 'rejected' && verification.reason === 'aal_insufficient';
}

/** A clock that went back proves nothing: what was remembered "later" is not used. */
function within(nowMs: number, fromMs: number, untilMs: number): boolean {
  return nowMs >= fromMs && nowMs < untilMs;
}

function verified(identity: Identity, freshUntilMs: number): Verified {
  return { kind: 'verified', identity, cacheForMs: undefined, setCookie: [], freshUntilMs };
}

function withoutCookies(verification: CachedVerification): CachedVerification {
  return verification.kind === 'verified' ? { ...verification, setCookie: [] } : verification;
}

/** The whole digest over kind and value: no credential is kept, and none stands for another. */
function cacheKey(credential: Credential): string {
  return hash('sha256', `${credential.kind}\0${credential.value}`, 'base64url');
}
