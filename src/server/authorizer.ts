// The authorizer: the check with its real parts, behind its listeners. Opens sockets and asks Ory.
import type { Clock } from '../check/clock.ts';
import type { Revocation } from '../check/identity/cache/revocations.ts';
import type { Verifier } from '../check/identity/identity.ts';
import type { KeyChanges } from '../check/identity/jwks.ts';
import type { Log } from '../check/log.ts';
import type { Address, Config } from '../config/config.ts';
import { type EdgeCaches, NO_EDGE_CACHES, type Revoked } from './edge-caches.ts';
import { listenGrpc } from './grpc.ts';
import { listenHttp } from './http.ts';
import { ListenError } from './listen.ts';
import { Policies } from './policies.ts';
import { Pushes } from './pushes.ts';

export interface AuthorizerOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /** Default: this authorizer feeds no Envoy. */
  readonly edgeCaches?: EdgeCaches;
  /** Who asks Ory about sessions and opaque tokens; default: this process. */
  readonly oryVerifier?: Verifier;
}

export interface Authorizer {
  readonly http: Address;
  readonly grpc: Address;
  /** For load balancers, ahead of the close: gRPC health says NOT_SERVING. Checks are answered as before. */
  notServing(): void;
  /**
   * Judges by this configuration from the next check on; checks under way keep the one that they began with. `named` is
   * for an Envoy whose routes say which policy they belong to (`ory-policy`): such a check is judged by that one, and
   * denied where it is not among them. Addresses (`serve`) stay as they are.
   */
  reconfigure(config: Config, named?: ReadonlyMap<string, Config>): void;
  /** The issuer's keys of a configuration that is in force or named; undefined where it takes no tokens. */
  keysOf(config: Config): KeyChanges | undefined;
  /**
   * No check that comes after this call goes by what was known of it before. What Ory says from then on counts:
   * end the session there first. @throws {PushError} where an Envoy may still remember.
   */
  revoke(revocation: Revocation): Promise<Revoked>;
  /** Takes no new connection, finishes the checks under way, ends the rest after `graceMs` (default 10 s). */
  close(graceMs?: number): Promise<void>;
}

/** @throws {ListenError} */
export async function startAuthorizer(
  config: Config,
  { log, clock = Date.now, edgeCaches = NO_EDGE_CACHES, oryVerifier }: AuthorizerOptions,
): Promise<Authorizer> {
  const policies = new Policies(config, { log, clock, oryVerifier });
  const listeners = await listenOnBoth(config, policies, log).catch(async (error: unknown) => {
    await policies.close();
    throw error;
  });
  const pushes = new Pushes(edgeCaches);
  return {
    http: listeners.http.address,
    grpc: listeners.grpc.address,
    notServing: () => listeners.grpc.notServing(),
    reconfigure: (next, named = new Map()) => policies.replace(next, named),
    keysOf: (one) => policies.keysOf(one),
    async revoke(revocation) {
      // First: an emptied edge cache asks here at once.
      policies.forget(revocation);
      return await pushes.revoked(policies.edgeTtlMs);
    },
    async close(graceMs = 10_000) {
      await Promise.all([listeners.http.close(graceMs), listeners.grpc.close(graceMs)]);
      await policies.close();
    },
  };
}

async function listenOnBoth({ serve }: Config, policies: Policies, log: Log) {
  const failed = (key: string, address: Address) => (cause: unknown) => {
    throw new ListenError(cause, key, address);
  };
  const http = await listenHttp(serve.http, { judge: (policy) => policies.find(policy), log }).catch(
    failed('serve.http', serve.http),
  );
  try {
    // An Envoy whose routes name their policy asks over HTTP.
    const grpc = await listenGrpc(serve.grpc, { judge: () => policies.find(undefined), log }).catch(
      failed('serve.grpc', serve.grpc),
    );
    return { http, grpc };
  } catch (error) {
    await http.close(0);
    throw error;
  }
}
