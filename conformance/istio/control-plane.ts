// Istio's control plane on this machine, and a real Envoy that it drives. Starts processes, writes into a folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { findEnvoy } from '../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { until } from '../until.ts';
import { buildIstio } from './build.ts';

export interface Cluster {
  /** Objects of Istio's own kinds, as YAML. */
  readonly istio: string;
  /** Objects of Kubernetes' own kinds. */
  readonly kubernetes: string;
  /** The mesh's configuration. */
  readonly mesh: Readonly<Record<string, unknown>>;
}

/** Whose proxy it is. */
export interface MeshProxy {
  readonly kind: 'router' | 'sidecar';
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** By it the control plane knows whose service a proxy is; nobody connects to it. Nothing else may have the same. */
export const PROXY_ADDRESS = '192.0.2.1';

export interface IstioEdge {
  readonly envoy: RunningEnvoy;
  /** What the control plane has written. */
  log(): string;
  close(): Promise<void>;
}

/** Starts both, and waits until Envoy listens on the port. `dir`: where files may be put. */
export async function startIstioEdge(
  cluster: Cluster,
  proxy: MeshProxy,
  { dir, port }: { readonly dir: string; readonly port: number },
): Promise<IstioEdge> {
  const folder = mkdtempSync(join(dir, 'istio-'));
  const plane = await startControlPlane(cluster, folder);
  try {
    const envoy = await startProxy(plane.address, proxy, port);
    return {
      envoy,
      log: plane.log,
      async close() {
        await envoy.stop();
        await plane.close();
      },
    };
  } catch (error) {
    await plane.close();
    throw new Error(`${error instanceof Error ? error.message : error}\n${plane.log().slice(-4_000)}`);
  }
}

interface ControlPlane {
  readonly address: { readonly host: string; readonly port: number };
  log(): string;
  close(): Promise<void>;
}

/** Filters that need Istio's own build of Envoy. */
const WITHOUT_ISTIO_ENVOY = { PILOT_ENABLE_METADATA_EXCHANGE: 'false', PILOT_ENABLE_ALPN_FILTER: 'false' };

async function startControlPlane({ istio, kubernetes, mesh }: Cluster, folder: string): Promise<ControlPlane> {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const args = [
    '-istio',
    file('istio.yaml', istio),
    '-kubernetes',
    file('kubernetes.yaml', kubernetes),
    '-mesh',
    // No certificates are about.
    file('mesh.yaml', stringify({ ...mesh, enableAutoMtls: false })),
  ];
  const child = spawn(await buildIstio('istio-control-plane'), args, {
    env: { ...process.env, ...WITHOUT_ISTIO_ENVOY },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let written = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (written += data.toString()));
  const listening = () => /listening on 127\.0\.0\.1:(\d+)/.exec(written)?.[1];
  await until('Istio’s control plane listens', () => {
    if (child.exitCode !== null) throw new Error(`the control plane ended with ${child.exitCode}: ${written}`);
    return listening() !== undefined;
  });
  return {
    address: { host: '127.0.0.1', port: Number(listening()) },
    log: () => written,
    close: () => ended(child),
  };
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

async function startProxy(
  xds: { readonly host: string; readonly port: number },
  proxy: MeshProxy,
  port: number,
): Promise<RunningEnvoy> {
  const { path } = await findEnvoy();
  const log: string[] = [];
  const envoy = await startEnvoy({
    path,
    config: stringify(bootstrap(xds, proxy)),
    concurrency: 1,
    onLog: (line) => log.push(line),
  });
  try {
    await until(`Envoy listens on ${port}`, () => listensOn(envoy, port));
    return envoy;
  } catch (error) {
    await envoy.stop();
    throw new Error(`${error instanceof Error ? error.message : error}:\n${log.slice(-20).join('\n')}`);
  }
}

async function listensOn({ adminUrl }: RunningEnvoy, port: number): Promise<boolean> {
  const answer = await fetch(`${adminUrl}/listeners`).catch(() => undefined);
  return (await answer?.text())?.includes(`:${port}\n`) ?? false;
}

function bootstrap(
  xds: { readonly host: string; readonly port: number },
  { kind, namespace, labels }: MeshProxy,
): object {
  const overAds = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  const at = (host: string, port: number) => ({ socket_address: { address: host, port_value: port } });
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  return {
    node: {
      id: `${kind}~${PROXY_ADDRESS}~proxy.${namespace}~${namespace}.svc.cluster.local`,
      cluster: 'proxy',
      metadata: { LABELS: labels, NAMESPACE: namespace, CLUSTER_ID: 'Kubernetes', INTERCEPTION_MODE: 'NONE' },
    },
    admin: { address: at('127.0.0.1', 0) },
    dynamic_resources: {
      lds_config: overAds,
      cds_config: overAds,
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
    },
    static_resources: {
      // So that Envoy is taken for started whatever it is told.
      listeners: [{ name: 'none', address: at('127.0.0.1', 0), filter_chains: [{ filters: [NOTHING] }] }],
      clusters: [
        {
          name: 'xds',
          type: 'STATIC',
          typed_extension_protocol_options: http2,
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(xds.host, xds.port) } }] }],
          },
        },
      ],
    },
    // As Istio's own bootstrap has it.
    layered_runtime: { layers: [{ name: 'static', static_layer: { 're2.max_program_size.error_level': 32_768 } }] },
  };
}

const NOTHING = {
  name: 'envoy.filters.network.direct_response',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config' },
};
