// `serve`: the authorizer until it is told to stop. Opens sockets, listens to signals.
import { type AdminListener, type AdminParts, listenAdmin } from '../admin/admin.ts';
import type { Log } from '../check/log.ts';
import { type Config, formatAddress } from '../config/config.ts';
import { parseConfig, readConfigFile } from '../config/load.ts';
import { warningsOf } from '../config/warnings.ts';
import type { FilterFeed } from '../edge/filter-feed.ts';
import { makePlan } from '../generate/plan.ts';
import { startAuthorizer } from '../server/authorizer.ts';
import { type EdgeCaches, PushError } from '../server/edge-caches.ts';
import { createLog } from './log.ts';
import { nextSignal } from './signal.ts';
import { listenError, UserError } from './user-error.ts';
import type { Workers } from './workers/workers.ts';

/** Between readiness going and the listener closing: long enough for a connection that is just being made. */
const NOT_READY_MS = 250;

export interface ServeOptions {
  readonly config: string;
  readonly workers: number;
  /** Where Envoy reads its filters from; without it this authorizer feeds no Envoy. */
  readonly envoyConfig?: string;
}

/** @throws {ConfigError} {UserError} */
export async function serve({ config: file, workers, envoyConfig }: ServeOptions): Promise<void> {
  const text = await readConfigFile(file);
  const config = parseConfig(text, file);
  const log = createLog();
  let ready = () => false;
  for (const warning of warningsOf(config)) log.warn({}, warning);
  const feed = envoyConfig === undefined ? undefined : await openFeed(envoyConfig, config, log);
  let running: Listeners | undefined;
  const admin = await startAdmin(config, {
    ready: () => ready(),
    revoke: {
      token: () => config.serve.adminToken,
      revoke: (revocation) => running?.revoke(revocation),
      log,
    },
  });
  const authorizer = await startListeners(config, {
    file,
    text,
    workers,
    log,
    ...(feed ? { edgeCaches: feed } : {}),
  }).catch(async (error: unknown) => {
    feed?.close();
    await admin.close();
    throw error;
  });
  running = authorizer;
  // Before it is ready: an Envoy that waits for that finds its files.
  await feed?.replace([{ plan: makePlan(config), keys: authorizer.keysOf(config) }]).catch(async (error: unknown) => {
    await Promise.all([admin.close(), authorizer.close(0)]);
    throw error instanceof PushError ? new UserError(`--envoy-config: ${error.message}.`) : error;
  });
  ready = authorizer.ready;
  log.info(
    {
      http: formatAddress(authorizer.http),
      grpc: formatAddress(authorizer.grpc),
      admin: formatAddress(admin.address),
      rules: config.rules.length,
      ...(workers === 1 ? {} : { workers }),
    },
    'ready',
  );
  const signal = await nextSignal();
  log.info({ signal }, 'stopping: checks under way are finished');
  ready = () => false;
  authorizer.notServing();
  await new Promise((resolve) => setTimeout(resolve, NOT_READY_MS));
  await authorizer.close();
  await admin.close();
  feed?.close();
}

async function openFeed(folder: string, { edge: { admin } }: Config, log: Log): Promise<FilterFeed> {
  // What generates Envoy's configuration is not loaded where nobody wants it.
  const { FilterFeed, FilterFolderError } = await import('../edge/filter-feed.ts');
  try {
    return await FilterFeed.open({ folder, admin, log });
  } catch (error) {
    throw error instanceof FilterFolderError ? new UserError(error.message, 2) : error;
  }
}

async function startAdmin(config: Config, parts: AdminParts): Promise<AdminListener> {
  try {
    return await listenAdmin(config.serve.admin, parts);
  } catch (error) {
    throw listenError(error, 'the admin port', formatAddress(config.serve.admin), 'set serve.admin to another address');
  }
}

type Listeners = Pick<Workers, 'http' | 'grpc' | 'notServing' | 'revoke' | 'keysOf' | 'close' | 'ready'>;

interface Started {
  readonly file: string;
  readonly text: string;
  readonly workers: number;
  readonly log: Log;
  readonly edgeCaches?: EdgeCaches;
}

async function startListeners(config: Config, { workers, ...options }: Started): Promise<Listeners> {
  try {
    if (workers === 1) return { ...(await startAuthorizer(config, options)), ready: () => true };
    const { startWorkers } = await import('./workers/workers.ts');
    return await startWorkers(config, { count: workers, ...options });
  } catch (error) {
    throw listenError(error, 'the authorizer', formatAddress(config.serve.http), 'set serve.http to another address');
  }
}
