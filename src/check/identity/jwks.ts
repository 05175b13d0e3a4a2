// The issuer's keys: fetched ahead of need, again for an unknown kid, kept for a while when the issuer is down.
// Does network I/O through the client.
import { createLocalJWKSet, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose';
import type { Clock } from '../clock.ts';
import type { ThrottledLog } from '../log.ts';
import { isObject } from './identity.ts';
import { ALGORITHMS } from './jws.ts';
import type { OryClient } from './ory-client.ts';

export interface JwksOptions {
  readonly url: string;
  readonly client: Pick<OryClient, 'get'>;
  readonly clock: Clock;
  readonly log: ThrottledLog;
}

/** Older keys are refreshed behind the request that finds them so. */
const REFRESH_AFTER_MS = 60_000;
/** Older keys are refreshed before they are used: a removed key is not used once more after a quiet hour. */
const WAIT_AFTER_MS = 120_000;
/** With the issuer down, keys are used for so long after they were last seen there. */
const LAST_GOOD_MS = 3_600_000;
/** An unknown kid fetches at most so often: whoever invents kids does not drive the issuer. */
const COOLDOWN_MS = 2_000;
/** With the issuer down it is asked a little more often, so that its return is noticed soon. */
const FAILED_COOLDOWN_MS = 500;
/** So long after an attempt that failed, keys are used at once and refreshed behind the request. */
const KNOWN_DOWN_MS = 10_000;
const MAX_KEYS = 100;

/** A set of keys as it was at one moment. */
export interface KeySet {
  readonly getKey: JWTVerifyGetKey;
  /** What a key is, by its kid: equal text is the same key. */
  readonly material: ReadonlyMap<string, string>;
}

export type KeyLookup =
  | { readonly kind: 'found'; readonly keys: KeySet }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unavailable' };

export class Jwks {
  readonly #options: JwksOptions;
  #keys: KeySet | undefined;
  #text = '';
  #seenAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #underWay: Promise<void> | undefined;
  #unknownAt = Number.NEGATIVE_INFINITY;
  #forUnknown: Promise<void> = Promise.resolve();

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /** The keys now, without waiting for anybody; undefined where `find` would ask the issuer before it used them. */
  get current(): KeySet | undefined {
    if (this.#age() > WAIT_AFTER_MS && !this.#isKnownToBeDown()) return undefined;
    if (this.#age() > REFRESH_AFTER_MS) void this.#refreshAfterCooldown();
    return this.#usable();
  }

  /** The set that holds `kid`, asking the issuer where that is needed and allowed. */
  async find(kid: string): Promise<KeyLookup> {
    const age = this.#age();
    const mustWait = age > WAIT_AFTER_MS && !this.#isKnownToBeDown();
    if (mustWait) await this.#refreshAfterCooldown();
    else if (age > REFRESH_AFTER_MS) void this.#refreshAfterCooldown();
    // One silence of the issuer is enough for one check: Envoy does not wait for two.
    const silent = mustWait && this.#failed;
    if (!silent && this.#usable()?.material.has(kid) === false) await this.#refreshForUnknownKid();
    const keys = this.#usable();
    if (!keys) return { kind: 'unavailable' };
    if (keys.material.has(kid)) return { kind: 'found', keys };
    // While the issuer is down nobody knows whether it has this key: that is an outage, not a bad token.
    return this.#failed ? { kind: 'unavailable' } : { kind: 'unknown' };
  }

  /** Fetches now, whatever the cooldown says; joins a fetch that is under way. Never throws. */
  refresh(): Promise<void> {
    this.#underWay ??= this.#fetch().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  /** With last good keys at hand and the issuer silent a moment ago, nobody waits for its next silence. */
  #isKnownToBeDown(): boolean {
    const sinceTry = this.#options.clock() - this.#triedAt;
    return this.#failed && sinceTry >= 0 && sinceTry < KNOWN_DOWN_MS && this.#usable() !== undefined;
  }

  #usable(): KeySet | undefined {
    return this.#age() <= LAST_GOOD_MS ? this.#keys : undefined;
  }

  #age(): number {
    const age = this.#options.clock() - this.#seenAt;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }

  async #refreshAfterCooldown(): Promise<void> {
    const sinceTry = this.#options.clock() - this.#triedAt;
    const cooldown = this.#failed ? FAILED_COOLDOWN_MS : COOLDOWN_MS;
    if (this.#underWay || sinceTry >= cooldown || sinceTry < 0) await this.refresh();
  }

  /** The cooldown counts from the last fetch for an unknown kid, so that a scheduled one never holds a new key back. */
  #refreshForUnknownKid(): Promise<void> {
    if (this.#failed) return this.#refreshAfterCooldown();
    const since = this.#options.clock() - this.#unknownAt;
    if (since < 0 || since >= COOLDOWN_MS) {
      this.#unknownAt = this.#options.clock();
      // One that is under way may have been answered before the key was there.
      this.#forUnknown = Promise.resolve(this.#underWay).then(() => this.refresh());
    }
    return this.#forUnknown;
  }

  async #fetch(): Promise<void> {
    const { url, client, clock, log } = this.#options;
    this.#triedAt = clock();
    const answer = await client.get(url, {});
    const text = answer.kind === 'answer' && answer.status === 200 ? answer.body : undefined;
    const keys = text === undefined ? undefined : text === this.#text ? this.#keys : readKeySet(text);
    this.#failed = keys === undefined;
    if (keys === undefined || text === undefined) {
      const cause = answer.kind === 'none' ? answer.cause : `status ${answer.status}, and no JWKS`;
      log.warn(url, { endpoint: url, reason: 'jwks_unavailable', cause }, 'the issuer gave no keys');
      return;
    }
    this.#keys = keys;
    this.#text = text;
    this.#seenAt = clock();
  }
}

/** Undefined where the text is not a JWKS. Keys that cannot be used for what we verify are left out. */
function readKeySet(text: string): KeySet | undefined {
  try {
    const json: unknown = JSON.parse(text);
    const keys = isObject(json) ? json['keys'] : undefined;
    if (!Array.isArray(keys) || keys.length > MAX_KEYS) return undefined;
    const usable = keys.filter(isUsable);
    const material = new Map<string, string>();
    for (const { kid, kty, crv, x, y, n, e, alg } of usable) {
      // Keys that share a kid are one material: when any of them goes, what was verified by it is verified again.
      material.set(kid, (material.get(kid) ?? '') + JSON.stringify([kty, crv, x, y, n, e, alg]));
    }
    // Judged above: an import with them wants the operations of a public key and no others.
    const imported = usable.map(({ key_ops: _, ...key }) => key);
    return { getKey: createLocalJWKSet({ keys: imported } satisfies JSONWebKeySet), material };
  } catch {
    // Not JSON, or members so deeply nested that they cannot be written out.
    return undefined;
  }
}

const MIN_RSA_BITS = 2_048;

/** RFC 7517, section 4: a key that its publisher means for something else verifies nothing. */
function isUsable(key: unknown): key is JWK & { kid: string; kty: string } {
  if (!isObject(key) || typeof key['kid'] !== 'string' || typeof key['kty'] !== 'string') return false;
  if (!['RSA', 'EC', 'OKP'].includes(key['kty']) || (key['use'] ?? 'sig') !== 'sig') return false;
  const operations = key['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false;
  if (key['alg'] !== undefined && !ALGORITHMS.includes(String(key['alg']))) return false;
  return key['kty'] !== 'RSA' || (typeof key['n'] === 'string' && bitsOf(key['n']) >= MIN_RSA_BITS);
}

/** Of a number in base64url (RFC 7518, section 6.3.1.1): bytes or bits of zero before it make no key longer. */
function bitsOf(number: string): number {
  const bytes = Buffer.from(number, 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24);
}
