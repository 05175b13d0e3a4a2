// One real Envoy with the generated listeners of many policies, an authorizer for each of them, and an application that
// keeps what reached it. Runs a program, opens ports.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import type { Log } from '../../src/check/log.ts';
import type { Config } from '../../src/config/config.ts';
import { FilterFeed } from '../../src/edge/filter-feed.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import { keysIn } from '../../src/generate/envoy/filter-files.ts';
import { makePlan } from '../../src/generate/plan.ts';
import { type Authorizer, startAuthorizer } from '../../src/server/authorizer.ts';
import { until } from '../until.ts';
import type { Policy } from './policy.ts';
import { Connections, headerOf, listen, response, type WireServer } from './wire.ts';

/** Names a request on its whole way. */
export const CASE_HEADER = 'x-case';
/** Who said yes: the authorizer's word, the native filter's, the route's reason, and the route. */
export const WHO_HEADER = 'x-who';

export interface Received {
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** Keeps each request until it is taken. */
export class Application {
  readonly #server: WireServer;
  readonly #received: Map<string, Received>;

  private constructor(server: WireServer, received: Map<string, Received>) {
    this.#server = server;
    this.#received = received;
  }

  static async start(): Promise<Application> {
    const received = new Map<string, Received>();
    const answer = response(200, 'seen');
    const server = await listen((head) => {
      received.set(headerOf(head, CASE_HEADER) ?? '', {
        target: head.first.split(' ')[1] ?? '',
        headers: head.headers,
      });
      return answer;
    });
    return new Application(server, received);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  take(name: string): Received | undefined {
    const found = this.#received.get(name);
    this.#received.delete(name);
    return found;
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

export interface Edges {
  /** Of each policy, in order. */
  readonly policies: readonly Connections[];
  /** A listener that normalises paths as the others do, and passes everything on. */
  readonly probe: Connections;
  close(): Promise<void>;
}

export const SILENT: Log = { info() {}, warn() {}, error() {} };

export interface EdgePolicy {
  readonly policy: Policy;
  readonly config: Config;
}

type Json = Record<string, unknown>;

/** `byFile`: Envoy has its filters from files of the authorizers, as with `--envoy-config`. */
export async function startEdges(
  path: string,
  policies: readonly EdgePolicy[],
  connections: number,
  byFile = false,
): Promise<Edges> {
  const authorizers = await Promise.all(policies.map(({ config }) => startAuthorizer(config, { log: SILENT })));
  const parent = mkdtempSync(join(tmpdir(), 'ory-envoy-equivalence-'));
  const folderOf = (i: number) => (byFile ? join(parent, String(i)) : undefined);
  const feeds = byFile
    ? await Promise.all(policies.map((one, i) => feedOf(one, authorizers[i] as Authorizer, join(parent, String(i)))))
    : [];
  const bootstraps = policies.map(({ policy, config }, i) =>
    bootstrapOf(policy, config, { authorizer: authorizers[i] as Authorizer, index: i, folder: folderOf(i) }),
  );
  const envoy = await startEnvoy({ path, config: JSON.stringify(merged(bootstraps)), concurrency: 1 });
  if (!byFile) await keysFetched(envoy, policies);
  const portOf = (name: string) => envoy.listeners.find((one) => one.name === name)?.port ?? 0;
  const of = policies.map((_, i) => new Connections(portOf(`edge-${i}`), connections));
  const probe = new Connections(portOf('probe'), connections * 2);
  return {
    policies: of,
    probe,
    async close() {
      for (const one of [...of, probe]) one.close();
      for (const feed of feeds) feed.close();
      await Promise.all([envoy.stop(), ...authorizers.map((one) => one.close(0))]);
      rmSync(parent, { recursive: true, force: true });
    },
  };
}

/** As generated, but for names that two policies may not share, and one header that says who decided. */
function bootstrapOf(
  { transport }: Policy,
  config: Config,
  {
    authorizer,
    index,
    folder,
  }: { readonly authorizer: Authorizer; readonly index: number; readonly folder: string | undefined },
): Json {
  const edge = {
    ...config.edge,
    authorizer: new URL(`http://127.0.0.1:${authorizer.http.port}`),
    authorizerGrpc: new URL(`http://127.0.0.1:${authorizer.grpc.port}`),
  };
  const bootstrap = parse(
    generateEnvoy({ ...config, edge }, { part: 'bootstrap', transport, ...(folder ? { envoyConfig: folder } : {}) }),
  ) as Json;
  const resources = bootstrap['static_resources'] as { listeners: Json[]; clusters: Json[] };
  const names = new Map(resources.clusters.map(({ name }) => [name, `${name}-${index}`]));
  const own = renamed(resources, names) as typeof resources;
  const [listener] = own.listeners;
  if (!listener) throw new Error('no listener was generated');
  listener['name'] = `edge-${index}`;
  const routes = managerOf(listener)['route_config'] as Json;
  routes['response_headers_to_add'] = [{ header: { key: WHO_HEADER, value: WHO } }];
  return { ...bootstrap, static_resources: own };
}

const WHO = [
  'DYNAMIC_METADATA(envoy.filters.http.ext_authz:ory-reason)',
  'DYNAMIC_METADATA(envoy.filters.http.rbac:ory_shadow_engine_result)',
  'DYNAMIC_METADATA(envoy.filters.http.rbac:ory_shadow_effective_policy_id)',
  'METADATA(ROUTE:ory-envoy:reason)',
  'ROUTE_NAME',
]
  .map((operator) => `%${operator}%`)
  .join('|');

function managerOf(listener: Json): Json {
  const [chain] = listener['filter_chains'] as { filters: { typed_config: Json }[] }[];
  const config = chain?.filters[0]?.typed_config;
  if (!config) throw new Error('the generated listener has no filter');
  return config;
}

/** Cluster names, wherever they stand. */
export function renamed(value: unknown, names: ReadonlyMap<unknown, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => renamed(one, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      ['name', 'cluster', 'cluster_name'].includes(key) ? (names.get(one) ?? one) : renamed(one, names),
    ]),
  );
}

function merged(bootstraps: readonly Json[]): Json {
  const [first] = bootstraps;
  if (!first) throw new Error('no policy');
  const all = bootstraps.map(
    (one) => structuredClone(one['static_resources']) as { listeners: Json[]; clusters: Json[] },
  );
  return {
    ...first,
    static_resources: {
      listeners: [...all.flatMap(({ listeners }) => listeners), probeOf(all[0]?.listeners[0])],
      clusters: all.flatMap(({ clusters }) => clusters),
    },
  };
}

/** The same connection manager without rules and filters. */
function probeOf(listener: Json | undefined): Json {
  const probe = structuredClone(listener ?? {});
  probe['name'] = 'probe';
  const manager = managerOf(probe);
  delete manager['access_log'];
  delete manager['local_reply_config'];
  manager['route_config'] = {
    name: 'probe',
    virtual_hosts: [
      { name: 'all', domains: ['*'], routes: [{ match: { prefix: '' }, route: { cluster: 'upstream-app-0' } }] },
    ],
  };
  manager['http_filters'] = (manager['http_filters'] as Json[]).filter(
    ({ name }) => name === 'envoy.filters.http.router',
  );
  return probe;
}

/** Resolves when the issuer's keys are there. */
async function feedOf({ policy, config }: EdgePolicy, authorizer: Authorizer, folder: string): Promise<FilterFeed> {
  // Its Envoy chooses the port: nobody asks it what it has.
  const feed = await FilterFeed.open({ folder, admin: { host: '127.0.0.1', port: 0 }, log: SILENT });
  await feed.replace([{ plan: makePlan(config), keys: authorizer.keysOf(config) }]);
  let told: string | undefined;
  const end = authorizer.keysOf(config)?.watch((jwks) => {
    told = jwks;
  });
  const held = () => readdirSync(folder).map((name) => keysIn(readFileSync(join(folder, name), 'utf8')));
  if (policy.keys !== 'down' && takesTokens(config))
    await until('the keys are there', () => told !== undefined && held().includes(told));
  end?.();
  return feed;
}

/** Before Envoy has the keys it asks about every token: nothing would be native. */
async function keysFetched({ adminUrl }: RunningEnvoy, policies: readonly EdgePolicy[]): Promise<void> {
  const wanted = policies.filter(({ policy, config }) => policy.keys !== 'down' && takesTokens(config)).length;
  const end = Date.now() + 10_000;
  for (;;) {
    const stats = await (await fetch(`${adminUrl}/stats?filter=jwks_fetch_success`)).text();
    const fetched = [...stats.matchAll(/: (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    if (fetched >= wanted) return;
    if (Date.now() > end) throw new Error(`Envoy fetched the keys of ${fetched} policies, not of ${wanted}`);
    await delay(10);
  }
}

function takesTokens({ tokens, rules }: Config): boolean {
  const kinds = rules.flatMap(({ access }) => (access.kind === 'anyone' ? [] : access.anyOf.map(({ kind }) => kind)));
  return tokens !== undefined && kinds.includes('token');
}
