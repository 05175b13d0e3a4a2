// The issuer's keys: fetched ahead of need, again for an unknown kid, kept for a while when the issuer is down; and told
// to those who verify with them elsewhere. Does network I/O through the client.
import { createPublicKey, type JsonWebKey } from 'node:crypto';
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
  /** Default: a timer that keeps no process alive. @returns how to call it off. */
  readonly after?: (ms: number, work: () => void) => () => void;
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
/** While somebody verifies elsewhere: those tokens bring nobody here who would find the keys old. */
const WATCHED_REFRESH_MS = 10_000;
const MAX_KEYS = 100;

/** A set of keys as it was at one moment. */
export interface KeySet {
  readonly getKey: JWTVerifyGetKey;
  /** What a key is, by its kid: equal text is the same key. */
  readonly material: ReadonlyMap<string, string>;
  /** For another verifier: {@link publishedKeys}. */
  readonly published: string;
}

export type KeyLookup =
  | { readonly kind: 'found'; readonly keys: KeySet }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unavailable' };

/** Keys that change. */
export interface KeyChanges {
  /**
   * Tells the keys that may be used, as a JWKS of public keys, now or as soon as the first fetch has ended, and whenever
   * they are others; a JWKS without keys where the issuer has been silent for too long.
   * Meanwhile they are fetched every 10 s. @returns how to end it.
   */
  watch(tell: (jwks: string) => void): () => void;
  /** Fetches now, whatever the cooldown says; joins a fetch that is under way. Never throws. */
  refresh(): Promise<void>;
}

export class Jwks implements KeyChanges {
  readonly #options: JwksOptions;
  #keys: KeySet | undefined;
  #text = '';
  #seenAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #underWay: Promise<void> | undefined;
  #unknownAt = Number.NEGATIVE_INFINITY;
  #forUnknown: Promise<void> = Promise.resolve();
  readonly #watchers = new Set<Watcher>();
  #callOff: (() => void) | undefined;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  watch(tell: (jwks: string) => void): () => void {
    const watcher: Watcher = { tell, told: undefined };
    this.#watchers.add(watcher);
    this.#callOff ??= this.#refreshLater();
    if (this.#triedAt === Number.NEGATIVE_INFINITY) void this.refresh();
    else if (!this.#underWay || this.#usable()) this.#tell();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      this.#callOff?.();
      this.#callOff = undefined;
    };
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

  refresh(): Promise<void> {
    this.#underWay ??= this.#fetch().finally(() => {
      this.#underWay = undefined;
      this.#tell();
    });
    return this.#underWay;
  }

  #tell(): void {
    const jwks = this.#usable()?.published ?? NO_KEYS;
    for (const watcher of this.#watchers) {
      if (watcher.told === jwks) continue;
      watcher.told = jwks;
      watcher.tell(jwks);
    }
  }

  #refreshLater(): () => void {
    const { after = later } = this.#options;
    return after(WATCHED_REFRESH_MS, () => {
      this.#callOff = this.#refreshLater();
      // Whatever becomes of the fetch: keys of an issuer that is silent end by themselves.
      this.#tell();
      void this.refresh();
    });
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

interface Watcher {
  readonly tell: (jwks: string) => void;
  told: string | undefined;
}

function later(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms).unref();
  return () => clearTimeout(timer);
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
    const getKey = createLocalJWKSet({ keys: imported } satisfies JSONWebKeySet);
    return { getKey, material, published: publishedKeys(usable) };
  } catch {
    // Not JSON, or members so deeply nested that they cannot be written out.
    return undefined;
  }
}

/** No keys, as a JWKS (RFC 7517, section 5). */
export const NO_KEYS = '{"keys":[]}';

/** What of a key a verifier needs (RFC 7518, section 6; RFC 8037, section 2): nothing private, nothing else. */
const PUBLISHED = ['kty', 'kid', 'alg', 'crv', 'x', 'y', 'n', 'e'] as const;

/**
 * The keys for a verifier that chooses by the kid alone: of two with one kid it could take the wrong one, and one without
 * a kid it would try on every token. One that cannot be imported is left out: nobody verifies by it.
 */
function publishedKeys(usable: readonly UsableKey[]): string {
  const count = new Map<string, number>();
  for (const { kid } of usable) count.set(kid, (count.get(kid) ?? 0) + 1);
  const keys = usable.filter((key) => key.kid !== '' && count.get(key.kid) === 1 && isImportable(key));
  return JSON.stringify({
    keys: keys.map((key) => Object.fromEntries(PUBLISHED.flatMap((name) => (key[name] ? [[name, key[name]]] : [])))),
  });
}

const CURVES = ['P-256', 'P-384', 'P-521', 'Ed25519'];

function isImportable(key: UsableKey): boolean {
  if (key.kty !== 'RSA' && !CURVES.includes(String(key.crv))) return false;
  if (PUBLISHED.some((name) => key[name] !== undefined && typeof key[name] !== 'string')) return false;
  try {
    createPublicKey({ key: key as JsonWebKey, format: 'jwk' });
    return true;
  } catch {
    // Such as a point that is not on its curve.
    return false;
  }
}

const MIN_RSA_BITS = 2_048;

type UsableKey = JWK & { readonly kid: string; readonly kty: string };

/** RFC 7517, section 4: a key that its publisher means for something else verifies nothing. */
function isUsable(key: unknown): key is UsableKey {
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
