// An edge whose Envoy reads its filters from files: the authorizer in this process, so that a test sees what it sees, and a
// real Envoy. Opens ports, writes temporary folders.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { FilterFeed } from '../../../src/edge/filter-feed.ts';
import { findEnvoy } from '../../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../../src/edge/run.ts';
import { generateEnvoy } from '../../../src/generate/envoy/emit.ts';
import { makePlan } from '../../../src/generate/plan.ts';
import { type Authorizer, startAuthorizer } from '../../../src/server/authorizer.ts';
import { freePorts } from '../../ports.ts';
import { startApp } from './app.ts';
import type { EdgeFile } from './edge.ts';

/** A line of Envoy's access log. */
interface Logged {
  readonly start_time: string;
  readonly path: string;
  readonly status: number;
  readonly decided_by: string;
}

export interface FedEdge {
  readonly url: string;
  readonly config: Config;
  readonly authorizer: Authorizer;
  readonly feed: FilterFeed;
  readonly folder: string;
  /** What the authorizer logged: message and fields. */
  readonly log: string[];
  readonly envoyLog: string[];
  readonly accessLog: Logged[];
  envoy(): RunningEnvoy;
  startEnvoy(): Promise<RunningEnvoy>;
  close(): Promise<void>;
}

export interface FedEdgeOptions {
  /** Default: true; false leaves it to the test. */
  readonly envoy?: boolean;
  readonly concurrency?: number;
  readonly patch?: (yaml: string) => string;
}

export async function startFedEdge(file: EdgeFile, options: FedEdgeOptions = {}): Promise<FedEdge> {
  const { path } = await findEnvoy();
  const [listen = 0, admin = 0, http = 0, grpc = 0] = await freePorts(4);
  const app = await startApp('app');
  const parent = mkdtempSync(join(tmpdir(), 'ory-envoy-fed-'));
  const folder = join(parent, 'envoy');
  const config = parseConfig(
    JSON.stringify({
      ...file,
      edge: {
        listen: `127.0.0.1:${listen}`,
        admin: `127.0.0.1:${admin}`,
        upstreams: { app: app.url, second: app.url },
        ...file.edge,
      },
      serve: { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${grpc}`, admin: '127.0.0.1:0' },
    }),
    'fed.yaml',
    { env: {} },
  );
  const said: string[] = [];
  const write = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = { info: write, warn: write, error: write };
  const feed = await FilterFeed.open({ folder, admin: config.edge.admin, log });
  const authorizer = await startAuthorizer(config, { log, edgeCaches: feed });
  await feed.replace([{ plan: makePlan(config), keys: authorizer.keysOf(config) }]);
  const yaml = generateEnvoy(config, { part: 'bootstrap', envoyConfig: folder });
  const envoyLog: string[] = [];
  const accessLog: Logged[] = [];
  let running: RunningEnvoy | undefined;
  const edge: FedEdge = {
    url: `http://127.0.0.1:${listen}`,
    config,
    authorizer,
    feed,
    folder,
    log: said,
    envoyLog,
    accessLog,
    envoy() {
      if (!running) throw new Error('no Envoy was started');
      return running;
    },
    async startEnvoy() {
      running = await startEnvoy({
        path,
        config: options.patch?.(yaml) ?? yaml,
        concurrency: options.concurrency ?? 2,
        onLog: (line) => envoyLog.push(line),
        onAccessLog: (line) => accessLog.push(JSON.parse(line)),
      });
      return running;
    },
    async close() {
      await running?.stop();
      feed.close();
      await authorizer.close(0);
      await app.close();
      rmSync(parent, { recursive: true, force: true });
    },
  };
  if (options.envoy !== false) await edge.startEnvoy();
  return edge;
}
