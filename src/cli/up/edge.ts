// Envoy as `up` sees it: a part that always has the configuration that was asked for last. Starts Envoy.
import { createServer } from 'node:net';
import { type Address, type Config, formatAddress } from '../../config/config.ts';
import { type DiscoveredEnvoy, PushRejectedError, startDiscoveredEnvoy } from '../../edge/discovered.ts';
import { EnvoyStartError } from '../../edge/run.ts';
import type { Discovery } from '../../generate/envoy/discovery.ts';
import { API_KEY_VARIABLE } from '../../generate/envoy/ory-path.ts';
import { listen } from '../../server/listen.ts';
import { Part } from '../part/part.ts';
import { listenError, UserError } from '../user-error.ts';
import type { Journal } from './journal.ts';
import { partEvents } from './part-events.ts';

/** A configuration with the pieces that Envoy gets of it. */
export interface EdgeConfig {
  readonly config: Config;
  readonly discovery: Discovery;
}

export class EdgePart {
  readonly #path: string;
  readonly #journal: Journal;
  readonly #startEnvoy: typeof startDiscoveredEnvoy;
  readonly #part: Part<DiscoveredEnvoy>;
  #wanted: EdgeConfig;
  /** The one that has what is wanted. One that is being started has no place here until then. */
  #settled: DiscoveredEnvoy | undefined;
  /** Where the one that runs or is being started listens: such an address is taken, but by nobody else. */
  #held: ReadonlySet<string>;

  constructor(path: string, wanted: EdgeConfig, journal: Journal, startEnvoy = startDiscoveredEnvoy) {
    this.#path = path;
    this.#journal = journal;
    this.#wanted = wanted;
    this.#held = new Set([formatAddress(wanted.config.edge.listen)]);
    this.#startEnvoy = startEnvoy;
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
    const { listen } = next.config.edge;
    if (!this.#held.has(formatAddress(listen))) await freeOrFail(listen, 'the edge', 'edge.listen');
    for (let envoy = this.#settled; envoy; envoy = this.#settled) {
      try {
        await envoy.push(next.discovery);
        // Otherwise another one has been started meanwhile, with what was wanted before.
        if (this.#settled !== envoy) continue;
        this.#wanted = next;
        this.#held = new Set([formatAddress(listen)]);
        return 'now';
      } catch (error) {
        if (error instanceof PushRejectedError) throw error;
        // It has ended, or does not answer: either way it is started anew, with what is wanted now.
        envoy.kill();
        this.#unsettle(envoy);
      }
    }
    this.#wanted = next;
    return 'later';
  }

  /** Takes away what neither the configuration in force nor `kept` needs. */
  async forget(kept: readonly EdgeConfig[]): Promise<void> {
    // What could not be taken away does no harm: no route leads there.
    await this.#settled?.forget(kept.map((one) => one.discovery)).catch(() => {});
  }

  stop(): Promise<void> {
    return this.#part.stop();
  }

  async #begin(signal: AbortSignal): Promise<DiscoveredEnvoy> {
    const { config, discovery } = this.#wanted;
    this.#held = new Set([formatAddress(config.edge.listen)]);
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
      const envoy = await this.#startEnvoy(options, discovery);
      try {
        await this.#settle(envoy, discovery, signal);
      } catch (error) {
        // Nobody would know of it: it would serve what was wanted before, on the port that the next one needs.
        await envoy.stop();
        throw error instanceof PushRejectedError ? new UserError(`Envoy refused it: ${error.message}`) : error;
      }
      return envoy;
    } catch (error) {
      throw error instanceof EnvoyStartError ? new UserError(`${error.message}.`) : error;
    }
  }

  /** Others are asked for while it starts, and while it is given one of them. */
  async #settle(envoy: DiscoveredEnvoy, given: Discovery, signal: AbortSignal): Promise<void> {
    for (let has = given; this.#wanted.discovery !== has && !signal.aborted; ) {
      has = this.#wanted.discovery;
      this.#held = new Set([...this.#held, formatAddress(this.#wanted.config.edge.listen)]);
      await envoy.push(has);
    }
    this.#settled = envoy;
    this.#held = new Set([formatAddress(this.#wanted.config.edge.listen)]);
    void envoy.exited.then(() => this.#unsettle(envoy));
  }

  #unsettle(envoy: DiscoveredEnvoy): void {
    if (this.#settled === envoy) this.#settled = undefined;
  }
}

/** Envoy says of a port in use only that it could not bind: it is asked for before. @throws {UserError} */
async function freeOrFail(address: Address, what: string, key: string): Promise<void> {
  if (address.port === 0) return;
  // Whoever connects in this moment is not answered: it is not the edge that they have.
  const probe = createServer((socket) => socket.destroy());
  await listen(probe, address).catch((error: unknown) => {
    throw listenError(error, what, formatAddress(address), `set ${key} to another address`);
  });
  await new Promise((resolve) => probe.close(resolve));
}
