// One bootstrap with several listeners of one policy: with the edge cache, without it, with a changed script. No I/O.
import { parse } from 'yaml';
import type { Config } from '../../../src/config/config.ts';
import { generateEnvoy } from '../../../src/generate/envoy/emit.ts';
import { EDGE_CACHE } from '../../../src/generate/envoy/filter-names.ts';
import type { Transport } from '../../../src/generate/envoy/transport.ts';
import { renamed } from '../../equivalence/edge.ts';

export type Json = Record<string, unknown>;

/** A listener beside others: its name is also that of its statistics. */
export interface Variant {
  readonly name: string;
  /** Default true. */
  readonly edgeCache?: boolean;
  /** A last hand on the script. */
  readonly script?: (source: string) => string;
  /** A last hand on the HTTP connection manager. */
  readonly manager?: (manager: Json) => void;
}

/** Of the authorizer of a variant: each has a cluster of its own, so that its checks are counted by themselves. */
export function authorizerOf(variant: string): string {
  return `authorizer-${variant}`;
}

/** As JSON. */
export function bootstrapOf(config: Config, transport: Transport, variants: readonly Variant[]): string {
  const made = variants.map((variant) => variantOf(config, transport, variant));
  const [first] = made;
  if (!first) throw new Error('no variant');
  const clusters = new Map(made.flatMap(({ clusters }) => clusters.map((one) => [String(one['name']), one] as const)));
  return JSON.stringify({
    ...first.bootstrap,
    static_resources: { listeners: made.map(({ listener }) => listener), clusters: [...clusters.values()] },
  });
}

function variantOf(config: Config, transport: Transport, variant: Variant) {
  const cache = variant.edgeCache === false ? { ...config.cache, edgeTtlMs: 0 } : config.cache;
  const bootstrap = parse(generateEnvoy({ ...config, cache }, { part: 'bootstrap', transport })) as Json;
  const names = new Map([['authorizer', authorizerOf(variant.name)]]);
  const { listeners, clusters } = renamed(bootstrap['static_resources'], names) as {
    listeners: Json[];
    clusters: Json[];
  };
  const [listener] = listeners;
  if (!listener) throw new Error('no listener was generated');
  listener['name'] = variant.name;
  const manager = managerOf(listener);
  manager['stat_prefix'] = variant.name;
  const filter = scriptOf(manager);
  if (filter && variant.script) filter.inline_string = variant.script(filter.inline_string);
  variant.manager?.(manager);
  return { bootstrap, listener, clusters };
}

function managerOf(listener: Json): Json {
  const [chain] = listener['filter_chains'] as { filters: { typed_config: Json }[] }[];
  const config = chain?.filters[0]?.typed_config;
  if (!config) throw new Error('the generated listener has no filter');
  return config;
}

/** Where the script stands; undefined without an edge cache. */
function scriptOf(manager: Json): { inline_string: string } | undefined {
  const filters = manager['http_filters'] as { name: string; typed_config: Json }[];
  const filter = filters.find(({ name }) => name === EDGE_CACHE)?.typed_config;
  return filter?.['default_source_code'] as { inline_string: string } | undefined;
}

/** A change of the script that must be one. @throws where the place is not there once */
export function replacing(from: string, to: string): (source: string) => string {
  return (source) => {
    if (source.split(from).length !== 2) throw new Error(`the script does not have this once: ${from}`);
    return source.replace(from, () => to);
  };
}

/** The routes of a connection manager. */
export function routesOf(manager: Json): Json[] {
  const config = manager['route_config'] as { virtual_hosts: { routes: Json[] }[] };
  return config.virtual_hosts.flatMap(({ routes }) => routes);
}
