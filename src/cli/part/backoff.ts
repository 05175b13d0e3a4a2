// How long to wait before a part that ended is started again. No I/O.

const FIRST_MS = 100;
const LONGEST_MS = 5_000;
/** A part that ran for so long was well: what happens now is something new. */
const WELL_MS = 10_000;

export class Backoff {
  #nextMs = FIRST_MS;

  /** Doubles with each call. `ranMs`: for how long the part had been running; 0 where it did not even start. */
  next(ranMs: number): number {
    if (ranMs >= WELL_MS) this.#nextMs = FIRST_MS;
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(waitMs * 2, LONGEST_MS);
    return waitMs;
  }
}
