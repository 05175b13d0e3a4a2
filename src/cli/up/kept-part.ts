// A part that is this same program, kept running, with the settings that were asked for last. Starts a process.

import { Part } from '../part/part.ts';
import type { Journal } from './journal.ts';
import type { Settings } from './messages.ts';
import { type NodePart, PartGoneError, startNodePart } from './node-part.ts';
import { partEvents } from './part-events.ts';

export class KeptPart<S extends Settings> {
  readonly #part: Part<NodePart<S>>;
  #wanted: S;

  constructor(settings: S, journal: Journal) {
    const { part } = settings;
    this.#wanted = settings;
    this.#part = new Part({
      start: (signal) => startNodePart(this.#wanted, { signal, onLine: (line) => journal.line(part, line) }),
      events: partEvents(part, journal),
    });
  }

  /** Undefined between an end and the start after it. */
  get running(): NodePart<S> | undefined {
    return this.#part.running;
  }

  /** @throws {UserError} */
  async start(): Promise<void> {
    await this.#part.start();
  }

  /** Resolves when it goes by them, or by later ones; where it is just being started again, once that is done. */
  async configure(settings: S): Promise<void> {
    this.#wanted = settings;
    for (;;) {
      const running = await this.#part.whenRunning();
      if (running.settings() === this.#wanted) return;
      try {
        await running.configure(this.#wanted);
      } catch (error) {
        if (!(error instanceof PartGoneError)) throw error;
        await running.exited;
      }
    }
  }

  /** The same without waiting for one that is away: it goes by them once it is back. */
  async tell(settings: S): Promise<void> {
    const { running } = this;
    const configured = this.configure(settings);
    if (running) await Promise.race([configured, running.exited]);
    // What is wrong with them is said where it is waited for.
    configured.catch(() => {});
  }

  stop(): Promise<void> {
    return this.#part.stop();
  }
}
