// `up`: the whole edge on this machine, kept running until Ctrl-C, with the file watched. Starts processes.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../config/fault.ts';
import { readConfigFile } from '../config/load.ts';
import { warningsOf } from '../config/warnings.ts';
import { EnvoyNotFoundError, findEnvoy } from '../edge/find.ts';
import { validateEnvoyConfig } from '../edge/validate.ts';
import { removeWithThisProcess } from '../edge/watchdog.ts';
import { GenerateError } from '../generate/generate-error.ts';
import { nextSignal } from './signal.ts';
import { answers } from './up/answers.ts';
import { bannerJson, bannerText } from './up/banner.ts';
import { DEVELOPMENT_POLICY, Development, hints, PAGES_URL } from './up/development.ts';
import { EdgePart } from './up/edge.ts';
import { Ends } from './up/ends.ts';
import { Journal } from './up/journal.ts';
import { KeptPart } from './up/kept-part.ts';
import { Latest } from './up/latest.ts';
import { type Policy, readPolicy } from './up/policy.ts';
import { compile, judgeBy, Reload } from './up/reload.ts';
import { readServers, type Servers } from './up/servers.ts';
import { watchText } from './up/watch.ts';
import { ReportedError, UserError } from './user-error.ts';

export interface UpOptions {
  /** Undefined: the development policy. */
  readonly file: string | undefined;
  /** Everything for a program to read. */
  readonly json: boolean;
  readonly onlyAuthorizer: boolean;
  /** `kratos=URL,hydra=URL,hydra-admin=URL`. */
  readonly with: string | undefined;
}

/** @throws {ConfigError} {UserError} */
export async function up(options: UpOptions): Promise<void> {
  const signal = nextSignal();
  const journal = new Journal(options.json);
  const ends = new Ends();
  try {
    const started = start(options, journal, ends);
    // Ctrl-C during the start ends what is there and what is being started.
    started.catch(() => {});
    await Promise.race([started, signal]);
    await signal;
  } catch (error) {
    throw options.json ? reported(error, journal) : error;
  } finally {
    await ends.end();
  }
}

export function printDevelopmentPolicy(): void {
  process.stdout.write(DEVELOPMENT_POLICY);
}

async function start(options: UpOptions, journal: Journal, ends: Ends): Promise<void> {
  // The file first: a fault in it must not cost a download of Envoy.
  const source = options.file === undefined ? DEVELOPMENT_POLICY : await readConfigFile(options.file);
  const file = options.file ?? 'the development policy';
  const servers = await readServers(options.with);
  const policy = readPolicy(source, file, servers);
  const envoyConfig = await filterFolder(ends);
  const compiled = compile(policy, envoyConfig);
  const path = options.onlyAuthorizer ? undefined : await find(journal, ends);

  const development = new Development(journal);
  await ends.add(() => development.stop());
  if (!options.onlyAuthorizer) {
    if (servers.kratos !== undefined) await development.servePages(policy.config, servers.kratos);
    await development.start(policy.config, options.file === undefined);
  }
  await warn(policy, journal, options.onlyAuthorizer);

  const authorizer = new KeptPart(judgeBy(policy, [policy], options.onlyAuthorizer ? undefined : envoyConfig), journal);
  await ends.add(() => authorizer.stop());
  await authorizer.start();
  const edge = path === undefined ? undefined : new EdgePart(path, compiled, journal);
  await ends.add(() => edge?.stop());
  await edge?.start();

  const { file: watched } = options;
  if (watched !== undefined) {
    const reload = new Reload(compiled, {
      authorizer,
      envoy:
        path !== undefined && edge ? { part: edge, validate: (text) => validateEnvoyConfig(path, text) } : undefined,
      development,
      journal,
      envoyConfig,
    });
    await ends.add(() => reload.stop());
    await ends.add(follow(watched, source, servers, reload, journal));
  }
  const ory = development.ory;
  const banner = {
    config: policy.config,
    alone: options.onlyAuthorizer,
    oryUrl: ory?.url,
    pagesUrl: options.onlyAuthorizer || servers.kratos === undefined ? undefined : PAGES_URL,
    hints: ory && watched === undefined ? hints(policy.config, ory) : undefined,
    file: watched,
  };
  process.stdout.write(options.json ? `${JSON.stringify(bannerJson(banner))}\n` : bannerText(banner));
}

/** It outlives every part that writes or reads there. */
async function filterFolder(ends: Ends): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ory-envoy-filters-'));
  const callOff = removeWithThisProcess(folder);
  await ends.add(async () => {
    await rm(folder, { recursive: true, force: true });
    await callOff();
  });
  return folder;
}

async function find(journal: Journal, ends: Ends): Promise<string> {
  const stopped = new AbortController();
  await ends.add(() => stopped.abort());
  try {
    return (await findEnvoy({ onProgress: (line) => journal.info(line), signal: stopped.signal })).path;
  } catch (error) {
    throw error instanceof EnvoyNotFoundError ? new UserError(error.message) : error;
  }
}

/** @returns how to end it. */
function follow(file: string, known: string, servers: Servers, reload: Reload, journal: Journal): () => void {
  const changes = new Latest((text: string) => reload.apply(() => readPolicy(text, file, servers)));
  return watchText(file, {
    known,
    onChange: (text) => changes.offer(text),
    onGone: (why) => journal.warn(`${file}: ${why}. The old rules stay.`, { event: 'gone' }),
  });
}

/** What is no reason not to start, and will not work as it is. */
async function warn({ config }: Policy, journal: Journal, onlyAuthorizer: boolean): Promise<void> {
  for (const warning of warningsOf(config)) journal.warn(warning);
  const wanted: [string, string, string][] = onlyAuthorizer
    ? []
    : [...config.edge.upstreams].map(([name, { url }]) => [
        `the application ${url.origin}`,
        url.origin,
        `edge.upstream (${name})`,
      ]);
  if (config.sessions) wanted.push(['Ory Kratos', config.sessions.kratosUrl, 'ory.kratos.public_url or ory.url']);
  if (config.tokens) wanted.push(['Ory Hydra', config.tokens.jwksUrl, 'ory.hydra.public_url or ory.url']);
  await Promise.all(
    wanted.map(async ([what, url, key]) => {
      if (!(await answers(new URL(url))))
        journal.warn(
          `${what} does not answer at ${new URL(url).origin}: start it, or correct ${key}. Requests that need it get 503 until then.`,
        );
    }),
  );
}

/** Says for a program what stops the start. */
function reported(error: unknown, journal: Journal): unknown {
  if (error instanceof ConfigError) {
    journal.error(error.message, { event: 'stopped', data: { faults: error.faults } });
    return new ReportedError(2);
  }
  if (error instanceof GenerateError || error instanceof UserError) {
    journal.error(error.message, { event: 'stopped' });
    return new ReportedError(error instanceof UserError ? error.exitCode : 2);
  }
  return error;
}
