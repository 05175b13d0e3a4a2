// The way out to Ory, for a mesh that knows no other hosts than its own. No I/O.
import { isIP } from 'node:net';
import type { Config } from '../../config/config.ts';
import { AUTHORIZER_LABELS } from '../kubernetes/authorizer.ts';
import type { KubernetesObject } from '../kubernetes/manifest.ts';
import { Names } from '../kubernetes/names.ts';
import { destinationOf } from '../kubernetes/service.ts';
import type { Plan } from '../plan.ts';
import { type Block, COMMENT } from '../yaml.ts';
import type { Workload } from './workload.ts';

/** Nothing for an Ory in the cluster, which the mesh knows, or at an address, which has no name to give. */
export function egress({ namespace, mode, labels }: Workload, config: Config, plan: Plan): KubernetesObject[] {
  const urls = plan.authorizer
    ? authorizerUrls(config)
    : config.tokens && mode === 'gateway'
      ? [config.tokens.jwksUrl]
      : [];
  const origins = new Map(urls.map((url) => [new URL(url).origin, new URL(url)]));
  const names = new Names();
  return [...origins.values()]
    .filter((url) => destinationOf({ url }).kind === 'host' && isIP(url.hostname) === 0)
    .flatMap((url) => {
      const name = names.give(`ory-envoy-${url.hostname.replaceAll('.', '-')}-${portOf(url)}`);
      const common = { metadata: { name, namespace } };
      return plan.authorizer
        ? [entry(url, common, url.protocol === 'https:' ? 'TLS' : 'HTTP'), passed(url, common)]
        : [
            entry(url, common, url.protocol === 'https:' ? 'HTTPS' : 'HTTP'),
            ...(url.protocol === 'https:' ? [begun(url, common, labels)] : []),
          ];
    });
}

function authorizerUrls({ sessions, tokens }: Config): string[] {
  return [
    ...(sessions ? [sessions.kratosUrl] : []),
    ...(tokens ? [tokens.jwksUrl] : []),
    ...(tokens?.introspection ? [tokens.introspection.url] : []),
  ];
}

interface Common {
  readonly metadata: { readonly name: string; readonly namespace: string };
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

function entry(url: URL, common: Common, protocol: string): KubernetesObject {
  return {
    [COMMENT]: 'Ory, outside of the mesh: needed where outboundTrafficPolicy is REGISTRY_ONLY.',
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    ...common,
    spec: {
      exportTo: ['.'],
      hosts: [url.hostname],
      location: 'MESH_EXTERNAL',
      resolution: 'DNS',
      ports: [{ number: portOf(url), name: protocol.toLowerCase(), protocol }],
    },
  };
}

/** TLS that the authorizer speaks itself. */
function passed(url: URL, common: Common): KubernetesObject {
  return rule(
    url,
    common,
    'The authorizer speaks to Ory itself, and verifies its certificate: a sidecar beside it must not wrap that into another TLS.',
    AUTHORIZER_LABELS,
    { mode: 'DISABLE' },
  );
}

/** TLS that Envoy speaks. */
function begun(url: URL, common: Common, labels: Block): KubernetesObject {
  return rule(
    url,
    common,
    'Where Envoy fetches the issuer’s keys itself (PILOT_JWT_ENABLE_REMOTE_JWKS: hybrid), it does so over TLS. By default istiod\nfetches them, and needs a way there.',
    labels,
    { mode: 'SIMPLE', sni: url.hostname, subjectAltNames: [url.hostname] },
  );
}

function rule(url: URL, common: Common, comment: string, matchLabels: Block, tls: Block): KubernetesObject {
  return {
    [COMMENT]: comment,
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    ...common,
    spec: { exportTo: ['.'], host: url.hostname, workloadSelector: { matchLabels }, trafficPolicy: { tls } },
  };
}
