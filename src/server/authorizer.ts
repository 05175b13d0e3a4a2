// The authorizer: the check with its real parts, behind its listeners. Opens sockets and asks Ory.
import { createCheck } from '../check/check.ts';
import type { Clock } from '../check/clock.ts';
import { IdentityCache } from '../check/identity/cache/memory.ts';
import { Jwks } from '../check/identity/jwks.ts';
import { createJwtVerifier } from '../check/identity/jwt.ts';
import { createKratosVerifier } from '../check/identity/kratos.ts';
import { createOryClient } from '../check/identity/ory-client.ts';
import { type Log, ThrottledLog } from '../check/log.ts';
import { createHttpWriter } from '../check/response/http.ts';
import type { Address, Config } from '../config/config.ts';
import { listenHttp } from './http.ts';

export interface AuthorizerOptions {
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Authorizer {
  readonly http: Address;
  /** Takes no new connection, finishes the checks under way, ends the rest after `graceMs` (default 10 s). */
  close(graceMs?: number): Promise<void>;
}

/** @throws the listen error of node:net, such as EADDRINUSE. */
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
  const http = await listenHttp(config.serve.http, { check, write: createHttpWriter(config, log, clock), log });
  // Ahead of the first token; a failure is logged and tried again when one comes.
  void jwks?.refresh();
  return {
    http: http.address,
    async close(graceMs = 10_000) {
      await http.close(graceMs);
      await client.close();
    },
  };
}
