// Envoy Gateway as a target of the table: its own translator makes the configuration of a real Envoy from exactly what
// `generate envoy-gateway` wrote, and from the Services of a cluster. Starts processes.
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import { AUTHORIZER_NAME, GRPC_PORT } from '../../src/generate/kubernetes/authorizer.ts';
import { oneStream } from '../../src/generate/kubernetes/manifest.ts';
import { bootstrapOf } from '../envoy-gateway/bootstrap.ts';
import { admitted, clusterObjects, type Service } from '../envoy-gateway/cluster.ts';
import { translate } from '../envoy-gateway/translate.ts';
import { generated } from './generated.ts';
import type { Backing, StartTarget } from './target.ts';

const NAMESPACE = 'shop';
const APP: Service = { name: 'app', namespace: NAMESPACE, port: 8080 };
/** Ory by a name for each port of this machine: the gateway itself fetches the keys of the issuer. */
const ORY = /port-(\d+)\.identity\.svc\.cluster\.local/;

export const startEnvoyGateway: StartTarget = async (backing, edgePort) => {
  const { files } = await generated({ ...backing, policy: inCluster(backing) }, 'envoy-gateway');
  const { stream, addresses } = admitted(`${oneStream(files)}---\n${clusterObjects([APP])}`);
  const bootstrap = bootstrapOf(await translate(stream), {
    edgePort,
    portFor: (host, port) => {
      const ory = ORY.exec(host)?.[1];
      if (ory !== undefined) return Number(ory);
      if (host === addresses.get(`${APP.name}.${NAMESPACE}`)) return backing.ports.app;
      const authorizer = addresses.get(`${AUTHORIZER_NAME}.${NAMESPACE}`);
      return host === authorizer && port === GRPC_PORT ? backing.ports.grpc : undefined;
    },
  });
  const { path } = await findEnvoy();
  // Ory answers to its own name alone.
  const config = JSON.stringify(bootstrap).replaceAll(new RegExp(ORY, 'g'), '127.0.0.1');
  const envoy = await startEnvoy({ path, config, concurrency: 1 });
  return { url: `http://127.0.0.1:${envoy.listenPort}`, close: () => envoy.stop() };
};

/** The policy with the addresses that things have in the cluster; whom a token is from stays. */
function inCluster({ policy, ports }: Pick<Backing, 'policy' | 'ports'>): Record<string, unknown> {
  const { serve: _, ory, edge, ...rest } = policy as Record<string, Record<string, unknown>>;
  const hydra = (ory?.['hydra'] ?? {}) as Record<string, unknown>;
  const issuer = hydra['issuer'] ?? ory?.['url'] ?? hydra['public_url'];
  const placed = JSON.parse(
    JSON.stringify({ ory, edge })
      .replaceAll(`127.0.0.1:${ports.app}`, `${APP.name}.${APP.namespace}.svc.cluster.local:${APP.port}`)
      .replaceAll(/127\.0\.0\.1:(\d+)/g, 'port-$1.identity.svc.cluster.local:$1'),
  );
  const moved = issuer === undefined ? {} : { hydra: { ...placed.ory.hydra, issuer } };
  return { ...rest, ory: { ...placed.ory, ...moved }, edge: placed.edge };
}
