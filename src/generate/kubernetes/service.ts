// Where an application is in a cluster, as an upstream's URL says it. No I/O.
import type { Upstream } from '../../config/config.ts';

/** An upstream as Kubernetes knows it. */
export type Destination =
  /** A Service: `http://web.shop.svc.cluster.local`, `http://web.shop.svc`, `http://web.shop`, `http://web`. */
  | { readonly kind: 'service'; readonly name: string; readonly namespace: string | undefined; readonly port: number }
  /** A host outside of the cluster. */
  | { readonly kind: 'host'; readonly host: string; readonly port: number }
  | { readonly kind: 'address'; readonly address: string; readonly port: number };

const SERVICE =
  /^([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.svc(?:\.cluster\.local)?)?)?$/;

/** A name with one dot is taken for a Service: `web.shop`; write `web.example.com` or longer for what is outside. */
export function destinationOf({ url }: Pick<Upstream, 'url'>): Destination {
  const host = url.hostname;
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (/^\[.*\]$/.test(host)) return { kind: 'address', address: host.slice(1, -1), port };
  if (/^\d+(?:\.\d+){3}$/.test(host)) return { kind: 'address', address: host, port };
  const [, name, namespace] = SERVICE.exec(host) ?? [];
  if (name === undefined || host === 'localhost') return { kind: 'host', host, port };
  return { kind: 'service', name, namespace, port };
}

/** The namespace of the first upstream that says one. */
export function namespaceOf(upstreams: Iterable<Upstream>): string | undefined {
  for (const upstream of upstreams) {
    const destination = destinationOf(upstream);
    if (destination.kind === 'service' && destination.namespace !== undefined) return destination.namespace;
  }
  return undefined;
}
