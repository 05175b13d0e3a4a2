// The authorizer as a part of `up`: its listeners stay open while its policies change. Opens sockets, asks Ory.
import { listenAdmin } from '../../admin/admin.ts';
import { type Config, formatAddress } from '../../config/config.ts';
import { parseConfig } from '../../config/load.ts';
import { FilterFeed, FilterFolderError } from '../../edge/filter-feed.ts';
import { makeSteadyPlan } from '../../generate/plan.ts';
import { type Authorizer, startAuthorizer } from '../../server/authorizer.ts';
import { PushError } from '../../server/edge-caches.ts';
import { createLog } from '../log.ts';
import { listenError, UserError } from '../user-error.ts';
import type { AuthorizerSettings, PolicyText, Settings, StartedPart } from './messages.ts';

const CLOSE_MS = 1_000;

/** @throws {UserError} where a port is taken. */
export async function startAuthorizerPart(settings: AuthorizerSettings): Promise<StartedPart> {
  const policies = new Configs();
  const config = policies.read(settings.current);
  const { admin, http } = config.serve;
  const log = createLog();
  let ready = false;
  let adminToken = config.serve.adminToken;
  let running: Authorizer | undefined;
  const port = await listenAdmin(admin, {
    ready: () => ready,
    revoke: {
      token: () => adminToken,
      revoke: (revocation) => running?.revoke(revocation),
      log,
    },
  }).catch((error: unknown) => {
    throw listenError(error, 'the admin port', formatAddress(admin), 'set serve.admin to another address');
  });
  const { envoyConfig: folder } = settings;
  const feed =
    folder === undefined ? undefined : await FilterFeed.open({ folder, admin: config.edge.admin, log }).catch(forUser);
  const authorizer = await startAuthorizer(config, { log, ...(feed ? { edgeCaches: feed } : {}) }).catch(
    async (error: unknown) => {
      await port.close();
      throw listenError(error, 'the authorizer', formatAddress(http), 'set serve.http to another address');
    },
  );
  running = authorizer;
  const judgeBy = async ({ current, named }: AuthorizerSettings) => {
    const now = policies.read(current);
    authorizer.reconfigure(now, new Map(named.map((one) => [one.id, policies.read(one)])));
    adminToken = now.serve.adminToken;
    policies.keep([current, ...named]);
    const all = [current, ...named].map((one) => policies.read(one));
    await feed?.replace(all.map((one) => ({ plan: makeSteadyPlan(one), keys: authorizer.keysOf(one) }))).catch(forUser);
  };
  await judgeBy(settings);
  ready = true;
  return {
    facts: {},
    change: async (next: Settings) => {
      if (next.part === 'authorizer') await judgeBy(next);
    },
    async close() {
      ready = false;
      feed?.close();
      await authorizer.close(CLOSE_MS);
      await port.close();
    },
  };
}

function forUser(error: unknown): never {
  throw error instanceof PushError || error instanceof FilterFolderError ? new UserError(error.message) : error;
}

/** Each text is read once: the same policy is the same object, with what it remembers. */
class Configs {
  readonly #known = new Map<string, Config>();

  read({ id, file, text }: PolicyText): Config {
    const before = this.#known.get(id);
    if (before) return before;
    const config = parseConfig(text, file);
    this.#known.set(id, config);
    return config;
  }

  keep(policies: readonly PolicyText[]): void {
    const ids = new Set(policies.map((one) => one.id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
  }
}
