// Policies as a generator makes them: the content of an ory-envoy.yaml but for its addresses. No I/O.
import fc from 'fast-check';
import type { Config } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/fault.ts';
import { parseConfig } from '../../src/config/load.ts';
import { TRANSPORTS, type Transport } from '../../src/generate/envoy/transport.ts';
import { AUDIENCE, ISSUER } from '../jwt/issuer.ts';
import type { KeySetName } from '../jwt/keys.ts';

interface TokenEntry {
  readonly audiences?: readonly string[];
  readonly scopes?: readonly string[];
  readonly claims?: Readonly<Record<string, string | number | boolean>>;
}

type RequirementEntry =
  | { readonly session: { readonly aal?: string; readonly max_age?: string } }
  | { readonly token: TokenEntry };

interface RuleEntry {
  readonly name: string;
  readonly match: { readonly host?: string; readonly path: string; readonly methods?: readonly string[] };
  readonly allow?: 'anyone';
  readonly identify?: boolean;
  readonly require?: RequirementEntry | { readonly any_of: readonly RequirementEntry[] };
  readonly unauthenticated?: 'redirect';
  readonly cors?: { readonly origins: readonly string[] };
}

interface PolicyFile {
  readonly rules: readonly RuleEntry[];
  readonly tokens?: {
    readonly audiences?: readonly string[];
    readonly any_audience?: boolean;
    readonly clock_skew?: string;
  };
  readonly identity_headers?: Readonly<Record<string, readonly string[]>>;
}

export interface Policy {
  readonly file: PolicyFile;
  readonly cookies: readonly string[] | undefined;
  /** Whether the file says where Kratos is. */
  readonly sessions: boolean;
  /** Whether the file says where opaque tokens are asked about. */
  readonly opaque: boolean;
  /** What the issuer publishes; `down`: nothing. */
  readonly keys: KeySetName | 'down';
  readonly publicUrl: string;
  readonly transport: Transport;
}

const AUDIENCES = [AUDIENCE, 'https://other.test', 'api', 'urn:acme:api', `${AUDIENCE}/`] as const;
const SCOPES = ['read', 'write', 'orders:read', 'READ', 'a.b'] as const;
/** Where a rule may look, and for what. Registered claims take texts alone: with anything else no token would be read. */
const CLAIMS: fc.Arbitrary<[string, string | number | boolean]> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(
      fc.constantFrom('tenant', 'ext.tenant', 'ext.level', 'ext.flags.beta', 'roles', 'ext.roles'),
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom('acme', 'acme', 'user', '', 'é', 'a b', 'true', '1') },
        { weight: 2, arbitrary: fc.constantFrom(1, 0, -1, 1.5, 2 ** 53) },
        { weight: 2, arbitrary: fc.boolean() },
      ),
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('scp', 'scope'), fc.constantFrom('acme', 'read')) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom('sub', 'client_id', 'jti', 'aud', 'constructor', 'ext.__proto__.tenant'),
      fc.constantFrom('acme', 'user'),
    ),
  },
);

export const SEGMENTS = [
  ...['a', 'b', 'admin', 'orders', 'Admin', 'v1.2', '~x', 'a-b_c', '...', '.a'],
  ...['a@b', "it's(1)", '$x,y', 'a+b=c', 'a:b', 'x!', 'a&b', '[1]', 'x%7Cy', 'caf%C3%A9', 'a%20b'],
];
const HOSTS = ['api.acme.test', '*.acme.test', 'acme.test', '*.api.acme.test', '[::1]', 'API.Acme.test'] as const;
export const METHODS = ['GET', 'POST', 'HEAD', 'DELETE', 'OPTIONS', 'PURGE'] as const;
export const ORIGINS = ['https://app.acme.test', 'http://localhost:3000'] as const;

