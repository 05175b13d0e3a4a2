// Which of the features that a target may not have a case is about: of its rule, of its credential, of its request and
// of the answer that it expects. What a target cannot do explains a difference there, and nowhere else. No I/O.
import type { Case } from '../../src/cli/cases/case.ts';
import type { Config, Rule, TokenRequirement } from '../../src/config/config.ts';
import type { Feature } from '../../src/generate/abilities.ts';
import { spelled } from './read.ts';

/** @param rule that the case meets, as the engine found it */
export function needsOf(one: Case, rule: Rule | undefined, config: Config): ReadonlySet<Feature> {
  return new Set([...(rule ? ofRule(rule) : []), ...ofCredential(one), ...ofRequest(one, config), ...ofAnswer(one)]);
}

function* ofRule({ access, unauthenticated, corsOrigins }: Rule): Generator<Feature> {
  if (corsOrigins) yield 'cors';
  if (access.kind === 'anyone') {
    yield 'open';
    return;
  }
  if (unauthenticated === 'redirect') yield 'redirect';
  if (access.kind === 'identify') yield 'identify';
  if (access.anyOf.length > 1) yield 'any_of';
  for (const one of access.anyOf) {
    if (one.kind === 'session') yield 'session';
    else yield* ofToken(one);
  }
}

function* ofToken({ scopes, claims }: TokenRequirement): Generator<Feature> {
  yield 'jwt';
  if (scopes.length > 0) yield 'scopes';
  for (const { path, value } of claims) {
    yield typeof value === 'string' ? 'text_claims' : 'other_claims';
    if (path.length > 1) yield 'nested_claims';
  }
}

function* ofCredential({ credential }: Case): Generator<Feature> {
  if (credential?.session) yield 'session';
  if (credential?.token) yield credential.token_as === 'opaque' ? 'opaque' : 'jwt';
}

function* ofRequest({ request }: Case, { identityHeaders }: Config): Generator<Feature> {
  const names = new Set(identityHeaders.map(({ name }) => name.toLowerCase()));
  const spellings = new Set([...names].map(spelled));
  for (const [name] of request.headers)
    if (!names.has(name.toLowerCase()) && spellings.has(spelled(name))) yield 'header_spellings';
}

function* ofAnswer({ expect: { reason, status } }: Case): Generator<Feature> {
  if (reason === 'path_ambiguous') yield 'path_refusal';
  if (reason === 'no_rule') yield 'first_match';
  if (status === 503) yield 'outage';
  if (status !== 200) yield 'problem_body';
}
