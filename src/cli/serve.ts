// `serve`: the authorizer until it is told to stop. Opens sockets, listens to signals.
import { type AdminListener, listenAdmin } from '../admin/admin.ts';
import { type Config, formatAddress } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { warningsOf } from '../config/warnings.ts';
import { FilterFeed, FilterFolderError } from '../edge/filter-feed.ts';
import { type Authorizer, startAuthorizer } from '../server/authorizer.ts';
import type { EdgeCaches } from '../server/edge-caches.ts';
import { createLog } from './log.ts';
import { nextSignal } from './signal.ts';
import { listenError, UserError } from './user-error.ts';

type Logger = ReturnType<typeof createLog>;

/** Between readiness going and the listener closing: long enough for a connection that is just being made. */
const NOT_READY_MS = 250;

export interface ServeOptions {
  readonly config: string;
  /** Where Envoy reads its filters from; without it this authorizer feeds no Envoy. */
  readonly envoyConfig?: string;
}

/** @throws {ConfigError} {UserError} */
export async function serve({ config: file, envoyConfig }: ServeOptions): Promise<void> {
  const config = loadConfig(file);
  const log = createLog();
  let ready = false;
  for (const warning of warningsOf(config)) log.warn({}, warning);
  const feed = envoyConfig === undefined ? undefined : await openFeed(envoyConfig, config, log);
  const admin = await startAdmin(config, () => ready);
  const authorizer = await startListeners(config, log, feed).catch(async (error: unknown) => {
    await admin.close();
    throw error;
  });
  // Before it is ready: an Envoy that waits for that finds its files.
  await feed?.replace([{ config, keys: authorizer.keysOf(config) }]);
  ready = true;
  log.info(
    {
      http: formatAddress(authorizer.http),
      grpc: formatAddress(authorizer.grpc),
      admin: formatAddress(admin.address),
      rules: config.rules.length,
    },
    'ready',
  );
  const signal = await nextSignal();
  log.info({ signal }, 'stopping: checks under way are finished');
  ready = false;
  authorizer.notServing();
  await new Promise((resolve) => setTimeout(resolve, NOT_READY_MS));
  await authorizer.close();
  await admin.close();
  feed?.close();
}

async function openFeed(folder: string, { edge: { admin } }: Config, log: Logger): Promise<FilterFeed> {
  try {
    return await FilterFeed.open({ folder, admin, log });
  } catch (error) {
    throw error instanceof FilterFolderError ? new UserError(error.message) : error;
  }
}

async function startAdmin(config: Config, ready: () => boolean): Promise<AdminListener> {
  try {
    return await listenAdmin(config.serve.admin, ready);
  } catch (error) {
    throw listenError(error, 'the admin port', formatAddress(config.serve.admin), 'set serve.admin to another address');
  }
}

async function startListeners(config: Config, log: Logger, edgeCaches?: EdgeCaches): Promise<Authorizer> {
  try {
    return await startAuthorizer(config, { log, ...(edgeCaches ? { edgeCaches } : {}) });
  } catch (error) {
    throw listenError(error, 'the authorizer', formatAddress(config.serve.http), 'set serve.http to another address');
  }
}
