// The authorizer as `up` sees it: a part that always has the policies that were asked for last. Starts a process.
import type { Journal } from './journal.ts';
import type { AuthorizerSettings } from './messages.ts';
import { type NodePart, PartGoneError, startNodePart } from './node-part.ts';
import { Part } from './part.ts';
import { partEvents } from './part-events.ts';

export class AuthorizerPart {
  readonly #part: Part<NodePart<AuthorizerSettings>>;
  #wanted: AuthorizerSettings;

  constructor(settings: AuthorizerSettings, journal: Journal) {
    this.#wanted = settings;
    this.#part = new Part({
      start: (signal) => startNodePart(this.#wanted, { signal, onLine: (line) => journal.line('authorizer', line) }),
      events: partEvents('authorizer', journal),
    });
  }

  /** @throws {UserError} */
  async start(): Promise<void> {
    await this.#part.start();
  }

  /** Resolves when it judges so; where it is just being started again, once that is done. */
  async configure(settings: AuthorizerSettings): Promise<void> {
    this.#wanted = settings;
    for (;;) {
      const running = await this.#part.whenRunning();
      if (running.settings() === settings) return;
      try {
        return await running.configure(settings);
      } catch (error) {
        if (!(error instanceof PartGoneError)) throw error;
        await running.exited;
      }
    }
  }

  stop(): Promise<void> {
    return this.#part.stop();
  }
}