const SOURCES = [
  ...['session.identity.id', 'session.identity.traits.email', 'session.identity.traits.name.first'],
  ...['session.identity.verified_email', 'session.authenticator_assurance_level', 'session.identity.traits'],
  ...['token.sub', 'token.sub', 'token.sub', 'token.client_id', 'token.ext.email', 'token.ext.email', 'token.email'],
  ...['token.ext.tenant', 'token.jti', 'token.iss', 'token.ext.name.first', 'token.constructor'],
];
/** Lists, and what is no text: with these a policy has less that is native. */
const ODD_SOURCES = [
  'token.scopes',
  'token.scope',
  'token.scp',
  'token.aud',
  'token.exp',
  'token.ext',
  'token.ext.roles',
];
const HEADER_NAMES = ['X-User-Id', 'X-User-Email', 'X_Tenant', 'X-Name', 'Remote-User'] as const;

const someOf = <T>(values: readonly T[], maxLength: number) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength });
const rarely = <T>(arbitrary: fc.Arbitrary<T>, freq = 3) => fc.option(arbitrary, { nil: undefined, freq });

/** Without members that are undefined: the file would name them. */
function defined<T extends object>(members: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;
}

const session: fc.Arbitrary<RequirementEntry> = fc
  .record({
    aal: fc.constantFrom(undefined, undefined, 'aal1', 'aal2'),
    max_age: fc.constantFrom(undefined, undefined, '30s', '15m', '24h'),
  })
  .map((members) => ({ session: defined(members) }));

const token: fc.Arbitrary<RequirementEntry> = fc
  .record({
    audiences: rarely(someOf(AUDIENCES, 2), 2),
    scopes: rarely(someOf(SCOPES, 2), 2),
    claims: rarely(fc.array(CLAIMS, { minLength: 1, maxLength: 2 }).map(Object.fromEntries), 2),
  })
  .map((members) => ({ token: defined<TokenEntry>(members) }));

const requirement = fc.oneof({ weight: 1, arbitrary: token }, { weight: 1, arbitrary: session });

type Who = Pick<RuleEntry, 'allow' | 'identify' | 'require' | 'unauthenticated'>;

const who: fc.Arbitrary<Who> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Who>({ allow: 'anyone' }) },
  { weight: 2, arbitrary: fc.constant<Who>({ allow: 'anyone', identify: true }) },
  {
    weight: 9,
    arbitrary: fc
      .tuple(
        fc.oneof(
          { weight: 3, arbitrary: token },
          { weight: 1, arbitrary: session },
          {
            weight: 3,
            arbitrary: fc.array(requirement, { minLength: 1, maxLength: 3 }).map((any_of) => ({ any_of })),
          },
        ),
        rarely(fc.constant('redirect' as const), 2),
      )
      .map(([require, unauthenticated]) =>
        defined<Who>({ allow: undefined, identify: undefined, require, unauthenticated }),
      ),
  },
);

const glob = fc
  .tuple(
    fc.array(
      fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...SEGMENTS) }, { weight: 1, arbitrary: fc.constant('*') }),
      {
        maxLength: 3,
      },
    ),
    fc.constantFrom('', '', '/', '/**', '/**'),
  )
  .map(([segments, end]) => `/${segments.join('/')}${segments.length === 0 ? end.slice(1) : end}`);

const rule = fc.tuple(
  fc
    .record({
      host: rarely(fc.constantFrom(...HOSTS), 3),
      path: glob,
      methods: rarely(someOf(METHODS, 3), 3),
    })
    .map((members) => defined<RuleEntry['match']>(members)),
  who,
  rarely(
    someOf(ORIGINS, 2).map((origins) => ({ origins })),
    4,
  ),
);

const rules = fc.array(rule, { minLength: 1, maxLength: 10 }).map((entries) =>
  entries.map(([match, access, cors], i): RuleEntry => {
    // A rule with `cors` takes preflights.
    const methods = cors && match.methods ? [...new Set([...match.methods, 'OPTIONS'])] : match.methods;
    return {
      name: `rule-${i}`,
      match: { ...match, ...(methods ? { methods } : {}) },
      ...access,
      ...(cors ? { cors } : {}),
    };
  }),
);

const headersFrom = (sources: fc.Arbitrary<string>) =>
  fc.dictionary(fc.constantFrom(...HEADER_NAMES), fc.uniqueArray(sources, { minLength: 1, maxLength: 3 }), {
    minKeys: 1,
    maxKeys: 4,
    noNullPrototype: true,
  });

