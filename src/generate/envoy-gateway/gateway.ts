// The GatewayClass, the order of its Envoys' filters, and the Gateway. No I/O.
import type { Config } from '../../config/config.ts';
import type { Manifest } from '../kubernetes/manifest.ts';
import { type Block, COMMENT } from '../yaml.ts';
import { EXTENSION_API, EXTENSION_GROUP, GATEWAY_API, GATEWAY_FILE, NAME } from './kinds.ts';

/** The Secret that holds the certificate and its key. */
export const TLS_SECRET = 'ory-envoy-tls';

/** Where Envoy Gateway runs its Envoys, unless it is told to run them beside the Gateway. */
const SYSTEM_NAMESPACE = 'envoy-gateway-system';

export function gatewayManifests({ edge }: Config, namespace: string): Manifest[] {
  return [
    {
      apiVersion: GATEWAY_API,
      kind: 'GatewayClass',
      metadata: { name: NAME },
      spec: {
        controllerName: 'gateway.envoyproxy.io/gatewayclass-controller',
        parametersRef: { group: EXTENSION_GROUP, kind: 'EnvoyProxy', name: NAME, namespace },
      },
    },
    {
      [COMMENT]:
        'jwt_authn removes every header that a rule’s claims become, on every route. Behind ext_authz, as it is by default, it\nwould remove what the authorizer has said.',
      apiVersion: EXTENSION_API,
      kind: 'EnvoyProxy',
      metadata: { name: NAME, namespace },
      spec: {
        filterOrder: [{ name: 'envoy.filters.http.ext_authz', after: 'envoy.filters.http.jwt_authn' }],
      },
    },
    {
      [COMMENT]: 'The port is that of edge.listen.',
      apiVersion: GATEWAY_API,
      kind: 'Gateway',
      metadata: { name: NAME, namespace },
      spec: {
        gatewayClassName: NAME,
        listeners: [
          {
            name: 'edge',
            port: edge.listen.port,
            ...(edge.tls
              ? { protocol: 'HTTPS', tls: { mode: 'Terminate', certificateRefs: [{ name: TLS_SECRET }] } }
              : { protocol: 'HTTP' }),
            allowedRoutes: { namespaces: { from: 'Same' } },
          },
        ],
      },
    },
  ].map((object) => ({ file: GATEWAY_FILE, object }));
}

/** Of the Gateway's Envoys, in either place: entries of a NetworkPolicy's `from`. */
export function gatewayPods(namespace: string): Block[] {
  const podSelector = {
    matchLabels: {
      'gateway.envoyproxy.io/owning-gateway-name': NAME,
      'gateway.envoyproxy.io/owning-gateway-namespace': namespace,
    },
  };
  return [
    { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': SYSTEM_NAMESPACE } }, podSelector },
    { podSelector },
  ];
}
