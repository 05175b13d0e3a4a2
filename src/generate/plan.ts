// From rules to what an edge does about each of them, for any target: what it allows by itself, what it asks the
// authorizer, and why. No I/O.
import type {
  Config,
  CookieName,
  IdentityHeader,
  OryOnOrigin,
  Requirement,
  Rule,
  TokenRequirement,
  TokenSettings,
} from '../config/config.ts';
import { formatDuration } from '../config/duration.ts';
import type { HostPattern, PathGlob } from '../config/pattern.ts';
import { requirementText } from '../config/requirement-text.ts';
import { GenerateError } from './generate-error.ts';

export interface PlannedRule {
  readonly name: string;
  readonly match: {
    readonly host: HostPattern | undefined;
    readonly path: PathGlob;
    /** Undefined: every method. */
    readonly methods: readonly string[] | undefined;
  };
  /** A key of the configuration's upstreams. */
  readonly upstream: string;
  readonly verdict: PlannedVerdict;
  /** Present where the rule takes access tokens, so that the edge may verify one. */
  readonly tokens: { readonly audiences: Audiences } | undefined;
  readonly corsOrigins: readonly string[] | undefined;
  /** Whether the edge may remember a yes: the rule takes what only Ory can judge. */
  readonly remembered: boolean;
  /** What the edge allows by itself, in words; undefined where there is nothing. */
  readonly native: string | undefined;
  /** What is asked, in words, and why; undefined where there is nothing. */
  readonly asked: string | undefined;
}

/** Who gives the verdict. A native filter only ever says yes; where there is an authorizer, every no is its own. */
export type PlannedVerdict =
  /** The edge lets everyone pass, without identity. */
  | { readonly kind: 'open' }
  /** The edge allows what `yes` names; whatever else comes is asked. */
  | { readonly kind: 'native'; readonly yes: NativeYes }
  /** Everything is asked. */
  | { readonly kind: 'asked' }
  /** There is no authorizer: what `yes` does not name is refused by the edge. */
  | { readonly kind: 'enforced'; readonly yes: NativeYes };

/** Any of these is a yes that the authorizer would give too, with the same identity. */
interface NativeYes {
  readonly tokens: readonly NativeToken[];
  /** Also a request that brings no credential at all. */
  readonly anonymous: boolean;
}

export interface NativeToken {
  readonly requirement: TokenRequirement;
  /** Only where the request brings no session credential: an earlier alternative takes sessions. */
  readonly unlessSession: boolean;
}

/** `'any'`, or the names of which a token must hold one. */
type Audiences = 'any' | readonly string[];

/** An identity header of tokens: a native yes sets it from the first claim, where that is plain text. */
export interface ClaimHeader {
  /** Lower case. */
  readonly name: string;
  /** Paths of claims, in the order in which they are tried. */
  readonly claims: readonly (readonly string[])[];
}

export interface PlannedTokens extends TokenSettings {
  readonly audiences: Audiences;
  readonly headers: readonly ClaimHeader[];
  /** Whether any rule has a yes of the edge's own. */
  readonly native: boolean;
}

export interface Plan {
  /** Whether there is an authorizer to ask. */
  readonly authorizer: boolean;
  /** In the order of the file: the first match wins. */
  readonly rules: readonly PlannedRule[];
  /** What the edge needs to verify tokens; undefined where no rule takes them. */
  readonly tokens: PlannedTokens | undefined;
  /** For how long the edge may remember a yes of the authorizer at most; undefined where it remembers none. */
  readonly edgeCache: { readonly ttlMs: number } | undefined;
  /** Where a session may be found in a request. */
  readonly sessionCookies: readonly CookieName[];
  /** Lower case; an edge removes them from every request before anything else. */
  readonly identityHeaders: readonly string[];
  /** Ory's public API below a path of the edge's own, before every rule. */
  readonly ory: OryOnOrigin | undefined;
  /** The origins of every rule with `cors`. */
  readonly corsOrigins: readonly string[];
}

/** What an edge in front of the authorizer does, rule by rule: for `generate envoy` and `serve`, whose rules stay. */
export function makePlan(config: Config): Plan {
  const obstacle = obstacleOf(config);
  const rules = config.rules.map((rule) => planRule(rule, config, obstacle));
  const wanted = rules.flatMap((rule) => (rule.tokens ? [rule.tokens.audiences] : []));
  return {
    authorizer: true,
    rules,
    tokens:
      config.tokens && wanted.length > 0
        ? {
            ...config.tokens,
            audiences: union(wanted),
            headers: claimHeaders(config.identityHeaders),
            native: rules.some(({ verdict }) => verdict.kind === 'native'),
          }
        : undefined,
    edgeCache: rules.some(({ remembered }) => remembered) ? edgeCacheOf(config) : undefined,
    sessionCookies: config.sessionCookies,
    identityHeaders: config.identityHeaders.map((header) => header.name.toLowerCase()),
    ory: config.edge.ory,
    corsOrigins: [...new Set(config.rules.flatMap((rule) => rule.corsOrigins ?? []))],
  };
}

