// `serve`: the authorizer until it is told to stop. Opens sockets, listens to signals.
import { type AdminListener, type AdminParts, listenAdmin } from '../admin/admin.ts';
import { type Config, formatAddress } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { warningsOf } from '../config/warnings.ts';
import { type Authorizer, startAuthorizer } from '../server/authorizer.ts';
import { createLog } from './log.ts';
import { nextSignal } from './signal.ts';
import { listenError } from './user-error.ts';

/** Between readiness going and the listener closing: long enough for a connection that is just being made. */
const NOT_READY_MS = 250;

/** @throws {ConfigError} {UserError} */
export async function serve(file: string): Promise<void> {
  const config = loadConfig(file);
  const log = createLog();
  let ready = false;
  for (const warning of warningsOf(config)) log.warn({}, warning);
  let running: Authorizer | undefined;
  const admin = await startAdmin(config, {
    ready: () => ready,
    revoke: {
      token: () => config.serve.adminToken,
      revoke: (revocation) => running?.revoke(revocation),
      log,
    },
  });
  const authorizer = await startListeners(config, log).catch(async (error: unknown) => {
    await admin.close();
    throw error;
  });
  running = authorizer;
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
}

async function startAdmin(config: Config, parts: AdminParts): Promise<AdminListener> {
  try {
    return await listenAdmin(config.serve.admin, parts);
  } catch (error) {
    throw listenError(error, 'the admin port', formatAddress(config.serve.admin), 'set serve.admin to another address');
  }
}

async function startListeners(config: Config, log: ReturnType<typeof createLog>): Promise<Authorizer> {
  try {
    return await startAuthorizer(config, { log });
  } catch (error) {
    throw listenError(error, 'the authorizer', formatAddress(config.serve.http), 'set serve.http to another address');
  }
}
