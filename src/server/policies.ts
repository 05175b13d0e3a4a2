// The policies that are in force: the current one, and those that routes of a changing Envoy still name. Asks Ory.
import { type Check, createCheck } from '../check/check.ts';
import type { Clock } from '../check/clock.ts';
import { createAccessTokenVerifier } from '../check/identity/access-token.ts';
import { IdentityCache } from '../check/identity/cache/memory.ts';
import type { Revocation } from '../check/identity/cache/revocations.ts';
import type { Verifier } from '../check/identity/identity.ts';
import { createIntrospectionVerifier } from '../check/identity/introspection.ts';
import { Jwks, type KeyChanges } from '../check/identity/jwks.ts';
import { createJwtVerifier } from '../check/identity/jwt.ts';
import { createKeep } from '../check/identity/kept.ts';
import { createKratosVerifier } from '../check/identity/kratos.ts';
import { createOryClient, type OryClient } from '../check/identity/ory-client.ts';
import { type Log, ThrottledLog } from '../check/log.ts';
import { createGrpcWriter, type WriteGrpc } from '../check/response/grpc.ts';
import { createHttpWriter, type WriteHttp } from '../check/response/http.ts';
import { sessionPaths } from '../check/response/identity-headers.ts';
import { deny } from '../check/verdict.ts';
import type { Config, TokenSettings } from '../config/config.ts';

export interface Policy {
  readonly config: Config;
  readonly check: Check;
  readonly writeHttp: WriteHttp;
  readonly writeGrpc: WriteGrpc;
}

interface Options {
  readonly log: Log;
  readonly clock: Clock;
  /** Who asks Ory about sessions and opaque tokens; undefined: this process. */
  readonly oryVerifier?: Verifier | undefined;
}

/** What verifies credentials and remembers them; policies that ask the same servers in the same way share one. */
interface Verification {
  readonly parts: Pick<Parameters<typeof createCheck>[0], 'cache' | 'verifiers'>;
  readonly timeoutMs: number;
  readonly keys: KeyChanges | undefined;
  close(): Promise<void>;
}

/**
 * A named policy that is not known is a denial, and not judged by the current one: the route that named it may lead to an
 * upstream that the current policy guards in another way, or not at all.
 */
export class Policies {
  readonly #options: Options;
  readonly #verifications = new Map<string, Verification>();
  readonly #retired = new Set<Verification>();
  readonly #unknown: Policy;
  #current: Policy;
  #named = new Map<string, Policy>();