const identityHeaders = fc.oneof(
  { weight: 3, arbitrary: headersFrom(fc.constantFrom(...SOURCES)) },
  { weight: 1, arbitrary: headersFrom(fc.oneof(fc.constantFrom(...ODD_SOURCES), fc.constantFrom(...SOURCES))) },
);

const file = fc
  .record({
    rules,
    tokens: fc.oneof(
      { weight: 6, arbitrary: someOf(AUDIENCES.slice(0, 4), 2).map((audiences) => ({ audiences })) },
      { weight: 1, arbitrary: fc.constant({ any_audience: true }) },
    ),
    clock_skew: fc.constantFrom(...Array<undefined>(8).fill(undefined), '0s', '1s', '2s', '5s', '9s', '90s'),
    identity_headers: rarely(identityHeaders, 3),
  })
  .map(({ clock_skew, tokens, ...members }) =>
    defined<PolicyFile>({ ...members, tokens: { ...tokens, ...(clock_skew ? { clock_skew } : {}) } }),
  );

export const policies: fc.Arbitrary<Policy> = fc.record({
  file,
  cookies: fc.constantFrom(undefined, undefined, ['ory_kratos_session'], ['sid', 'ory_session_*'], ['a*', 'ab']),
  sessions: fc.constantFrom(true, true, true, true, true, false),
  opaque: fc.boolean(),
  keys: fc.constantFrom(...Array<'main'>(15).fill('main'), 'down'),
  publicUrl: fc.constantFrom('https://app.acme.test', 'http://127.0.0.1:8080', 'https://edge.test:8443'),
  transport: fc.constantFrom(...TRANSPORTS),
});

/** The whole file, with Ory at `ory`. */
export function fileOf({ file, cookies, sessions, opaque, keys, publicUrl }: Policy, ory: string, app: string): object {
  return {
    ory: {
      ...(sessions ? { kratos: { public_url: `${ory}/kratos` } } : {}),
      hydra: {
        issuer: ISSUER,
        jwks_url: `${ory}/jwks/${keys}`,
        ...(opaque ? { admin_url: `${ory}/hydra` } : {}),
      },
      ...(cookies ? { session_cookies: cookies } : {}),
      // Without a Kratos it does not follow from anything.
      ...(sessions ? {} : { login_url: 'https://login.test/ui' }),
      timeout: '5s',
    },
    ...file,
    // A cache is as large as it may ever be from the start.
    cache: { max_entries: 1_000 },
    edge: { upstream: app, listen: '127.0.0.1:0', admin: '127.0.0.1:0', public_url: publicUrl },
    serve: { http: '127.0.0.1:0', grpc: '127.0.0.1:0', admin: '127.0.0.1:0' },
  };
}

/** The policy without the rules that stop a start, and its configuration; undefined where none is left. */
export function readPolicy(policy: Policy, ory: string, app: string): { policy: Policy; config: Config } | undefined {
  let rest = policy.sessions
    ? policy
    : withRules(policy, ({ require }) => !JSON.stringify(require ?? {}).includes('"session"'));
  while (rest.file.rules.length > 0) {
    try {
      return { policy: rest, config: parseConfig(JSON.stringify(fileOf(rest, ory, app)), 'policy', { env: {} }) };
    } catch (error) {
      const faulty = error instanceof ConfigError ? faultyRules(error) : undefined;
      if (!faulty || faulty.size === 0) throw error;
      rest = withRules(rest, (_, i) => !faulty.has(i));
    }
  }
  return undefined;
}

function withRules(policy: Policy, keep: (rule: RuleEntry, i: number) => boolean): Policy {
  return { ...policy, file: { ...policy.file, rules: policy.file.rules.filter(keep) } };
}

function faultyRules({ faults }: ConfigError): Set<number> {
  return new Set(faults.flatMap(({ key }) => /^rules\[(\d+)\]/.exec(key)?.[1] ?? []).map(Number));
}
