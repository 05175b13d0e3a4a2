// An Envoy that reads its configuration from files, and takes a changed one without dropping connections. Starts it,
// writes its private folder, asks its admin port.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DISCOVERY_FILES, type Discovery, routesName } from '../generate/envoy/discovery.ts';
import { discoveryResponse } from '../generate/envoy/discovery-response.ts';
import type { Block } from '../generate/yaml.ts';
import { readStats, type Stats } from './admin-stats.ts';
import { type RunningEnvoy, type StartEnvoyOptions, startEnvoy } from './run.ts';
import { replaceFile } from './watched-file.ts';

export interface DiscoveredEnvoy extends RunningEnvoy {
  /**
   * Gives it another configuration, and resolves when that is in force for every connection. Routes that change under
   * the same listener are taken by open connections with their next request; a listener that changes is replaced, and
   * the connections of the old one are asked to close, and closed after the drain time.
   * Clusters of earlier configurations stay until {@link forget}.
   * @throws {PushRejectedError} where Envoy refuses it: the configuration before it is in force again.
   */
  push(next: Discovery): Promise<void>;
  /** Takes away the clusters that neither the configuration in force nor `kept` has. Requests under way are finished. */
  forget(kept: readonly Discovery[]): Promise<void>;
}

/** Envoy refused what it was given; the message has Envoy's words. */
export class PushRejectedError extends Error {
  override readonly name = 'PushRejectedError';
}

/** Short: until then an idle connection may be served once more by the listener before. */
const DRAIN_SECONDS = 2;
const TAKEN_MS = 10_000;
/** A name that does not resolve must not hold up everything else. */
const WARM_MS = 5_000;
const WORDS_MS = 500;
const POLL_MS = 10;
const REFUSED = /config update rejected: (.*)$/;

/** @throws {EnvoyStartError} */
export async function startDiscoveredEnvoy(
  options: Omit<StartEnvoyOptions, 'config' | 'drainTimeSeconds'>,
  discovery: Discovery,
): Promise<DiscoveredEnvoy> {
  const refusals: string[] = [];
  const onLog = (line: string) => {
    const words = REFUSED.exec(line)?.[1];
    if (words !== undefined) refusals.push(words);
    options.onLog?.(line);
  };
  const files = new Files();
  const envoy = await startEnvoy({
    ...options,
    onLog,
    drainTimeSeconds: DRAIN_SECONDS,
    config: async (folder) => {
      files.folder = folder;
      await files.clusters(discovery.clusters.values());
      await files.routes(discovery);
      await files.listener(discovery);
      return discovery.bootstrap(folder);
    },
  });
  const running = new Running(envoy, files, discovery, refusals);
  return { ...envoy, push: (next) => running.push(next), forget: (kept) => running.forget(kept) };
}

/** The files that Envoy watches. */
class Files {
  folder = '';

  clusters(all: Iterable<Block>): Promise<string> {
    return this.#write(DISCOVERY_FILES.clusters, (version) => discoveryResponse('cluster', version, [...all]));
  }

  listener(discovery: Discovery): Promise<string> {
    return this.#write(DISCOVERY_FILES.listeners, (version) =>
      discoveryResponse('listener', version, [discovery.listener(this.folder)]),
    );
  }

  routes({ listenerId, routes }: Discovery): Promise<string> {
    return this.#write(DISCOVERY_FILES.routes(listenerId), (version) => discoveryResponse('routes', version, [routes]));
  }

  #write(name: string, content: (version: string) => string): Promise<string> {
    return replaceFile(join(this.folder, name), content);
  }
}

/** One kind of resource, as Envoy's statistics call it. */
interface Kind {
  readonly prefix: string;
  readonly what: string;
}
const CLUSTERS: Kind = { prefix: 'cluster_manager.cds', what: 'clusters' };
const LISTENERS: Kind = { prefix: 'listener_manager.lds', what: 'listener' };
const routesOf = (listenerId: string): Kind => ({ prefix: `http.edge.rds.${routesName(listenerId)}`, what: 'routes' });

class Running {
  readonly #envoy: RunningEnvoy;
  readonly #files: Files;
  /** What Envoy's log has said. */
  readonly #refusals: string[];
  #discovery: Discovery;
  /** Everything that Envoy has been given and not told to forget. */
  #clusters: ReadonlyMap<string, Block>;

  constructor(envoy: RunningEnvoy, files: Files, discovery: Discovery, refusals: string[]) {
    this.#envoy = envoy;
    this.#files = files;
    this.#refusals = refusals;
    this.#discovery = discovery;
    this.#clusters = discovery.clusters;
  }

