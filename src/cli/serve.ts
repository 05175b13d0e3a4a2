// `serve`: the authorizer until it is told to stop. Opens sockets, listens to signals.
import { type AdminListener, type AdminParts, listenAdmin } from '../admin/admin.ts';
import type { Log } from '../check/log.ts';
import { type Config, formatAddress } from '../config/config.ts';
import { parseConfig, readConfigFile } from '../config/load.ts';
import { warningsOf } from '../config/warnings.ts';
import { startAuthorizer } from '../server/authorizer.ts';
import { createLog } from './log.ts';
import { nextSignal } from './signal.ts';
import { listenError } from './user-error.ts';
import type { Workers } from './workers/workers.ts';

/** Between readiness going and the listener closing: long enough for a connection that is just being made. */
const NOT_READY_MS = 250;

export interface ServeOptions {
  readonly config: string;
  readonly workers: number;
}

/** @throws {ConfigError} {UserError} */
export async function serve({ config: file, workers }: ServeOptions): Promise<void> {
  const text = await readConfigFile(file);
  const config = parseConfig(text, file);
  const log = createLog();
  let ready = () => false;
  for (const warning of warningsOf(config)) log.warn({}, warning);
  let running: Listeners | undefined;
  const admin = await startAdmin(config, {
    ready: () => ready(),
    revoke: {
      token: () => config.serve.adminToken,
      revoke: (revocation) => running?.revoke(revocation),
      log,
    },
  });
  const authorizer = await startListeners(config, { file, text, workers, log }).catch(async (error: unknown) => {
    await admin.close();
    throw error;
  });
  running = authorizer;
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
}

async function startAdmin(config: Config, parts: AdminParts): Promise<AdminListener> {
  try {
    return await listenAdmin(config.serve.admin, parts);
  } catch (error) {
    throw listenError(error, 'the admin port', formatAddress(config.serve.admin), 'set serve.admin to another address');
  }
}

type Listeners = Pick<Workers, 'http' | 'grpc' | 'notServing' | 'revoke' | 'close' | 'ready'>;

interface Started {
  readonly file: string;
  readonly text: string;
  readonly workers: number;
  readonly log: Log;
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