  constructor(config: Config, options: Options) {
    this.#options = options;
    this.#current = this.#create(config);
    this.#unknown = {
      ...this.#current,
      check: async () => {
        options.log.error({}, 'a check names a policy that is not known here: the request is denied');
        return deny('internal_error');
      },
    };
  }

  find(name: string | undefined): Policy {
    return name === undefined ? this.#current : (this.#named.get(name) ?? this.#unknown);
  }

  replace(config: Config, named: ReadonlyMap<string, Config>): void {
    const known = new Map([...this.#named.values(), this.#current].map((policy) => [policy.config, policy]));
    const policyOf = (one: Config) => known.get(one) ?? this.#create(one);
    this.#named = new Map([...named].map(([name, one]) => [name, policyOf(one)]));
    this.#current = [...this.#named.values()].find((policy) => policy.config === config) ?? policyOf(config);
    const used = new Set([this.#current, ...this.#named.values()].map((policy) => verificationKey(policy.config)));
    for (const [key, verification] of this.#verifications) {
      if (used.has(key)) continue;
      this.#verifications.delete(key);
      this.#retire(verification);
    }
  }

  /** The issuer's keys of a policy that is in force or named; undefined where it takes no tokens. */
  keysOf(config: Config): KeyChanges | undefined {
    return this.#verifications.get(verificationKey(config))?.keys;
  }

  /** Whatever a policy remembers, those of checks that are still under way included. */
  forget(revocation: Revocation): void {
    for (const { parts } of [...this.#verifications.values(), ...this.#retired]) parts.cache.forget(revocation);
  }

  /** For how long an Envoy may go by a yes of any of them. */
  get edgeTtlMs(): number {
    return Math.max(...[this.#current, ...this.#named.values()].map(({ config }) => edgeMemoryMs(config)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#verifications.values()].map((one) => one.close()));
  }

  #retire(verification: Verification): void {
    this.#retired.add(verification);
    const close = () => {
      this.#retired.delete(verification);
      void verification.close();
    };
    // Checks under way go on asking it: two calls to Ory, of which each may be sent twice.
    setTimeout(close, 4 * verification.timeoutMs + 1_000).unref();
  }

  #create(config: Config): Policy {
    const { log, clock } = this.#options;
    const check = createCheck({ config, clock, log, ...this.#verification(config).parts });
    return {
      config,
      check,
      writeHttp: createHttpWriter(config, log, clock),
      writeGrpc: createGrpcWriter(config, log, clock),
    };
  }

  #verification(config: Config): Verification {
    const key = verificationKey(config);
    const before = this.#verifications.get(key);
    if (before) return before;
    const verification = createVerification(config, this.#options);
    this.#verifications.set(key, verification);
    return verification;
  }
}

/** For how long an Envoy may go by a yes at most. */
export function edgeMemoryMs({ cache }: Config): number {
  return Math.min(cache.edgeTtlMs, cache.ttlMs);
}

/** Everything that {@link createVerification} reads. */
function verificationKey({ sessions, tokens, cache, oryTimeoutMs, identityHeaders }: Config): string {
  const { ttlMs, negativeTtlMs, staleIfErrorMs, maxEntries } = cache;
  return JSON.stringify([
    sessions?.kratosUrl,
    sessions && sessionPaths(identityHeaders),
    tokens,
    ttlMs,
    negativeTtlMs,
    staleIfErrorMs,
    maxEntries,
    oryTimeoutMs,
  ]);
}

/** `client`: what stands in for Ory where nobody is to be asked. */
export function createVerification(
  { sessions, tokens, cache, oryTimeoutMs, identityHeaders }: Config,
  { log, clock, oryVerifier }: Options,
  client: OryClient = createOryClient(oryTimeoutMs),
): Verification {
  const throttled = new ThrottledLog(log, clock);
  const asking = { client, clock, log: throttled };
  const jwks = tokens && new Jwks({ url: tokens.jwksUrl, ...asking });
  // Ahead of the first token; a failure is logged and tried again when one comes.
  void jwks?.refresh();
  return {
    parts: {
      cache: new IdentityCache({ ...cache, clock }),
      verifiers: {
        session:
          sessions &&
          (oryVerifier ??
            createKratosVerifier({
              kratosUrl: sessions.kratosUrl,
              keep: createKeep(sessionPaths(identityHeaders)),
              ...asking,
            })),
        token: tokens && jwks && createTokenVerifier(tokens, jwks, { ...asking, oryVerifier }),
      },
    },
    timeoutMs: oryTimeoutMs,
    keys: jwks,
    close: () => client.close(),
  };
}

interface Asking {
  readonly client: OryClient;
  readonly clock: Clock;
  readonly log: ThrottledLog;
  readonly oryVerifier: Verifier | undefined;
}

function createTokenVerifier(
  { issuer, clockSkewMs, introspection }: TokenSettings,
  jwks: Jwks,
  { oryVerifier, ...asking }: Asking,
): Verifier {
  return createAccessTokenVerifier({
    jwt: createJwtVerifier({ issuer, clockSkewMs, jwks, clock: asking.clock }),
    opaque:
      introspection &&
      (oryVerifier ?? createIntrospectionVerifier({ ...introspection, issuer, clockSkewMs, ...asking })),
  });
}