  async push(next: Discovery): Promise<void> {
    const before = { discovery: this.#discovery, clusters: this.#clusters };
    try {
      await this.#give(next);
    } catch (error) {
      // An Envoy that is not what it was before would serve something that nobody asked for: it is better started anew.
      if (error instanceof PushRejectedError)
        await this.#restore(before.discovery, before.clusters).catch(() => this.#envoy.kill());
      throw error;
    }
  }

  async forget(kept: readonly Discovery[]): Promise<void> {
    const clusters = new Map([this.#discovery, ...kept].flatMap((one) => [...one.clusters]));
    if ([...this.#clusters.keys()].every((name) => clusters.has(name))) return;
    await this.#push(CLUSTERS, () => this.#files.clusters(clusters.values()));
    this.#clusters = clusters;
  }

  /** Make before break: a route never leads to a cluster that is not there, a listener never serves without routes. */
  async #give(next: Discovery): Promise<void> {
    const clusters = new Map([...this.#clusters, ...next.clusters]);
    if (clusters.size > this.#clusters.size) {
      await this.#push(CLUSTERS, () => this.#files.clusters(clusters.values()));
      this.#clusters = clusters;
      await this.#wait(WARM_MS, 'warming', (stats) => stats.number('cluster_manager.warming_clusters') === 0);
    }
    const routes = routesOf(next.listenerId);
    if (next.listenerId === this.#discovery.listenerId) {
      await this.#push(routes, () => this.#files.routes(next));
    } else {
      const rejected = (await this.#stats()).refusals(routes.prefix);
      const version = await this.#files.routes(next);
      await this.#push(LISTENERS, () => this.#files.listener(next));
      await this.#taken(routes, version, rejected);
      if (!(await this.#drained())) throw new PushRejectedError('Envoy did not replace its listener');
    }
    this.#discovery = next;
  }

  /** The one before, under new versions, so that it can be seen to be there. */
  async #restore(discovery: Discovery, clusters: ReadonlyMap<string, Block>): Promise<void> {
    await this.#files.routes(discovery);
    await this.#push(LISTENERS, () => this.#files.listener(discovery));
    await this.#push(CLUSTERS, () => this.#files.clusters(clusters.values()));
    this.#clusters = clusters;
    if (!(await this.#drained())) throw new PushRejectedError('Envoy did not go back to the listener before');
  }

  async #push(kind: Kind, write: () => Promise<string>): Promise<void> {
    const rejected = (await this.#stats()).refusals(kind.prefix);
    this.#refusals.length = 0;
    await this.#taken(kind, await write(), rejected);
  }

  async #taken(kind: Kind, version: string, rejectedBefore: number): Promise<void> {
    let refused = false;
    const taken = await this.#wait(TAKEN_MS, `${kind.prefix}.`, (stats) => {
      refused = stats.refusals(kind.prefix) > rejectedBefore;
      return refused || stats.text(`${kind.prefix}.version_text`) === version;
    });
    if (refused) throw new PushRejectedError((await this.#words()) ?? `Envoy refused the new ${kind.what}`);
    if (!taken) throw new PushRejectedError(`Envoy did not take the new ${kind.what} within ${TAKEN_MS / 1_000} s`);
  }

  /** They come through the log, which may be a little later than the statistics. */
  async #words(): Promise<string | undefined> {
    for (let waited = 0; this.#refusals.length === 0 && waited < WORDS_MS; waited += POLL_MS) await delay(POLL_MS);
    return this.#refusals[0];
  }

  /** Until the new listener serves, and nothing is left of the old one. */
  #drained(): Promise<boolean> {
    const names = ['total_listeners_warming', 'total_listeners_draining', 'total_filter_chains_draining'];
    return this.#wait(DRAIN_SECONDS * 1_000 + TAKEN_MS, 'listener_manager.total', (stats) =>
      names.every((name) => stats.number(`listener_manager.${name}`) === 0),
    );
  }

  /** @returns false when the limit is reached. @throws where Envoy does not answer. */
  async #wait(limitMs: number, filter: string, done: (stats: Stats) => boolean): Promise<boolean> {
    const end = Date.now() + limitMs;
    for (;;) {
      if (done(await readStats(this.#envoy.adminUrl, filter.replaceAll('.', '\\.')))) return true;
      if (Date.now() > end) return false;
      await delay(POLL_MS);
    }
  }

  #stats(): Promise<Stats> {
    return readStats(this.#envoy.adminUrl, 'update_(?:rejected|failure)');
  }
}
