// What Envoy Gateway judges by itself, rule by rule, and why it asks about the rest. No I/O.
import { isIP } from 'node:net';
import type { Config, Rule } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
import { DEFAULT_SKEW_MS } from '../envoy/jwt-authn.ts';
import { makeEitherPlan, type Plan } from '../plan.ts';
import { isBefore, type Version } from '../target.ts';
import { isGatewayMethod } from './matches.ts';
import { MAX_PATH, plainPathOf } from './plain-path.ts';
import { tokenConditionFits } from './token-condition.ts';

export function envoyGatewayPlan(config: Config, version: Version): Plan {
  // A SecurityPolicy has no condition on which it does not ask.
  return { ...makeEitherPlan(config, (rule) => obstacle(rule, config, version)), edgeCache: undefined };
}

/** The first version whose SecurityPolicy has CEL: without it a claim of another kind, or an ID token, is not told. */
const CEL_SINCE: Version = [1, 9, 0];
/** Of a provider (SecurityPolicy). */
const MAX_AUDIENCES = 8;

function obstacle(rule: Rule, config: Config, version: Version): string | undefined {
  const { methods, path, access } = rule;
  const method = methods?.find((one) => !isGatewayMethod(one));
  if (method !== undefined) return `an HTTPRoute cannot name the method ${method}`;
  if (plainPathOf(path).length > MAX_PATH) return 'its path is too long for an HTTPRoute to match strictly';
  return access.kind === 'anyone' ? undefined : tokenObstacle(rule, config, version);
}

function tokenObstacle(rule: Rule, config: Config, version: Version): string | undefined {
  const { tokens, identityHeaders } = config;
  if (isBefore(version, CEL_SINCE)) return 'Envoy Gateway tells access tokens from others since 1.9 only (CEL)';
  if (rule.corsOrigins) return 'cors: a preflight has no token, and a page may read a denial';
  if (tokens && tokens.clockSkewMs > DEFAULT_SKEW_MS)
    return `Envoy Gateway takes tokens for ${formatDuration(DEFAULT_SKEW_MS)} after their end, and tokens.clock_skew is more`;
  if (tokens && isHttpsAddress(new URL(tokens.jwksUrl)))
    return 'Envoy Gateway verifies a certificate by name, and the issuer’s keys are at an address';
  const several = identityHeaders.find(({ sources }) => sources.filter(({ kind }) => kind === 'token').length > 1);
  if (several) return `${several.name} has several sources in a token, and Envoy Gateway writes one`;
  if (audiencesOf(rule).length > MAX_AUDIENCES) return `Envoy Gateway knows ${MAX_AUDIENCES} audiences at most`;
  return tokenConditionFits(rule, config) ? undefined : 'its condition is too long for CEL in a SecurityPolicy';
}

function isHttpsAddress({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' && isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
}

/** Of all its alternatives; empty where one takes any. */
export function audiencesOf({ access }: Pick<Rule, 'access'>): readonly string[] {
  if (access.kind === 'anyone') return [];
  const all = access.anyOf.flatMap((one) => (one.kind === 'token' ? [one.audiences] : []));
  return all.some((audiences) => audiences.length === 0) ? [] : [...new Set(all.flat())];
}
