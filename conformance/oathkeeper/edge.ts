// A real Oathkeeper behind a real Envoy, both with what `ory-envoy generate oathkeeper` wrote. Starts processes, writes
// a temporary folder.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { findEnvoy } from '../../src/edge/find.ts';
import { startEnvoy } from '../../src/edge/run.ts';
import type { Generated } from '../../src/generate/kubernetes/manifest.ts';
import { generateOathkeeper } from '../../src/generate/oathkeeper/emit.ts';
import type { ServerProcess } from '../ory/ory.ts';
import { startProgram } from '../ory/server-process.ts';
import { freePorts } from '../ports.ts';
import { buildOathkeeper } from './build.ts';

export interface OathkeeperEdge {
  readonly url: string;
  /** Its decision API. */
  readonly oathkeeperUrl: string;
  readonly oathkeeper: ServerProcess;
  /** What `generate` had to say. */
  readonly notes: readonly string[];
  /** Everything that Oathkeeper and Envoy wrote. */
  log(): string;
  close(): Promise<void>;
}

export interface OathkeeperEdgeOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Default: without a process of its own. */
  readonly generate?: (policy: Readonly<Record<string, unknown>>) => Promise<Pick<Generated, 'files' | 'notes'>>;
  /** A last hand on a generated file. */
  readonly patch?: (text: string, file: string) => string;
  /** Of Oathkeeper. */
  readonly env?: Readonly<Record<string, string>>;
}

const inProcess: OathkeeperEdgeOptions['generate'] & {} = async (policy) =>
  generateOathkeeper(parseConfig(stringify(policy), 'ory-envoy.yaml'));

/** `policy` is an ory-envoy.yaml as an object; where Envoy and Oathkeeper listen is filled in. */
export async function startOathkeeperEdge(
  policy: Readonly<Record<string, unknown>>,
  { port = 0, generate = inProcess, patch = (text) => text, env = {} }: OathkeeperEdgeOptions = {},
): Promise<OathkeeperEdge> {
  const [http = 0, grpc = 0, admin = 0] = await freePorts(3);
  const { authorizer: _, ...edge } = policy['edge'] as { readonly authorizer?: unknown };
  const { files, notes } = await generate({
    ...policy,
    edge: { ...edge, listen: `127.0.0.1:${port}`, admin: '127.0.0.1:0' },
    serve: { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${grpc}`, admin: `127.0.0.1:${admin}` },
  });
  const folder = mkdtempSync(join(tmpdir(), 'ory-envoy-oathkeeper-'));
  for (const [file, content] of files) writeFileSync(join(folder, file), patch(content, file));
  const closing: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  const logFile = join(folder, 'oathkeeper.log');
  let envoyLog = '';
  const write = (line: string) => {
    envoyLog += `${line}\n`;
  };
  try {
    const oathkeeperUrl = `http://127.0.0.1:${http}`;
    const oathkeeper = await startProgram({
      name: 'Oathkeeper',
      path: (await buildOathkeeper()).path,
      args: ['serve', '-c', join(folder, 'oathkeeper.yml'), '--sqa-opt-out'],
      env: { ACCESS_RULES_REPOSITORIES: `file://${join(folder, 'access-rules.yml')}`, ...env },
      logFile,
      readyUrls: [`${oathkeeperUrl}/health/ready`],
    });
    closing.push(() => oathkeeper.kill());
    const envoy = await startEnvoy({
      path: (await findEnvoy()).path,
      config: readFileSync(join(folder, 'envoy.yaml'), 'utf8'),
      concurrency: 1,
      onLog: write,
      onAccessLog: write,
    });
    closing.push(() => envoy.stop());
    const url = `http://127.0.0.1:${envoy.listenPort}`;
    return { url, oathkeeperUrl, oathkeeper, notes, log: () => readFileSync(logFile, 'utf8') + envoyLog, close };
  } catch (error) {
    await close();
    throw error;
  }
}
