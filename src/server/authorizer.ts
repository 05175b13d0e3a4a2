// The authorizer: the check with its real parts, behind its listeners. Opens sockets and asks Ory.
import type { Clock } from '../check/clock.ts';
import type { Log } from '../check/log.ts';
import type { Address, Config } from '../config/config.ts';
import { listenHttp } from './http.ts';
import { Policies } from './policies.ts';

export interface AuthorizerOptions {
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Authorizer {
  readonly http: Address;
  /**
   * Judges by this configuration from the next check on; checks under way keep the one that they began with. `named` is
   * for an Envoy whose routes say which policy they belong to (`ory-policy`): such a check is judged by that one, and
   * denied where it is not among them. Addresses (`serve`) stay as they are.
   */
  reconfigure(config: Config, named?: ReadonlyMap<string, Config>): void;
  /** Takes no new connection, finishes the checks under way, ends the rest after `graceMs` (default 10 s). */
  close(graceMs?: number): Promise<void>;
}

/** @throws the listen error of node:net, such as EADDRINUSE. */
export async function startAuthorizer(
  config: Config,
  { log, clock = Date.now }: AuthorizerOptions,
): Promise<Authorizer> {
  const policies = new Policies(config, { log, clock });
  const http = await listenHttp(config.serve.http, { judge: (policy) => policies.find(policy), log }).catch(
    async (error: unknown) => {
      await policies.close();
      throw error;
    },
  );
  return {
    http: http.address,
    reconfigure: (next, named = new Map()) => policies.replace(next, named),
    async close(graceMs = 10_000) {
      await http.close(graceMs);
      await policies.close();
    },
  };
}
