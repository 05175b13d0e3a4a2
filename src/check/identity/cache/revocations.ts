// What has been revoked: ids with the number of their revocation, so that nothing from before is used again. No I/O.
import type { Clock } from '../../clock.ts';
import { type Identity, isObject } from '../identity.ts';

/** Of what everything is to be forgotten: a session by Kratos's id, whoever has that id (`identity.id`, `sub`), or all. */
export type Revocation = { readonly kind: 'session' | 'identity'; readonly id: string } | { readonly kind: 'all' };

export interface RevocationsOptions {
  /** For how long anything is remembered, from before the call to Ory. */
  readonly keepMs: number;
  readonly clock: Clock;
  /** Ids in memory at most; default 65,536. */
  readonly maxIds?: number;
}

const MAX_IDS = 65_536;

interface Tombstone {
  readonly number: number;
  readonly atMs: number;
}

/**
 * Revocations are numbered, and not timed: two events of one millisecond have an order, and a clock may go back. An id is
 * left out in the end, the oldest first; whatever is older than that revocation counts as revoked from then on.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #tombstones = new Map<string, Tombstone>();
  #count = 0;
  #allUpTo = 0;

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  /** How many there have been: what begins now comes after these. */
  get count(): number {
    return this.#count;
  }

  add(revocation: Revocation): void {
    const number = ++this.#count;
    if (revocation.kind === 'all') {
      this.#allUpTo = number;
      this.#tombstones.clear();
      return;
    }
    const key = tombstoneKey(revocation.kind, revocation.id);
    // Anew at the end: the map's order is the order of the numbers.
    this.#tombstones.delete(key);
    this.#tombstones.set(key, { number, atMs: this.#options.clock() });
    this.#prune();
  }

  /** Whether this identity, as Ory was asked for it after the first `revokedBefore` revocations, has been revoked since. */
  cover(identity: Identity, revokedBefore: number): boolean {
    if (revokedBefore === this.#count) return false;
    if (revokedBefore < this.#allUpTo) return true;
    if (identity.kind === 'token') return this.#isAfter('identity', identity.claims['sub'], revokedBefore);
    const { id, identity: person } = identity.session;
    return (
      this.#isAfter('session', id, revokedBefore) ||
      this.#isAfter('identity', isObject(person) ? person['id'] : undefined, revokedBefore)
    );
  }

  #isAfter(kind: 'session' | 'identity', id: unknown, revokedBefore: number): boolean {
    if (typeof id !== 'string') return false;
    const tombstone = this.#tombstones.get(tombstoneKey(kind, id));
    return tombstone !== undefined && tombstone.number > revokedBefore;
  }

  #prune(): void {
    const { keepMs, clock, maxIds = MAX_IDS } = this.#options;
    const nowMs = clock();
    for (const [key, { number, atMs }] of this.#tombstones) {
      if (this.#tombstones.size <= maxIds && atMs + keepMs >= nowMs) return;
      this.#tombstones.delete(key);
      // Also where it is too old to matter: a call may be under way for longer, and the clock may have jumped.
      this.#allUpTo = number;
    }
  }
}

/** Without case: UUIDs have none, and forgetting one too many is harmless. */
function tombstoneKey(kind: 'session' | 'identity', id: string): string {
  return `${kind} ${id.toLowerCase()}`;
}