/**
 * For `up`, whose rules change under open connections: the edge cache is there, whether a rule has use for it or not, so
 * that the listener stays as it is.
 */
export function makeSteadyPlan(config: Config): Plan {
  return { ...makePlan(config), edgeCache: edgeCacheOf(config) };
}

function edgeCacheOf({ cache }: Config): Plan['edgeCache'] {
  return cache.edgeTtlMs > 0 ? { ttlMs: cache.edgeTtlMs } : undefined;
}

/**
 * What an edge alone does: the policy must be one of tokens and of what anyone may do.
 * @throws {GenerateError} that names every rule that stands in the way, and why.
 */
export function makePlanWithoutAuthorizer(config: Config): Plan {
  const plan = makePlan(config);
  const inTheWay = config.rules.flatMap((rule) => {
    const why = needsAuthorizer(rule, config);
    return why === undefined ? [] : [`  ${rule.name}: ${why}`];
  });
  if (inTheWay.length > 0) {
    throw new GenerateError(
      `--no-authorizer: Envoy cannot give every verdict of this policy by itself. In the way:\n${inTheWay.join('\n')}`,
    );
  }
  return { ...plan, authorizer: false, edgeCache: undefined, rules: plan.rules.map(enforced) };
}

/** Why a target cannot judge a rule by itself, beside what no edge can judge; undefined where it can. */
export type Obstacle = (rule: Rule, config: Config) => string | undefined;

/**
 * For a target whose filters refuse what they do not allow: it judges a rule altogether, or asks about all of it. What
 * it can, `obstacle` says.
 */
export function makeEitherPlan(config: Config, obstacle: Obstacle): Plan {
  const plan = makePlan(config);
  const rules = config.rules.flatMap((rule, i) => {
    const planned = plan.rules[i];
    const why = needsAuthorizer(rule, config) ?? obstacle(rule, config);
    if (!planned) return [];
    return why === undefined ? enforced(planned) : askedAltogether(planned, why);
  });
  return {
    ...plan,
    rules,
    authorizer: rules.some(({ verdict }) => verdict.kind === 'asked'),
    tokens: plan.tokens && { ...plan.tokens, native: rules.some(({ verdict }) => verdict.kind === 'enforced') },
  };
}

function askedAltogether(rule: PlannedRule, why: string): PlannedRule {
  return { ...rule, verdict: { kind: 'asked' }, native: undefined, asked: `everything: ${why}` };
}

function enforced(rule: PlannedRule): PlannedRule {
  if (rule.verdict.kind === 'open') return rule;
  // Without anybody to ask such a route would be open.
  if (rule.verdict.kind !== 'native' || rule.verdict.yes.anonymous)
    throw new GenerateError(`--no-authorizer: Envoy has no verdict of its own for the rule ${rule.name}`);
  const { tokens } = rule.verdict.yes;
  const native = `${tokens.map(({ requirement }) => requirementText(requirement)).join('; ')}; whatever else comes is refused`;
  return { ...rule, verdict: { kind: 'enforced', yes: rule.verdict.yes }, native, asked: undefined };
}

function needsAuthorizer({ access, unauthenticated }: Rule, config: Config): string | undefined {
  if (access.kind === 'anyone') return undefined;
  if (access.anyOf.some(({ kind }) => kind === 'session'))
    return 'it takes sessions, and only Kratos knows whether one is alive';
  if (access.kind === 'identify')
    return 'identify: a token that is refused must leave no identity behind, which takes an authorizer';
  if (unauthenticated === 'redirect') return 'unauthenticated: redirect: Envoy has no login to send a person to';
  if (config.tokens?.introspection)
    return `it takes opaque tokens (${config.tokens.introspection.url}); take ory.hydra.admin_url or ory.api_key out if JWTs are enough`;
  const list = access.anyOf.flatMap((one) => (one.kind === 'token' ? (listClaim(one) ?? []) : []))[0];
  return list === undefined
    ? obstacleOf(config)
    : `a native filter sees the claim ${list} as a list; write scopes: instead`;
}

/** Envoy counts whole seconds, and one of them is taken off so that it is never the more lenient of two. */
const MIN_NATIVE_SKEW_MS = 2_000;

/** Why no token can be judged natively under this configuration. */
function obstacleOf({ tokens, identityHeaders }: Config): string | undefined {
  if (tokens && tokens.clockSkewMs < MIN_NATIVE_SKEW_MS)
    return `a native filter counts whole seconds, and tokens.clock_skew is below ${formatDuration(MIN_NATIVE_SKEW_MS)}`;
  const list = claimHeaders(identityHeaders).find(({ claims }) => claims.some((path) => LISTS.has(path.join('.'))));
  return list && `${list.name} is made of a list, which a native filter cannot write as a header`;
}

/** Sources that are lists, or that a native filter sees as lists. */
const LISTS = new Set(['scopes', 'scope', 'scp', 'aud']);

