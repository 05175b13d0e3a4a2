// What a case's credential stands for, in full: the session that Kratos would answer with, the claims that Hydra would
// sign. No I/O.
import { isObject } from '../../check/identity/identity.ts';
import type { Config } from '../../config/config.ts';
import { momentMs } from './moment.ts';
import type { SessionEntry, TokenEntry } from './schema.ts';

type Members = Readonly<Record<string, unknown>>;

/** Kratos's answer to whoami: the case's members over those of a session that is good. */
export function sessionOf(entry: SessionEntry, nowMs: number): Members {
  const defaults = {
    id: 'case-session',
    active: true,
    expires_at: '+1h',
    authenticated_at: '+0s',
    authenticator_assurance_level: 'aal1',
    authentication_methods: [{ method: 'password', aal: 'aal1', completed_at: time(nowMs) }],
    issued_at: '+0s',
    identity: {
      id: 'case-identity',
      schema_id: 'default',
      state: 'active',
      traits: { email: 'case@example.com' },
      metadata_public: null,
    },
  };
  const session = timesOf(merged(defaults, entry), nowMs);
  const { identity } = session;
  return isObject(identity) ? { ...session, identity: withAddresses(timesOf(identity, nowMs)) } : session;
}

/** A verified address follows from the trait, as it does where people have clicked Kratos's link. */
function withAddresses(identity: Members): Members {
  const email = isObject(identity['traits']) ? identity['traits']['email'] : undefined;
  if (typeof email !== 'string' || Object.hasOwn(identity, 'verifiable_addresses')) return identity;
  return { ...identity, verifiable_addresses: [{ value: email, via: 'email', verified: true, status: 'completed' }] };
}

function timesOf(map: Members, nowMs: number): Members {
  return mapped(map, (name, value) => {
    const at = typeof value === 'string' && name.endsWith('_at') ? momentMs(value, nowMs) : undefined;
    return at === undefined ? value : time(at);
  });
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

/** Whole seconds, as Hydra has them. */
export function claimsOf(entry: TokenEntry, config: Config, nowMs: number): Members {
  const audience = config.audiences[0] ?? ofRules(config);
  const claims = merged(
    {
      iss: config.tokens?.issuer,
      sub: 'case-subject',
      client_id: 'case-client',
      aud: audience === undefined ? [] : [audience],
      scp: [],
      ext: {},
      jti: 'case-token',
      iat: '+0s',
      nbf: '+0s',
      exp: '+5m',
    },
    entry,
  );
  return mapped(claims, (name, value) => {
    const at = typeof value === 'string' && /^(?:exp|nbf|iat)$/.test(name) ? momentMs(value, nowMs) : undefined;
    return at === undefined ? value : Math.floor(at / 1_000);
  });
}

/** Where every rule names its own audiences, those of the first. */
function ofRules({ rules }: Config): string | undefined {
  return rules
    .flatMap(({ access }) => (access.kind === 'anyone' ? [] : access.anyOf))
    .find((one) => one.kind === 'token')?.audiences[0];
}

/** JSON Merge Patch (RFC 7396): maps are merged, everything else is replaced, null takes a member out. */
function merged(base: Members, patch: Members): Members {
  const result = new Map(Object.entries(base));
  for (const [name, value] of Object.entries(patch)) {
    const before = result.get(name);
    if (value === null) result.delete(name);
    else if (value !== undefined)
      result.set(name, isObject(value) ? merged(isObject(before) ? before : {}, value) : value);
  }
  return Object.fromEntries(result);
}

function mapped(map: Members, change: (name: string, value: unknown) => unknown): Members {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(name, value)]));
}
