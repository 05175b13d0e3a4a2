// Where the HTTPRoutes lead: Services as they are, Backends for what is outside of the cluster or speaks HTTP/2, and how
// their certificates are verified. No I/O.
import type { Config, Upstream } from '../../config/config.ts';
import { GenerateError } from '../generate-error.ts';
import type { KubernetesObject, Manifest } from '../kubernetes/manifest.ts';
import { Names } from '../kubernetes/names.ts';
import { type Destination, destinationOf } from '../kubernetes/service.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { EXTENSION_API, EXTENSION_GROUP, GATEWAY_API, GATEWAY_GROUP, NAME, POLICY_FILE } from './kinds.ts';

export interface Backends {
  /** An entry of `backendRefs`. */
  refTo(upstream: string): Block;
  readonly manifests: readonly Manifest[];
  /** Whether Envoy Gateway must be told to take Backends (`extensionApis.enableBackend`). */
  readonly needsBackendApi: boolean;
}

export function backends(upstreams: Config['edge']['upstreams'], namespace: string): Backends {
  const names = new Names();
  const refs = new Map<string, Block>();
  const objects: KubernetesObject[] = [];
  const shared = new Map<string, string[]>();
  let needsBackendApi = false;
  for (const [key, upstream] of upstreams) {
    const destination = destinationOf(upstream);
    const comment = `Upstream ${key}.`;
    mustFit(destination, upstream, `edge.upstream${upstreams.size > 1 ? `s.${key}` : ''}`);
    if (destination.kind === 'service' && !upstream.http2) {
      const { name, port, namespace: of = namespace } = destination;
      refs.set(key, { name, port, ...(of === namespace ? {} : { namespace: of }) });
      if (of !== namespace) shared.set(of, [...(shared.get(of) ?? []), name]);
      if (upstream.url.protocol === 'https:')
        objects.push(
          tlsPolicy(names.give(`${NAME}-${key}`), of, { group: '', kind: 'Service', name }, upstream, comment),
        );
      continue;
    }
    needsBackendApi = true;
    const name = names.give(`${NAME}-${key}`);
    const port = destination.port;
    refs.set(key, { group: EXTENSION_GROUP, kind: 'Backend', name, port });
    objects.push(backend(name, namespace, destination, upstream, comment));
    if (upstream.url.protocol === 'https:')
      objects.push(tlsPolicy(name, namespace, { group: EXTENSION_GROUP, kind: 'Backend', name }, upstream, comment));
  }
  for (const [of, services] of shared) objects.push(grant(of, namespace, services));
  return {
    refTo: (upstream) => {
      const ref = refs.get(upstream);
      if (!ref) throw new Error(`no upstream ${upstream}`);
      return ref;
    },
    manifests: objects.map((object) => ({ file: POLICY_FILE, object })),
    needsBackendApi,
  };
}

/** A pod's own machine is not the one that the file was written on. */
function mustFit(destination: Destination, { url }: Upstream, key: string): void {
  if (destination.kind === 'address' && url.protocol === 'https:')
    throw new GenerateError(
      `${key}: a BackendTLSPolicy verifies a certificate by name, and ${destination.address} is an address. Give a name that the certificate is for.`,
    );
  const host =
    destination.kind === 'address' ? destination.address : destination.kind === 'host' ? destination.host : '';
  if (isLoopback(host))
    throw new GenerateError(
      `${key}: ${host} is a pod’s own machine in a cluster. Name a Service there, such as http://web.shop.svc.cluster.local:8080.`,
    );
}

function backend(
  name: string,
  namespace: string,
  destination: Destination,
  { http2 }: Upstream,
  comment: string,
): KubernetesObject {
  return {
    [COMMENT]: comment,
    apiVersion: EXTENSION_API,
    kind: 'Backend',
    metadata: { name, namespace },
    spec: {
      ...(http2 ? { appProtocols: ['gateway.envoyproxy.io/h2c'] } : {}),
      endpoints: [endpoint(destination, namespace)],
    },
  };
}

function endpoint(destination: Destination, namespace: string): Block {
  const { port } = destination;
  switch (destination.kind) {
    case 'address':
      return { ip: { address: destination.address, port } };
    case 'host':
      return { fqdn: { hostname: destination.host, port } };
    case 'service':
      return {
        fqdn: { hostname: `${destination.name}.${destination.namespace ?? namespace}.svc.cluster.local`, port },
      };
  }
}

function tlsPolicy(
  name: string,
  namespace: string,
  target: Block,
  { url }: Upstream,
  comment: string,
): KubernetesObject {
  return {
    [COMMENT]: `${comment} Verified with the certificates of Envoy’s system; name a ConfigMap with others in caCertificateRefs.`,
    apiVersion: GATEWAY_API,
    kind: 'BackendTLSPolicy',
    metadata: { name, namespace },
    spec: { targetRefs: [target], validation: { hostname: url.hostname, wellKnownCACertificates: 'System' } },
  };
}

/** Served by every version of Gateway API so far; `v1` is not. */
const GRANT_API = `${GATEWAY_GROUP}/v1beta1`;

function grant(of: string, from: string, services: readonly string[]): KubernetesObject {
  return {
    [COMMENT]: `The HTTPRoutes in ${from} may lead to Services in ${of}.`,
    apiVersion: GRANT_API,
    kind: 'ReferenceGrant',
    metadata: { name: `${NAME}-${from}`, namespace: of },
    spec: {
      from: [{ group: GATEWAY_GROUP, kind: 'HTTPRoute', namespace: from }],
      to: [...new Set(services)].map((name) => ({ group: '', kind: 'Service', name })),
    },
  };
}

/** RFC 6761, section 6.3: `localhost` is, whatever a resolver says. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|0\.0\.0\.0|::1?|::ffff:7f.*)$/.test(bare);
}
