// `up`: the whole edge on this machine, until Ctrl-C or until a part dies. Starts Envoy, opens sockets.
import { connect } from 'node:net';
import { type AdminListener, listenAdmin } from '../admin/admin.ts';
import { type Address, type Config, formatAddress } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { caBundle } from '../edge/ca-bundle.ts';
import { EnvoyNotFoundError, findEnvoy } from '../edge/find.ts';
import { EnvoyStartError, type RunningEnvoy, startEnvoy } from '../edge/run.ts';
import { generateEnvoy } from '../generate/envoy/emit.ts';
import { startAuthorizer } from '../server/authorizer.ts';
import { type Development, startDevelopment } from './development.ts';
import { createLog } from './log.ts';
import { nextSignal } from './signal.ts';
import { listenError, UserError } from './user-error.ts';

const PROBE_MS = 1_000;

/** What was started, in order; ended in the opposite order, however the start or the run comes to its end. */
class Parts {
  readonly #ends: (() => Promise<void>)[] = [];

  add(end: () => Promise<void>): void {
    this.#ends.push(end);
  }

  async end(): Promise<void> {
    const failed: unknown[] = [];
    // One that fails must not leave the others behind.
    for (const end of this.#ends.reverse()) await end().catch((error: unknown) => failed.push(error));
    if (failed.length > 0) throw failed[0];
  }
}

/** Without a file: a development Ory and a demo application. @throws {ConfigError} {UserError} */
export async function up(file: string | undefined): Promise<void> {
  const parts = new Parts();
  const signal = nextSignal();
  try {
    const started = start(file, parts);
    // Ctrl-C during the start ends what is there, once the step under way is done.
    const running = await Promise.race([started, signal.then(() => undefined)]);
    if (!running) {
      await started.catch(() => undefined);
      return;
    }
    process.stdout.write(running.banner);
    const ended = await Promise.race([signal, running.envoy.exited]);
    if (typeof ended !== 'string')
      throw new UserError(
        `Envoy ended by itself (${ended.signal ?? `code ${ended.code}`}). Everything else is stopped; its last lines are above.`,
      );
  } finally {
    await parts.end();
  }
}

interface Running {
  readonly envoy: RunningEnvoy;
  readonly banner: string;
}

async function start(file: string | undefined, parts: Parts): Promise<Running> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const found = await find(log);
  const development = file === undefined ? await startDevelopment(parts) : undefined;
  const config = development?.config ?? loadConfig(file ?? '');
  if (!development) await probe(config, log);
  let ready = false;
  const admin = await listening('the admin port', config.serve.admin, 'serve.admin', () =>
    listenAdmin(config.serve.admin, () => ready),
  );
  parts.add(() => admin.close());
  const authorizer = await listening('the authorizer', config.serve.http, 'serve.http', () =>
    startAuthorizer(config, { log: createLog() }),
  );
  parts.add(() => authorizer.close(1_000));
  const envoy = await run(found.path, config, log);
  parts.add(() => envoy.stop());
  ready = true;
  return { envoy, banner: banner(config, admin, development) };
}

async function find(log: (line: string) => void): Promise<{ path: string }> {
  try {
    return await findEnvoy({ onProgress: log });
  } catch (error) {
    throw error instanceof EnvoyNotFoundError ? new UserError(error.message) : error;
  }
}

async function run(path: string, config: Config, log: (line: string) => void): Promise<RunningEnvoy> {
  await freeOrFail(config.edge.listen, 'the edge', 'edge.listen');
  await freeOrFail(config.edge.admin, 'Envoy’s admin port', 'edge.admin');
  try {
    const ca = caBundle();
    const text = generateEnvoy(config, { part: 'bootstrap', ...(ca === undefined ? {} : { caFile: ca }) });
    return await startEnvoy({
      path,
      config: text,
      onLog: (line) => log(`envoy   ${line}`),
      onAccessLog: (line) => log(`access  ${line}`),
    });
  } catch (error) {
    throw error instanceof EnvoyStartError ? new UserError(error.message) : error;
  }
}

async function listening<T>(what: string, address: Address, key: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw listenError(error, what, formatAddress(address), `set ${key} to another address`);
  }
}

/** Envoy says of a port in use only that it could not bind: it is asked for before. */
async function freeOrFail(address: Address, what: string, key: string): Promise<void> {
  if (address.port === 0) return;
  const probe = await listening(what, address, key, () => listenAdmin(address, () => false));
  await probe.close();
}

/** A part that is not there yet is no reason not to start: it may come. But it is said. */
async function probe(config: Config, log: (line: string) => void): Promise<void> {
  const wanted: [string, string, string][] = [...config.edge.upstreams].map(([name, { url }]) => [
    `the application ${url.origin}`,
    url.origin,
    `edge.upstream (${name})`,
  ]);
  if (config.sessions) wanted.push(['Ory Kratos', config.sessions.kratosUrl, 'ory.kratos.public_url or ory.url']);
  if (config.tokens) wanted.push(['Ory Hydra', config.tokens.jwksUrl, 'ory.hydra.public_url or ory.url']);
  await Promise.all(
    wanted.map(async ([what, url, key]) => {
      if (!(await answers(new URL(url))))
        log(
          `${what} does not answer at ${new URL(url).origin}: start it, or correct ${key}. Requests that need it get 503 until then.`,
        );
    }),
  );
}

function answers(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port, timeout: PROBE_MS });
    const finish = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => finish(true));
    socket.once('timeout', () => finish(false));
    socket.once('error', () => finish(false));
  });
}

function banner(config: Config, admin: AdminListener, development: Development | undefined): string {
  const rows: [string, string][] = [
    ['edge', config.edge.publicUrl],
    ...[...config.edge.upstreams].map(([name, { url }]): [string, string] => [`upstream ${name}`, url.origin]),
    ['authorizer', `http://${formatAddress(config.serve.http)}`],
    ['health', `http://${formatAddress(admin.address)}/health/ready`],
    ['Envoy’s admin', `http://${formatAddress(config.edge.admin)}`],
  ];
  if (development) rows.splice(1, 0, ['Ory', `${development.oryUrl}  (for development)`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
  return `\nThe edge is up.\n\n${table}\n${development ? `\n${development.hints}\n` : ''}\nCtrl-C stops everything.\n`;
}
