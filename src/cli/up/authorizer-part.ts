// The authorizer as a part of `up`: its listeners stay open while its policies change. Opens sockets, asks Ory.
import { listenAdmin } from '../../admin/admin.ts';
import { type Config, formatAddress } from '../../config/config.ts';
import { parseConfig } from '../../config/load.ts';
import { type Authorizer, startAuthorizer } from '../../server/authorizer.ts';
import { createLog } from '../log.ts';
import { listenError } from '../user-error.ts';
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
  const authorizer = await startAuthorizer(config, { log }).catch(async (error: unknown) => {
    await port.close();
    throw listenError(error, 'the authorizer', formatAddress(http), 'set serve.http to another address');
  });
  running = authorizer;
  const judgeBy = ({ current, named }: AuthorizerSettings) => {
    const now = policies.read(current);
    authorizer.reconfigure(now, new Map(named.map((one) => [one.id, policies.read(one)])));
    adminToken = now.serve.adminToken;
    policies.keep([current, ...named]);
  };
  judgeBy(settings);
  ready = true;
  return {
    facts: {},
    change: async (next: Settings) => {
      if (next.part === 'authorizer') judgeBy(next);
    },
    async close() {
      ready = false;
      await authorizer.close(CLOSE_MS);
      await port.close();
    },
  };
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
