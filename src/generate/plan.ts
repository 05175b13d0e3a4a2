// From rules to what an edge does about each of them, for any target: pass, or ask the authorizer, and why. No I/O.
import type { Config, OryOnOrigin, Rule, TokenSettings } from '../config/config.ts';
import type { HostPattern, PathGlob } from '../config/pattern.ts';

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
  /** Who gives the verdict: the edge lets everyone pass by itself, or it asks. */
  readonly decidedBy: 'edge' | 'authorizer';
  /** Present where the rule takes access tokens, so that the edge may verify one. */
  readonly tokens: { readonly audiences: Audiences } | undefined;
  /** One sentence for people. */
  readonly why: string;
}

/** `'any'`, or the names of which a token must hold one. */
type Audiences = 'any' | readonly string[];

export interface Plan {
  /** In the order of the file: the first match wins. */
  readonly rules: readonly PlannedRule[];
  /** What the edge needs to verify tokens; undefined where no rule takes them. */
  readonly tokens: (TokenSettings & { readonly audiences: Audiences }) | undefined;
  /** Lower case; an edge removes them from every request before anything else. */
  readonly identityHeaders: readonly string[];
  /** Ory's public API below a path of the edge's own, before every rule. */
  readonly ory: OryOnOrigin | undefined;
  /** The origins of every rule with `cors`. */
  readonly corsOrigins: readonly string[];
}

/** What an edge in front of the authorizer does, rule by rule. */
export function makePlan(config: Config): Plan {
  const rules = config.rules.map(planRule);
  const wanted = rules.flatMap((rule) => (rule.tokens ? [rule.tokens.audiences] : []));
  return {
    rules,
    tokens: config.tokens && wanted.length > 0 ? { ...config.tokens, audiences: union(wanted) } : undefined,
    identityHeaders: config.identityHeaders.map((header) => header.name.toLowerCase()),
    ory: config.edge.ory,
    corsOrigins: [...new Set(config.rules.flatMap((rule) => rule.corsOrigins ?? []))],
  };
}

function planRule(rule: Rule): PlannedRule {
  const { name, host, path, methods, upstream, access } = rule;
  const anyOf = access.kind === 'anyone' ? [] : access.anyOf;
  const wanted = anyOf.flatMap((one): Audiences[] =>
    one.kind === 'token' ? [one.audiences.length === 0 ? 'any' : one.audiences] : [],
  );
  // Without alternatives `identify` can find nobody: it is "anyone". `require` without one is a denial, and stays asked.
  const open = access.kind === 'anyone' || (access.kind === 'identify' && anyOf.length === 0);
  return {
    name,
    match: { host, path, methods },
    upstream,
    decidedBy: open ? 'edge' : 'authorizer',
    tokens: wanted.length === 0 ? undefined : { audiences: union(wanted) },
    why: explain(rule),
  };
}

function union(all: readonly Audiences[]): Audiences {
  const names = new Set<string>();
  for (const audiences of all) {
    if (audiences === 'any') return 'any';
    for (const name of audiences) names.add(name);
  }
  return [...names];
}

function explain({ access }: Rule): string {
  if (access.kind === 'anyone' || (access.kind === 'identify' && access.anyOf.length === 0)) {
    return 'anyone may pass, and identity headers are removed before routing, so there is nothing to ask';
  }
  const kinds = new Set(access.anyOf.map((one) => one.kind));
  if (access.kind === 'identify')
    return 'anyone may pass, and the authorizer says who it is where a credential verifies';
  if (kinds.has('session') && kinds.has('token')) {
    return 'only the authorizer knows whether a session is alive, and it gives every verdict on tokens';
  }
  if (kinds.has('session')) return 'only the authorizer knows whether a session is alive';
  if (kinds.has('token'))
    return 'the edge verifies a JWT, and the authorizer gives the verdict: it also knows opaque tokens';
  return 'nothing satisfies the rule, and the authorizer gives every denial';
}
