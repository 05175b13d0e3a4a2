// What Istio's own objects judge and what is asked. Either the whole policy is Istio's, or every rule but the open ones is
// asked: RequestAuthentication writes claims into headers for the whole workload, and Istio runs it behind ext_authz, so
// that it would erase the identity that the authorizer has set. No I/O.
import type { Config, Rule } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
import { overlap } from '../../config/overlap.ts';
import { DEFAULT_SKEW_MS } from '../envoy/jwt-authn.ts';
import { makeEitherPlan, type Plan } from '../plan.ts';
import { regions } from './native.ts';
import { isExact, outside, pathsInside } from './operation.ts';

/** `edgeCache`: whether the EnvoyFilter that remembers is wanted. */
export function makeIstioPlan(config: Config, { edgeCache }: { readonly edgeCache: boolean }): Plan {
  const plan = eitherPlan(config);
  return edgeCache ? plan : { ...plan, edgeCache: undefined };
}

function eitherPlan(config: Config): Plan {
  const native = makeEitherPlan(config, nativeObstacle);
  const tangled = !native.authorizer && regions(native.rules) === undefined;
  if (!native.authorizer && !tangled) return native;
  const asked = makeEitherPlan(config, (rule) =>
    rule.access.kind === 'anyone'
      ? openObstacle(rule, config)
      : (nativeObstacle(rule, config) ?? (tangled ? TANGLED : MIXED)),
  );
  // Where every rule is open, what Istio cannot name of them is asked about all the same.
  return { ...asked, authorizer: true };
}

const MIXED =
  'other rules are asked, and Istio writes the claims of tokens into headers of every request, behind the authorizer';

const TANGLED =
  'so many rules match parts of what others match that no AuthorizationPolicy can say what is left to each';

/** Why Istio's objects cannot say just what the rule does. */
function nativeObstacle(rule: Rule, config: Config): string | undefined {
  if (!isExact(rule))
    return 'an AuthorizationPolicy has no way to say its match exactly: a host pattern with any port, a "*" in a path, a character with two spellings';
  if (rule.access.kind === 'anyone') return undefined;
  return tokenObstacle(rule, config) ?? headerObstacle(config);
}

function tokenObstacle({ access, corsOrigins }: Rule, { tokens }: Config): string | undefined {
  if (corsOrigins) return 'cors: a preflight carries no token, and an AuthorizationPolicy cannot tell one';
  if (tokens && tokens.clockSkewMs < DEFAULT_SKEW_MS)
    return `Istio takes tokens until ${formatDuration(DEFAULT_SKEW_MS)} after their end, and tokens.clock_skew is less`;
  const requirements = access.kind === 'anyone' ? [] : access.anyOf.filter((one) => one.kind === 'token');
  for (const { audiences, scopes, claims } of requirements) {
    const typed = claims.find(({ value }) => typeof value !== 'string');
    if (typed) return `the claim ${typed.path.join('.')} is no text, and Istio compares text alone`;
    const odd = claims.find(({ path }) => path.some((name) => !CLAIM_NAME.test(name)));
    if (odd) return `Istio has no way to name the claim ${odd.path.join('.')}`;
    const values = [...audiences, ...scopes, ...claims.map(({ value }) => String(value))];
    const star = values.find((value) => value === '' || value.startsWith('*') || value.endsWith('*'));
    if (star !== undefined) return `Istio takes "${star}" for a pattern`;
  }
  return undefined;
}

const CLAIM_NAME = /^[A-Za-z0-9_-]+$/;

function headerObstacle({ identityHeaders }: Config): string | undefined {
  for (const { name, sources } of identityHeaders) {
    const claims = sources.filter(({ kind }) => kind === 'token');
    if (claims.length > 1) return `${name} has several claims to choose from, and Istio writes one`;
    const odd = claims.find(({ path }) => path.some((part) => !CLAIM_NAME.test(part)));
    if (odd) return `Istio has no way to name the claim ${odd.path.join('.')}, of which ${name} is made`;
  }
  return undefined;
}

/** Why not even a part of an open rule can be left out of what is asked. */
function openObstacle(rule: Rule, { rules }: Config): string | undefined {
  if (pathsInside(rule.path).length === 0)
    return 'its path has a character with two spellings, and an AuthorizationPolicy knows no expressions';
  const before = askedBefore(rule, rules).find((other) => Object.keys(outside(other)).length === 0);
  return (
    before &&
    `the rule ${before.name} comes first, and an AuthorizationPolicy has no way to say which part it leaves to this one`
  );
}

/** Rules that come first where both match, and that are not open. */
function askedBefore(rule: Rule, rules: readonly Rule[]): Rule[] {
  const earlier = rules.slice(0, rules.indexOf(rule));
  return earlier.filter((other) => other.access.kind !== 'anyone' && overlap(other, rule));
}
