// Emptying the edge caches for many revocations at once. No I/O of its own.
import type { EdgeCaches, Revoked } from './edge-caches.ts';

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

  /**
   * After the identity cache has forgotten. `rememberedForMs`: where no Envoy is fed, for how long one may go by a yes.
   * @throws {PushError}
   */
  async revoked(rememberedForMs: number): Promise<Revoked> {
    if (this.#edgeCaches.fed === 0) return { edgeCaches: 'none', rememberedForMs };
    await this.empty();
    return { edgeCaches: 'emptied', rememberedForMs: 0 };
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