function claimHeaders(headers: readonly IdentityHeader[]): ClaimHeader[] {
  return headers.flatMap(({ name, sources }) => {
    const claims = sources.filter(({ kind }) => kind === 'token').map(({ path }) => path);
    return claims.length === 0 ? [] : [{ name: name.toLowerCase(), claims }];
  });
}

function planRule(rule: Rule, { sessions, tokens, cache }: Config, obstacle: string | undefined): PlannedRule {
  const { name, host, path, methods, upstream, access, corsOrigins } = rule;
  const anyOf = access.kind === 'anyone' ? [] : access.anyOf;
  const wanted = anyOf.flatMap((one): Audiences[] =>
    one.kind === 'token' ? [one.audiences.length === 0 ? 'any' : one.audiences] : [],
  );
  const verdict = verdictOf(rule, obstacle);
  return {
    name,
    match: { host, path, methods },
    upstream,
    verdict,
    tokens: wanted.length === 0 ? undefined : { audiences: union(wanted) },
    corsOrigins,
    remembered:
      cache.edgeTtlMs > 0 && anyOf.some(({ kind }) => kind === 'session' || tokens?.introspection !== undefined),
    native: nativeText(verdict),
    asked: askedText(rule, verdict, obstacle, { sessions: sessions !== undefined, opaque: !!tokens?.introspection }),
  };
}

function verdictOf({ access }: Rule, obstacle: string | undefined): PlannedVerdict {
  // Without alternatives `identify` can find nobody: it is "anyone". `require` without one is a denial, and stays asked.
  if (access.kind === 'anyone' || (access.kind === 'identify' && access.anyOf.length === 0)) return { kind: 'open' };
  const tokens = obstacle === undefined ? nativeTokens(access.anyOf) : [];
  const anonymous = access.kind === 'identify';
  return tokens.length > 0 || anonymous ? { kind: 'native', yes: { tokens, anonymous } } : { kind: 'asked' };
}

/** Alternatives are tried in order: a session that comes first would be another identity. */
function nativeTokens(anyOf: readonly Requirement[]): NativeToken[] {
  return anyOf.flatMap((requirement, i) =>
    requirement.kind === 'token' && listClaim(requirement) === undefined
      ? [{ requirement, unlessSession: anyOf.slice(0, i).some((earlier) => earlier.kind === 'session') }]
      : [],
  );
}

/** A claim that a native filter sees otherwise than the authorizer. */
function listClaim({ claims }: TokenRequirement): string | undefined {
  return claims.map(({ path }) => path[0] ?? '').find((name) => name === 'scope' || name === 'scp');
}

function union(all: readonly Audiences[]): Audiences {
  const names = new Set<string>();
  for (const audiences of all) {
    if (audiences === 'any') return 'any';
    for (const name of audiences) names.add(name);
  }
  return [...names];
}

function nativeText(verdict: PlannedVerdict): string | undefined {
  switch (verdict.kind) {
    case 'open':
      return 'everyone: identity headers are removed before routing, so there is nothing to ask';
    case 'asked':
      return undefined;
    case 'enforced':
    case 'native': {
      const { tokens, anonymous } = verdict.yes;
      const texts = tokens.map(
        ({ requirement, unlessSession }) =>
          `${requirementText(requirement)}${unlessSession ? ', where there is no session credential' : ''}`,
      );
      return [...(anonymous ? ['a request without any credential'] : []), ...texts].join('; ');
    }
  }
}

interface Takes {
  readonly sessions: boolean;
  readonly opaque: boolean;
}

function askedText(
  { access }: Rule,
  verdict: PlannedVerdict,
  obstacle: string | undefined,
  takes: Takes,
): string | undefined {
  if (verdict.kind === 'open' || access.kind === 'anyone') return undefined;
  const kinds = new Set(access.anyOf.map((one) => one.kind));
  if (kinds.size === 0) return 'everything: nothing satisfies the rule, and the authorizer gives every denial';
  const reasons: string[] = [];
  if (kinds.has('session')) reasons.push('only Kratos knows whether a session is alive');
  if (kinds.has('token')) reasons.push(...tokenReasons(access.anyOf, verdict, obstacle, takes));
  return `${verdict.kind === 'native' ? 'whatever else comes' : 'everything'}: ${reasons.join('; ')}`;
}

function tokenReasons(
  anyOf: readonly Requirement[],
  verdict: PlannedVerdict,
  obstacle: string | undefined,
  { opaque }: Takes,
): string[] {
  const reasons = opaque ? ['only Hydra knows whether an opaque token is active'] : [];
  if (obstacle !== undefined) return [...reasons, obstacle];
  const list = anyOf.flatMap((one) => (one.kind === 'token' ? (listClaim(one) ?? []) : []))[0];
  if (list !== undefined) reasons.push(`a native filter sees the claim ${list} as a list`);
  if (verdict.kind === 'native' && verdict.yes.tokens.length > 0) {
    reasons.push('keys that Envoy has not seen yet, identities that are not plain text, and every denial');
  }
  return reasons;
}
