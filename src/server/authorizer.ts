// The authorizer: the check with its real parts, behind its listeners. Opens sockets and asks Ory.
import { type Check, createCheck } from '../check/check.ts';
import type { Clock } from '../check/clock.ts';
import { IdentityCache } from '../check/identity/cache/memory.ts';
import { Jwks } from '../check/identity/jwks.ts';
import { createJwtVerifier } from '../check/identity/jwt.ts';
import { createKratosVerifier } from '../check/identity/kratos.ts';
import { createOryClient } from '../check/identity/ory-client.ts';
import { type Log, ThrottledLog } from '../check/log.ts';
import { createGrpcWriter } from '../check/response/grpc.ts';
import { createHttpWriter } from '../check/response/http.ts';
import type { Address, Config } from '../config/config.ts';
import { listenGrpc } from './grpc.ts';
import { listenHttp } from './http.ts';
import { ListenError } from './listen.ts';

export interface AuthorizerOptions {
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Authorizer {
  readonly http: Address;
  readonly grpc: Address;
  /** For load balancers, ahead of the close: gRPC health says NOT_SERVING. Checks are answered as before. */
  notServing(): void;
  /** Takes no new connection, finishes the checks under way, ends the rest after `graceMs` (default 10 s). */
  close(graceMs?: number): Promise<void>;
}

/** @throws {ListenError} */
export async function startAuthorizer(
  config: Config,
  { log, clock = Date.now }: AuthorizerOptions,
): Promise<Authorizer> {
  const client = createOryClient(config.oryTimeoutMs);
  const throttled = new ThrottledLog(log, clock);
  const { sessions, tokens } = config;
  const jwks = tokens && new Jwks({ url: tokens.jwksUrl, client, clock, log: throttled });
  const check = createCheck({
    config,
    log,
    cache: new IdentityCache({ ...config.cache, clock }),
    verifiers: {
      session: sessions && createKratosVerifier({ kratosUrl: sessions.kratosUrl, client, clock, log: throttled }),
      token: tokens && jwks && createJwtVerifier({ ...tokens, jwks, clock }),
    },
  });
  const listeners = await listenOnBoth(config, { check, log, clock }).catch(async (error: unknown) => {
    await client.close();
    throw error;
  });
  // Ahead of the first token; a failure is logged and tried again when one comes.
  void jwks?.refresh();
  return {
    http: listeners.http.address,
    grpc: listeners.grpc.address,
    notServing: () => listeners.grpc.notServing(),
    async close(graceMs = 10_000) {
      await Promise.all([listeners.http.close(graceMs), listeners.grpc.close(graceMs)]);
      await client.close();
    },
  };
}

async function listenOnBoth(
  config: Config,
  parts: { readonly check: Check; readonly log: Log; readonly clock: Clock },
) {
  const { serve } = config;
  const failed = (key: string, address: Address) => (cause: unknown) => {
    throw new ListenError(cause, key, address);
  };
  const http = await listenHttp(serve.http, {
    ...parts,
    write: createHttpWriter(config, parts.log, parts.clock),
  }).catch(failed('serve.http', serve.http));
  try {
    const grpc = await listenGrpc(serve.grpc, {
      ...parts,
      write: createGrpcWriter(config, parts.log, parts.clock),
    }).catch(failed('serve.grpc', serve.grpc));
    return { http, grpc };
  } catch (error) {
    await http.close(0);
    throw error;
  }
}
