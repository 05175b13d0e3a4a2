// Istio as a target of the table, at a gateway and in a sidecar: what `ory-envoy generate istio` writes, and what a cluster
// has beside it. Starts Istio's control plane and an Envoy.

import { parse, parseAllDocuments, stringify } from 'yaml';
import { GRPC_PORT } from '../../src/generate/kubernetes/authorizer.ts';
import { type IstioEdge, type MeshProxy, PROXY_ADDRESS, startIstioEdge } from '../istio/control-plane.ts';
import { generated } from './generated.ts';
import type { Backing, StartTarget, TargetEdge } from './target.ts';

const GATEWAY: MeshProxy = { kind: 'router', namespace: 'istio-system', labels: { istio: 'ingressgateway' } };
const SIDECAR: MeshProxy = { kind: 'sidecar', namespace: 'shop', labels: { app: 'web' } };

export const startIstioGateway: StartTarget = (backing, port) => startIstio('gateway', backing, port);
export const startIstioSidecar: StartTarget = (backing, port) => startIstio('sidecar', backing, port);

export interface RunningIstio extends TargetEdge, Pick<IstioEdge, 'envoy' | 'log'> {}

type Manifest = Readonly<Record<string, unknown>> & { readonly apiVersion: string; readonly kind: string };

/** @param flags of `generate istio` beside mode, selector and namespace; `patch`: a last hand on its objects */
export async function startIstio(
  mode: 'gateway' | 'sidecar',
  backing: Backing,
  port: number,
  flags: readonly string[] = [],
  patch: (objects: Manifest[]) => Manifest[] = (objects) => objects,
): Promise<RunningIstio> {
  const proxy = mode === 'gateway' ? GATEWAY : SIDECAR;
  const where = mode === 'gateway' ? [] : ['--mode', 'sidecar', '--selector', 'app=web', '--namespace', 'shop'];
  const { files } = await generated(backing, 'istio', [...where, ...flags]);
  const mesh = (parse(files.get('mesh-config.txt') ?? '') as { meshConfig: Record<string, unknown> }).meshConfig;
  const objects = patch([...files].filter(([name]) => name.endsWith('.yaml')).flatMap(([, text]) => objectsOf(text)));
  const istio = objects.filter(({ apiVersion }) => apiVersion.includes('istio.io/'));
  const services = objects.filter(({ kind }) => kind === 'Service');
  const around = mode === 'gateway' ? aroundGateway(backing, port) : aroundSidecar(backing, port);
  const edge = await startIstioEdge(
    {
      istio: streamOf([...istio, ...around]),
      kubernetes: streamOf(services.flatMap((service) => withEndpoint(service, backing.ports.grpc))),
      mesh,
    },
    proxy,
    { dir: backing.dir, port },
  );
  return { url: `http://127.0.0.1:${port}`, envoy: edge.envoy, log: edge.log, close: edge.close };
}

function objectsOf(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

function streamOf(objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}

/** As a cluster completes a Service: with an address, and with where its pods are. */
function withEndpoint(service: Manifest, port: number): object[] {
  const { name, namespace } = service['metadata'] as { readonly name: string; readonly namespace: string };
  return [
    { ...service, spec: { ...(service['spec'] as object), clusterIP: '10.96.0.10' } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      ports: [{ name: 'grpc', port }],
    },
  ];
}

/** The gateway's own listener, its route, and the application. */
function aroundGateway({ ports }: Backing, port: number): object[] {
  const { namespace, labels } = GATEWAY;
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'edge', namespace },
      spec: { selector: labels, servers: [{ port: { number: port, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }] },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'edge', namespace },
      spec: {
        hosts: ['*'],
        gateways: ['edge'],
        http: [{ route: [{ destination: { host: 'app.test', port: { number: ports.app } } }] }],
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'app', namespace },
      spec: {
        hosts: ['app.test'],
        location: 'MESH_EXTERNAL',
        resolution: 'STATIC',
        ports: [{ number: ports.app, name: 'http', protocol: 'HTTP' }],
        endpoints: [{ address: '127.0.0.1' }],
      },
    },
    ...instance(GATEWAY, port),
  ];
}

/** Reached without iptables: the inbound port is bound as it is. */
function aroundSidecar({ ports }: Backing, port: number): object[] {
  const { namespace, labels } = SIDECAR;
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'web', namespace },
      spec: {
        workloadSelector: { labels },
        ingress: [
          {
            port: { number: port, name: 'http', protocol: 'HTTP' },
            bind: '127.0.0.1',
            captureMode: 'NONE',
            defaultEndpoint: `127.0.0.1:${ports.app}`,
          },
        ],
        // Only services of this port are seen; it is bound where no other run does.
        egress: [
          {
            port: { number: GRPC_PORT, name: 'grpc', protocol: 'GRPC' },
            bind: `127.1.${port >> 8}.${port & 255}`,
            captureMode: 'NONE',
            hosts: ['./*'],
          },
        ],
      },
    },
    // No agent is about that would give the sidecar a certificate.
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'default', namespace },
      spec: { mtls: { mode: 'DISABLE' } },
    },
    ...instance(SIDECAR, port),
  ];
}

/** By which the control plane knows the proxy for one of a service. */
function instance({ namespace, labels }: MeshProxy, port: number): object[] {
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'edge', namespace },
      spec: {
        hosts: ['edge.test'],
        location: 'MESH_INTERNAL',
        resolution: 'STATIC',
        ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
        endpoints: [{ address: PROXY_ADDRESS, labels }],
      },
    },
  ];
}
