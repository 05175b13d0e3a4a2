// Groups and versions of the objects, and references to them. No I/O.
import type { Block } from '../yaml.ts';

export const GATEWAY_GROUP = 'gateway.networking.k8s.io';
export const GATEWAY_API = `${GATEWAY_GROUP}/v1`;
export const EXTENSION_GROUP = 'gateway.envoyproxy.io';
export const EXTENSION_API = `${EXTENSION_GROUP}/v1alpha1`;

/** Of the GatewayClass, the Gateway, its ClientTrafficPolicy, and the HTTPRoutes. */
export const NAME = 'ory-envoy';

export const POLICY_FILE = 'policy.yaml';
export const GATEWAY_FILE = 'gateway.yaml';

export function gatewayRef(): Block {
  return { group: GATEWAY_GROUP, kind: 'Gateway', name: NAME };
}

export function routeRef(name: string, section?: string): Block {
  return { group: GATEWAY_GROUP, kind: 'HTTPRoute', name, ...(section === undefined ? {} : { sectionName: section }) };
}
