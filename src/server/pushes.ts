// Emptying the edge caches for many revocations at once. No I/O of its own.
import type { EdgeCaches } from './edge-caches.ts';

/**
 * One push under way, and one more behind it for all that come meanwhile. Whoever asks is answered by a push that began
 * after it asked: one that was under way may have begun before the identity cache forgot.
 */
export class Pushes {
  readonly #edgeCaches: EdgeCaches;
  #underWay: Promise<void> | undefined;
  #behind: Promise<void> | undefined;

  constructor(edgeCaches: EdgeCaches) {
    this.#edgeCaches = edgeCaches;
  }

  /** @throws {PushError} */
  empty(): Promise<void> {
    if (!this.#underWay) return this.#begin();
    const begin = () => this.#begin();
    // Whatever becomes of the one before.
    this.#behind ??= this.#underWay.then(begin, begin);
    return this.#behind;
  }

  #begin(): Promise<void> {
    this.#behind = undefined;
    const push = this.#push().finally(() => {
      // With one behind, it stands for that one until it begins.
      if (!this.#behind) this.#underWay = undefined;
    });
    this.#underWay = push;
    return push;
  }

  async #push(): Promise<void> {
    await this.#edgeCaches.empty();
  }
}
