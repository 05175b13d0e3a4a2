// A whole edge for a suite: the application, `ory-envoy serve`, and a real Envoy with the generated bootstrap.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Address, formatAddress } from '../../../src/config/config.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { findEnvoy } from '../../../src/edge/find.ts';
import { type RunningEnvoy, startEnvoy } from '../../../src/edge/run.ts';
import { generateEnvoy } from '../../../src/generate/envoy/emit.ts';
import type { Transport } from '../../../src/generate/envoy/transport.ts';
import { freePorts } from '../../ports.ts';
import { type App, startApp } from './app.ts';
import { type ServeProcess, serveProcess } from './serve-process.ts';

export interface Edge {
  readonly url: string;
  readonly authorizer: ServeProcess;
  /** The authorizer, asked directly. */
  readonly authorizerUrl: string;
  /** And over gRPC. */
  readonly authorizerGrpc: Address;
  /** The authorizer's admin port. */
  readonly adminUrl: string;
  /** What `serve` was started with. */
  readonly configFile: string;
  readonly app: App;
  readonly second: App;
  readonly envoy: RunningEnvoy;
  /** Everything that Envoy wrote: its log and the access log. */
  envoyLog(): string;
  close(): Promise<void>;
}

export type EdgeFile = { readonly edge?: object; readonly serve?: object; readonly [key: string]: unknown };

export interface Serving {
  readonly workers?: number;
  /** With `--envoy-config`. */
  readonly byFile?: boolean;
}

/**
 * `file` is an `ory-envoy.yaml` as an object; addresses of the edge and the authorizer are filled in. `transport` is how
 * Envoy asks the authorizer; `patch` a last hand on the generated bootstrap; `serving` how the authorizer runs.
 */
export async function startEdge(
  file: EdgeFile,
  transport: Transport = 'http',
  patch: (yaml: string) => string = (yaml) => yaml,
  { workers = 1, byFile = false }: Serving = {},
): Promise<Edge> {
  const [listen = 0, envoyAdmin = 0, http = 0, grpc = 0, admin = 0] = await freePorts(5);
  const app = await startApp('app');
  const second = await startApp('second');
  const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-edge-'));
  const configFile = join(dir, 'ory-envoy.yaml');
  writeFileSync(
    configFile,
    stringify({
      ...file,
      edge: {
        listen: `127.0.0.1:${listen}`,
        admin: `127.0.0.1:${envoyAdmin}`,
        upstreams: { app: app.url, second: second.url },
        ...file.edge,
      },
      serve: { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${grpc}`, admin: `127.0.0.1:${admin}`, ...file.serve },
    }),
  );
  const config = loadConfig(configFile);
  const adminAddress = formatAddress(config.serve.admin);
  const envoyConfig = join(dir, 'envoy');
  const authorizer = serveProcess(configFile, adminAddress, [
    ...(workers === 1 ? [] : ['--workers', String(workers)]),
    ...(byFile ? ['--envoy-config', envoyConfig] : []),
  ]);
  await authorizer.start();
  let written = '';
  const write = (line: string) => {
    written += `${line}\n`;
  };
  const { path } = await findEnvoy({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  const envoy = await startEnvoy({
    path,
    config: patch(generateEnvoy(config, { part: 'bootstrap', transport, ...(byFile ? { envoyConfig } : {}) })),
    onLog: write,
    onAccessLog: write,
  });
  return {
    url: `http://127.0.0.1:${envoy.listenPort}`,
    authorizerUrl: `http://127.0.0.1:${http}`,
    authorizerGrpc: { host: '127.0.0.1', port: grpc },
    adminUrl: `http://${adminAddress}`,
    configFile,
    authorizer,
    app,
    second,
    envoy,
    envoyLog: () => written,
    async close() {
      await envoy.stop();
      await authorizer.kill();
      await Promise.all([app.close(), second.close()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
