// What stands in a file from which Envoy discovers a part of its configuration, and how it is told of the file. No I/O.
import { createHash } from 'node:crypto';
import type { Block, Value } from '../yaml.ts';

const TYPES = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  routes: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  filter: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
} as const;

/** The content of one file: Envoy names the version in its statistics once it has taken it. */
export function discoveryResponse(kind: keyof typeof TYPES, version: string, resources: readonly Block[]): string {
  const type = TYPES[kind];
  return JSON.stringify({
    version_info: version,
    type_url: type,
    resources: resources.map((resource) => ({ '@type': type, ...resource })),
  });
}

/**
 * The source of clusters, listeners, routes or a filter: read again whenever a file is renamed onto this one. Without a
 * bound: a listener never serves before it has its routes. A filter with a default does not wait.
 */
export function fromFile(path: string): Block {
  return { path_config_source: { path }, initial_fetch_timeout: '0s', resource_api_version: 'V3' };
}

/**
 * 12 hex digits (48 bits) of SHA-256, for a name. It tells versions of one policy's parts apart, a handful at a time, and is
 * no defence: whoever could choose two that meet writes the policy anyway.
 */
export function digest(value: Value): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12);
}
