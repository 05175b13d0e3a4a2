// What is to be ended, in the opposite order, however the start or the run comes to its end. No I/O.

export class Ends {
  readonly #ends: (() => unknown)[] = [];
  #ended = false;

  /** Where everything has ended already, this does at once. */
  async add(end: () => unknown): Promise<void> {
    if (this.#ended) await end();
    else this.#ends.push(end);
  }

  /** @throws the first of what they throw, when all have ended: one that fails must not leave the others behind. */
  async end(): Promise<void> {
    this.#ended = true;
    const failed: unknown[] = [];
    for (const end of this.#ends.reverse()) {
      try {
        await end();
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw failed[0];
  }
}
