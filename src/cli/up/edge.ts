// Envoy as `up` sees it: a part that always has the configuration that was asked for last. Starts Envoy.
import { listenAdmin } from '../../admin/admin.ts';
import { type Address, type Config, formatAddress } from '../../config/config.ts';
import { type DiscoveredEnvoy, PushRejectedError, startDiscoveredEnvoy } from '../../edge/discovered.ts';
import { EnvoyStartError } from '../../edge/run.ts';
import type { Discovery } from '../../generate/envoy/discovery.ts';
import { API_KEY_VARIABLE } from '../../generate/envoy/ory-path.ts';
import { listenError, UserError } from '../user-error.ts';
import type { Journal } from './journal.ts';
import { Part } from './part.ts';
import { partEvents } from './part-events.ts';

/** A configuration with the pieces that Envoy gets of it. */
export interface EdgeConfig {
  readonly config: Config;
  readonly discovery: Discovery;
}

export class EdgePart {
  readonly #path: string;
  readonly #journal: Journal;
  readonly #part: Part<DiscoveredEnvoy>;
  #wanted: EdgeConfig;

  constructor(path: string, wanted: EdgeConfig, journal: Journal) {
    this.#path = path;
    this.#journal = journal;
    this.#wanted = wanted;
    this.#part = new Part({ start: (signal) => this.#begin(signal), events: partEvents('envoy', journal) });
  }

  /** @throws {UserError} */
  async start(): Promise<void> {
    await this.#part.start();
  }

  /**
   * @returns `now` where it is in force for every connection, `later` where Envoy is away: it begins with it.
   * @throws {PushRejectedError} {UserError} where it cannot be: what was in force before still is.
   */
  async apply(next: EdgeConfig): Promise<'now' | 'later'> {
    const running = this.#part.running;
    if (running) {
      const [before, after] = [this.#wanted.config.edge.listen, next.config.edge.listen];
      if (formatAddress(before) !== formatAddress(after)) await freeOrFail(after, 'the edge', 'edge.listen');
      try {
        await running.push(next.discovery);
        this.#wanted = next;
        return 'now';
      } catch (error) {
        if (error instanceof PushRejectedError) throw error;
        // It has ended, or does not answer: either way it is started anew, with what is wanted now.
        running.kill();
      }
    }
    this.#wanted = next;
    return 'later';
  }

  /** Takes away what neither the configuration in force nor `kept` needs. */
  async forget(kept: readonly EdgeConfig[]): Promise<void> {
    // What could not be taken away does no harm: no route leads there.
    await this.#part.running?.forget(kept.map((one) => one.discovery)).catch(() => {});
  }

  stop(): Promise<void> {
    return this.#part.stop();
  }

  async #begin(signal: AbortSignal): Promise<DiscoveredEnvoy> {
    const { config, discovery } = this.#wanted;
    await freeOrFail(config.edge.listen, 'the edge', 'edge.listen');
    await freeOrFail(config.edge.admin, 'Envoy’s admin port', 'edge.admin');
    try {
      const onLine = (line: string) => this.#journal.line('envoy', line);
      const apiKey = config.edge.ory?.apiKey?.value;
      const options = {
        path: this.#path,
        signal,
        onLog: onLine,
        onAccessLog: onLine,
        ...(apiKey === undefined ? {} : { env: { [API_KEY_VARIABLE]: apiKey } }),
      };
      const envoy = await startDiscoveredEnvoy(options, discovery);
      // Another one was asked for while it started.
      if (this.#wanted.discovery !== discovery) await envoy.push(this.#wanted.discovery);
      return envoy;
    } catch (error) {
      throw error instanceof EnvoyStartError ? new UserError(`${error.message}.`) : error;
    }
  }
}

/** Envoy says of a port in use only that it could not bind: it is asked for before. @throws {UserError} */
async function freeOrFail(address: Address, what: string, key: string): Promise<void> {
  if (address.port === 0) return;
  const probe = await listenAdmin(address, () => false).catch((error: unknown) => {
    throw listenError(error, what, formatAddress(address), `set ${key} to another address`);
  });
  await probe.close();
}
