// A real Envoy that Envoy Gateway's translator has configured, between a client, a stub authorizer, echoing applications
// and an issuer's keys. Starts processes, opens ports.
import { createServer, type Server } from 'node:http';
import { parseDocument, stringify } from 'yaml';
import { type Key, makeKey } from '../../src/check/testing/issuer.ts';
import type { Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../src/edge/run.ts';
import { generateEnvoyGateway } from '../../src/generate/envoy-gateway/emit.ts';
import { AUTHORIZER_NAME, GRPC_PORT } from '../../src/generate/kubernetes/authorizer.ts';
import { oneStream } from '../../src/generate/kubernetes/manifest.ts';
import { type Answer, closeServer, portOf, type Seen } from '../edge/envoy-rig.ts';
import { type StubAuthorizer, startStubAuthorizer } from '../edge/rig/stub-authorizer.ts';
import { echoApp } from './app.ts';
import { bootstrapOf } from './bootstrap.ts';
import { admitted, clusterObjects } from './cluster.ts';
import { translate } from './translate.ts';

const NAMESPACE = 'shop';
/** A name for each port of this machine. */
const HERE = /port-(\d+)\.here\.svc\.cluster\.local/;

export interface Rig {
  readonly port: number;
  readonly config: Config;
  readonly issuer: string;
  readonly key: Key;
  /** Every check so far. */
  readonly checks: Seen[];
  /** Every request that an application received so far. */
  readonly received: Seen[];
  answer: Answer;
  close(): Promise<void>;
}

export interface RigOptions {
  /** `rules:` and whatever else stands at the top level, as YAML. */
  readonly policy: string;
  /** Names of upstreams; each is an application that names itself in `x-application`. */
  readonly upstreams?: readonly string[];
  readonly answer?: Answer;
  /** A last hand on the objects, as somebody's own would stand in a cluster. */
  readonly objects?: (stream: string) => string;
}

export const denyAll: Answer = (_, reply) => reply.deny(401, { 'ory-reason': 'credential_missing' }, 'asked');

export async function startRig({ policy, upstreams = ['app'], answer = denyAll, objects }: RigOptions): Promise<Rig> {
  const closing: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const rig = { checks: [] as Seen[], received: [] as Seen[], answer };
    const authorizer = await startStubAuthorizer('grpc', (seen, reply) => {
      rig.checks.push(seen);
      rig.answer(seen, reply);
    });
    closing.push(() => authorizer.close());
    const key = await makeKey('ES256', 'k');
    const keys = await listening(createServer((_, response) => response.end(JSON.stringify({ keys: [key.jwk] }))));
    closing.push(() => closeServer(keys));
    const ports = new Map<string, number>();
    for (const name of upstreams) {
      const app = await listening(echoApp(name, rig.received));
      closing.push(() => closeServer(app));
      ports.set(name, portOf(app));
    }
    const issuer = `http://127.0.0.1:${portOf(keys)}`;
    const text = policyText(policy, upstreams, portOf(keys), issuer);
    const config = parseConfig(text, 'rig.yaml', { env: {} });
    const { files } = generateEnvoyGateway(config, {
      source: { text, file: 'rig.yaml' },
      namespace: NAMESPACE,
      image: 'ory-envoy:test',
      version: [1, 9, 0],
      edgeCache: false,
    });
    const services = upstreams.map((name) => ({ name, namespace: NAMESPACE, port: 8080 }));
    const stream = `${oneStream(files)}---\n${clusterObjects(services)}`;
    const envoy = await startTranslated(objects ? objects(stream) : stream, ports, authorizer);
    closing.push(() => envoy.stop());
    return Object.assign(rig, { port: envoy.listenPort, config, issuer, key, close });
  } catch (error) {
    await close();
    throw error;
  }
}

function policyText(policy: string, upstreams: readonly string[], keysPort: number, issuer: string): string {
  const there = `http://port-${keysPort}.here.svc.cluster.local:${keysPort}`;
  const named = upstreams.map((name) => `${name}: http://${name}.${NAMESPACE}.svc.cluster.local:8080`);
  return `ory: { kratos: { public_url: "${there}" }, hydra: { public_url: "${there}", issuer: "${issuer}" } }
${policy}
edge: { public_url: https://edge.test, upstreams: { ${named.join(', ')} } }
`;
}

async function startTranslated(
  stream: string,
  apps: ReadonlyMap<string, number>,
  authorizer: StubAuthorizer,
): Promise<RunningEnvoy> {
  const { stream: inCluster, addresses } = admitted(stream);
  const ports = new Map([...apps].map(([name, port]) => [addresses.get(`${name}.${NAMESPACE}`) ?? '', port]));
  const bootstrap = bootstrapOf(await translate(inCluster), {
    edgePort: 0,
    portFor: (host, port) => {
      const here = HERE.exec(host)?.[1];
      if (here !== undefined) return Number(here);
      const asked = host === addresses.get(`${AUTHORIZER_NAME}.${NAMESPACE}`) && port === GRPC_PORT;
      return asked ? authorizer.port : ports.get(host);
    },
  });
  const { path } = await findEnvoy();
  return startEnvoy({ path, config: JSON.stringify(bootstrap), concurrency: 1 });
}

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** The stream with one member of an object's spec set, or with `undefined` taken away. */
export function withSpec(stream: string, kind: string, path: readonly string[], value: unknown): string {
  return stream
    .split(/^---\n/m)
    .map((text) => {
      if (!new RegExp(`^kind: ${kind}$`, 'm').test(text)) return text;
      const document = parseDocument(text);
      if (value === undefined) document.deleteIn(['spec', ...path]);
      else document.setIn(['spec', ...path], value);
      return stringify(document);
    })
    .join('---\n');
}
