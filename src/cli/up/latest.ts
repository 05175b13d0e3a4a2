// Work on values of which only the newest counts: one at a time, and what comes meanwhile is done next. No I/O.

export class Latest<T> {
  readonly #work: (value: T) => Promise<void>;
  #next: { readonly value: T } | undefined;
  #running: Promise<void> | undefined;

  /** `work` must not reject. */
  constructor(work: (value: T) => Promise<void>) {
    this.#work = work;
  }

  offer(value: T): void {
    this.#next = { value };
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#next) {
      const { value } = this.#next;
      this.#next = undefined;
      await this.#work(value);
    }
    this.#running = undefined;
  }
}
