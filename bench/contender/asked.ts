// Envoy with an authorizer that it asks: ours in its variants, empty ones, Oathkeeper. Starts programs, writes files.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOathkeeper } from '../../conformance/oathkeeper/build.ts';
import { freePorts } from '../../conformance/ports.ts';
import type { Transport } from '../../src/generate/envoy/transport.ts';
import { type Started, startOn } from '../load/process.ts';
import { COOKIE } from '../stand-in/credentials.ts';
import type { Contender, RunningContender, Surroundings } from './contender.ts';
import { startFrame } from './envoy.ts';
import { type Frame, filterOf, frameOf } from './frame.ts';
import { buildGoAuthorizer } from './go-programs.ts';
import { policyOf } from './policy.ts';

const EMPTY = fileURLToPath(new URL('../stand-in/empty-authorizer.ts', import.meta.url));
const EXT_AUTHZ = 'envoy.filters.http.ext_authz';

interface Ports {
  readonly http: number;
  readonly grpc: number;
  readonly admin: number;
}

async function somePorts(): Promise<Ports> {
  const [http = 0, grpc = 0, admin = 0] = await freePorts(3);
  return { http, grpc, admin };
}

const listening = (output: string) => output.includes('ready\n');

async function together(
  surroundings: Surroundings,
  frame: Frame,
  authorizer: Started,
  version?: string,
): Promise<RunningContender> {
  const envoy = await startFrame(surroundings, frame).catch(async (error: unknown) => {
    await authorizer.stop();
    throw error;
  });
  return {
    envoy,
    authorizer,
    ...(version === undefined ? {} : { version }),
    async close() {
      await envoy.stop();
      await authorizer.stop();
    },
  };
}

/** `ory-envoy serve`, ready. */
export async function startServe(
  { program, cores, folder }: Pick<Surroundings, 'program' | 'cores' | 'folder'>,
  text: string,
  adminPort: number,
  more: readonly string[] = [],
): Promise<Started> {
  const file = join(await mkdtemp(join(folder, 'serve-')), 'ory-envoy.yaml');
  await writeFile(file, text);
  return startOn(cores.rest, process.execPath, [program, 'serve', '-c', file, ...more], () => isReady(adminPort));
}

export async function isReady(adminPort: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/health/ready`).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status === 200;
}

function ours(id: string, title: string, transport: Transport, edgeTtl: string): Contender {
  return {
    id,
    title,
    credential: 'cookie',
    identifies: true,
    refuses: true,
    async start(surroundings) {
      const ports = await somePorts();
      const { text, config } = policyOf(surroundings, { credential: 'cookie', edgeTtl, ports });
      const authorizer = await startServe(surroundings, text, ports.admin);
      return together(surroundings, frameOf(config, transport), authorizer);
    },
  };
}

export const edgeCache = ours('edge-cache', 'ory-envoy, edge cache', 'http', '20m');
export const overHttp = ours('authorizer-http', 'ory-envoy authorizer over HTTP, cached identity', 'http', '0s');
export const overGrpc = ours('authorizer-grpc', 'ory-envoy authorizer over gRPC, cached identity', 'grpc', '0s');

export const emptyNode: Contender = {
  id: 'empty-node',
  title: 'empty node:http authorizer',
  credential: 'cookie',
  identifies: false,
  refuses: false,
  async start(surroundings) {
    const ports = await somePorts();
    const { config } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '0s', ports });
    const args = [EMPTY, String(ports.http)];
    const authorizer = await startOn(surroundings.cores.rest, process.execPath, args, listening);
    return together(surroundings, frameOf(config), authorizer);
  },
};

export const goGrpc: Contender = {
  id: 'go-grpc',
  title: 'Go gRPC authorizer that does nothing',
  credential: 'cookie',
  identifies: false,
  refuses: false,
  async start(surroundings) {
    const { path, version } = await buildGoAuthorizer();
    const ports = await somePorts();
    const { config } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '0s', ports });
    const authorizer = await startOn(surroundings.cores.rest, path, [`127.0.0.1:${ports.grpc}`], listening);
    return together(surroundings, frameOf(config, 'grpc'), authorizer, version);
  },
};

/** Its decision API behind ext_authz, as its documentation has it: it asks Kratos for every request. */
export const oathkeeper: Contender = {
  id: 'oathkeeper',
  title: 'Oathkeeper, cookie_session',
  credential: 'cookie',
  identifies: true,
  refuses: true,
  async start(surroundings) {
    const { path, version } = await buildOathkeeper();
    const ports = await somePorts();
    const [prometheus = 0] = await freePorts(1);
    const folder = await mkdtemp(join(surroundings.folder, 'oathkeeper-'));
    const file = join(folder, 'oathkeeper.json');
    await writeFile(join(folder, 'rules.json'), JSON.stringify([OATHKEEPER_RULE]));
    await writeFile(file, JSON.stringify(oathkeeperConfig(surroundings.kratosUrl, ports, prometheus, folder)));
    const authorizer = await startOn(
      surroundings.cores.rest,
      path,
      ['serve', '-c', file, '--sqa-opt-out'],
      async () => {
        const answer = await fetch(`http://127.0.0.1:${ports.http}/health/ready`).catch(() => undefined);
        await answer?.body?.cancel();
        return answer?.status === 200;
      },
    );
    const { config } = policyOf(surroundings, { credential: 'cookie', edgeTtl: '0s', ports });
    const frame = frameOf(config);
    const service = filterOf(frame, EXT_AUTHZ)['http_service'] as Record<string, unknown>;
    service['path_prefix'] = '/decisions';
    return together(surroundings, frame, authorizer, version);
  },
};

const OATHKEEPER_RULE = {
  id: 'app',
  match: { url: 'http://<.*>/<.*>', methods: ['GET'] },
  authenticators: [{ handler: 'cookie_session' }],
  authorizer: { handler: 'allow' },
  mutators: [{ handler: 'header' }],
};

function oathkeeperConfig(kratosUrl: string, ports: Ports, prometheus: number, folder: string): unknown {
  const host = '127.0.0.1';
  return {
    serve: {
      api: { host, port: ports.http },
      proxy: { host, port: ports.grpc },
      prometheus: { host, port: prometheus },
    },
    log: { level: 'error' },
    access_rules: { repositories: [`file://${join(folder, 'rules.json')}`], matching_strategy: 'regexp' },
    authenticators: {
      cookie_session: {
        enabled: true,
        config: {
          check_session_url: `${kratosUrl}/sessions/whoami`,
          preserve_path: true,
          subject_from: 'identity.id',
          extra_from: '@this',
          only: [COOKIE],
        },
      },
    },
    authorizers: { allow: { enabled: true } },
    mutators: {
      header: {
        enabled: true,
        config: {
          headers: {
            'X-User-Id': '{{ print .Subject }}',
            'X-User-Email': '{{ print .Extra.identity.traits.email }}',
          },
        },
      },
    },
  };
}
