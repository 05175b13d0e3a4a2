// A process that is kept running, a part of `up` or a worker of `serve`: started again after it ended, later and later
// while it does not stay. Its I/O is what starts it.

import type { Exit } from '../../edge/process.ts';
import { Backoff } from './backoff.ts';
import type { Running } from './running.ts';

export interface PartEvents {
  started(pid: number, again: boolean): void;
  ended(exit: Exit, nextAttemptMs: number): void;
  /** A restart did not succeed; `why` is for the user. */
  failed(why: string, nextAttemptMs: number): void;
}

export interface PartOptions<R extends Running> {
  /** Ends what it began when the signal comes. */
  readonly start: (signal: AbortSignal) => Promise<R>;
  readonly events: PartEvents;
  readonly clock?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export class Part<R extends Running> {
  readonly #options: Required<PartOptions<R>>;
  readonly #stopped = new AbortController();
  readonly #backoff = new Backoff();
  #running: R | undefined;
  #waiting: ((running: R) => void)[] = [];
  #kept: Promise<unknown> = Promise.resolve();

  constructor(options: PartOptions<R>) {
    this.#options = { clock: Date.now, wait: waitMs, ...options };
  }

  /** Undefined between an end and the start after it. */
  get running(): R | undefined {
    return this.#running;
  }

  /** The very first start. @throws whatever it throws: from then on the part is kept running, and before it is not. */
  async start(): Promise<R> {
    const first = this.#options.start(this.#stopped.signal);
    this.#kept = first.catch(() => {});
    const running = await first;
    this.#begin(running, false);
    this.#kept = this.#keep(running);
    return running;
  }

  /** Never settles once the part is stopped. */
  whenRunning(): Promise<R> {
    if (this.#running) return Promise.resolve(this.#running);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when nothing of it is left, also where it was just being started. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running?.stop();
    await this.#kept;
    await this.#running?.stop();
  }

  #begin(running: R, again: boolean): void {
    this.#running = running;
    this.#options.events.started(running.pid, again);
    for (const resolve of this.#waiting.splice(0)) resolve(running);
  }

  async #keep(first: R): Promise<void> {
    const { clock, events } = this.#options;
    const { signal } = this.#stopped;
    let running: R | undefined = first;
    while (running) {
      const since = clock();
      const exit = await running.exited;
      this.#running = undefined;
      if (signal.aborted) return;
      const nextMs = this.#backoff.next(clock() - since);
      events.ended(exit, nextMs);
      running = await this.#startAgain(nextMs);
    }
  }

  /** @returns undefined once the part is stopped. */
  async #startAgain(firstMs: number): Promise<R | undefined> {
    const { start, wait, events } = this.#options;
    const { signal } = this.#stopped;
    for (let nextMs = firstMs; ; ) {
      await wait(nextMs, signal);
      if (signal.aborted) return undefined;
      try {
        const running = await start(signal);
        // What came up although it was called off.
        if (signal.aborted) {
          await running.stop();
          return undefined;
        }
        this.#begin(running, true);
        return running;
      } catch (error) {
        if (signal.aborted) return undefined;
        nextMs = this.#backoff.next(0);
        events.failed(error instanceof Error ? error.message : String(error), nextMs);
      }
    }
  }
}

/** Until the time is over or the signal comes. */
function waitMs(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
