// The whole life of a check, straight down: normalise the request, find the rule, find the credential, verify it
// through the identity cache, decide. The answer is written by response/. Does I/O only through the verifiers.
import type { Config, Requirement, Rule } from '../config/config.ts';
import type { Clock } from './clock.ts';
import { type BearerReading, bearerReading, extract } from './credential/extract.ts';
import { type Attempt, attemptWith, attemptWithout, strongest, unmet } from './decide.ts';
import type { CachedVerification, IdentityCache } from './identity/cache/memory.ts';
import type { Identity, Verifier } from './identity/identity.ts';
import { type Log, ThrottledLog } from './log.ts';
import type { CheckRequest } from './request/check-request.ts';
import { normalise } from './request/normalise.ts';
import { createFindRule, type FindRule } from './rule/find-rule.ts';
import { deny, type Verdict } from './verdict.ts';

export interface CheckParts {
  readonly config: Config;
  readonly cache: IdentityCache;
  readonly verifiers: { readonly session: Verifier | undefined; readonly token: Verifier | undefined };
  readonly clock: Clock;
  readonly log: Log;
}

/** Judges one request. Never throws: whatever is unexpected is a denial. */
export type Check = (request: CheckRequest) => Promise<Verdict>;

export function createCheck(parts: CheckParts): Check {
  const findRule = createFindRule(parts.config.rules);
  const missed = new ThrottledLog(parts.log, parts.clock);
  return async (request) => {
    try {
      const verdict = await judge(request, findRule, parts);
      if (verdict.reason === 'token') noteMissed(request, missed);
      return verdict;
    } catch (error) {
      parts.log.error(
        { err: { name: error instanceof Error ? error.name : typeof error, stack: stackOf(error) } },
        'a check failed: the request is denied',
      );
      return deny('internal_error');
    }
  };
}

async function judge(request: CheckRequest, findRule: FindRule, parts: CheckParts): Promise<Verdict> {
  const target = normalise(request);
  if (!target) return deny('path_ambiguous');

  const rule = findRule(target);
  if (!rule) return deny('no_rule');
  if (rule.access.kind === 'anyone') return anonymous(rule);
  if (request.preflight) return preflight(request, rule);

  const reading = bearerReading(rule.access.anyOf);
  const failed: Exclude<Attempt, { kind: 'satisfied' }>[] = [];
  const settled: Settled = new Map();
  for (const requirement of rule.access.anyOf) {
    const attempt = await attemptOne(request, requirement, reading, settled, parts);
    if (attempt.kind === 'satisfied') {
      const { identity, setCookie, remember } = attempt;
      return { kind: 'allow', reason: identity.kind, rule, identity, setCookie, remember };
    }
    failed.push(attempt);
  }
  if (rule.access.kind === 'identify') return anonymous(rule);

  const outcome = strongest(failed);
  switch (outcome.kind) {
    case 'missing':
      return deny('credential_missing', rule);
    case 'refused':
    case 'unavailable':
      return deny(outcome.reason, rule, outcome);
  }
}

/** What the one credential of a kind has come to in this check: several alternatives ask once, and wait for one outage. */
type Settled = Map<Requirement['kind'], CachedVerification>;

async function attemptOne(
  request: CheckRequest,
  requirement: Requirement,
  reading: BearerReading,
  settled: Settled,
  parts: CheckParts,
): Promise<Attempt> {
  const extraction = extract(request, requirement.kind, reading, parts.config.sessionCookies);
  if (extraction.kind !== 'found') return attemptWithout(extraction, requirement);
  const verifier = parts.verifiers[requirement.kind];
  if (!verifier) throw new Error(`no verifier for ${requirement.kind}`);
  // A login or a second factor that has just been given is not denied from memory.
  const enough = (identity: Identity) => requirement.kind === 'token' || !unmet(identity, requirement, parts.clock());
  const before = settled.get(requirement.kind);
  const verification = before
    ? // A stale identity may be enough for one alternative and not for another.
      ((before.kind === 'unavailable' ? parts.cache.stale(extraction.credential, verifier, enough) : undefined) ??
      before)
    : await parts.cache.verify(extraction.credential, verifier, enough);
  settled.set(requirement.kind, verification);
  return attemptWith(verification, extraction.credential, requirement, parts.clock());
}

/** A browser's question before a request carries no identity, whatever stands beside it. */
function preflight({ origin }: CheckRequest, rule: Rule): Verdict {
  const open = rule.access.kind === 'identify' || (origin !== undefined && rule.corsOrigins?.includes(origin));
  return open ? anonymous(rule) : deny('credential_missing', rule);
}

function anonymous(rule: Rule): Verdict {
  return { kind: 'allow', reason: 'anonymous', rule, identity: undefined, setCookie: [], remember: undefined };
}

/** jwt_authn's codes for "no token" and "not a JWT": that it cannot say yes to these is no surprise. */
const NOT_FOR_ENVOY = [1, 4];

/** A yes that Envoy could not give. After a rotation that is so until Envoy has fetched the key; else it is worth a look. */
function noteMissed({ jwtFailure }: CheckRequest, log: ThrottledLog): void {
  if (jwtFailure === undefined || NOT_FOR_ENVOY.includes(jwtFailure)) return;
  log.info(
    `jwt_authn ${jwtFailure}`,
    { jwt_authn_code: jwtFailure },
    'Envoy refused a token that is good: it is asked about until Envoy takes it',
  );
}

/** Where it happened, without the message: it may quote what a client sent. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { stack = '', message } = error;
  const frames = stack.slice(Math.max(0, stack.indexOf(message)) + message.length);
  return frames
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');
}
