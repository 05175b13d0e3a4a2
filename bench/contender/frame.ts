// The Envoy that every contender has: the generated one, with what asks for a yes exchanged. The same protocols, limits,
// refusals of ambiguous paths, stripping of forged headers and access log, so that what differs is what is compared.
import { parse } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { generateEnvoy } from '../../src/generate/envoy/emit.ts';
import type { Transport } from '../../src/generate/envoy/transport.ts';

export type Json = Record<string, unknown>;

export interface Frame {
  readonly bootstrap: Json;
  /** The HTTP filters; to be exchanged in place. */
  readonly filters: Json[];
  /** The HTTP connection manager. */
  readonly manager: Json;
  readonly clusters: Json[];
}

/** The generated bootstrap as an object. Its access log is written, to nowhere: reading it would cost the cores. */
export function frameOf(config: Config, transport: Transport = 'http'): Frame {
  const bootstrap = parse(generateEnvoy(config, { part: 'bootstrap', transport })) as Json;
  const resources = at(bootstrap, 'static_resources');
  const manager = at(resources, 'listeners', 0, 'filter_chains', 0, 'filters', 0, 'typed_config');
  for (const log of manager['access_log'] as Json[]) {
    const stdout = at(log, 'typed_config');
    stdout['@type'] = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';
    stdout['path'] = '/dev/null';
  }
  return { bootstrap, manager, filters: manager['http_filters'] as Json[], clusters: resources['clusters'] as Json[] };
}

function at(from: Json, ...path: readonly (string | number)[]): Json {
  let value: unknown = from;
  for (const step of path) value = (value as Record<string | number, unknown>)[step];
  if (typeof value !== 'object' || value === null) throw new Error(`the generated Envoy has no ${path.join('.')}`);
  return value as Json;
}

/** Leaves of the connection manager what Envoy cannot do without. */
export function withoutFrame({ manager }: Frame): void {
  const host = at(manager, 'route_config', 'virtual_hosts', 0);
  host['routes'] = (host['routes'] as Json[]).filter(({ name }) => name !== undefined);
  const kept = ['@type', 'stat_prefix', 'codec_type', 'route_config', 'http_filters'];
  for (const key of Object.keys(manager)) if (!kept.includes(key)) delete manager[key];
}

/** Leaves the router alone. */
export function withoutFilters(frame: Frame): void {
  frame.filters.splice(0, frame.filters.length - 1);
}

/** The filter of this kind, to be changed in place. */
export function filterOf(frame: Frame, name: string): Json {
  const filter = frame.filters.find((one) => one['name'] === name);
  if (!filter) throw new Error(`the generated Envoy has no filter ${name}`);
  return at(filter, 'typed_config');
}
