// What Oathkeeper cannot do of a policy: where it would let pass what the policy refuses, nothing is generated; where its
// answer differs, somebody has to know. No I/O.
import type { Config, Requirement, Rule } from '../../config/config.ts';
import { GenerateError } from '../generate-error.ts';
import { API_KEY_HEADER, API_KEY_VALUE, exactCookies } from './authenticators.ts';
import { unreadableSources } from './header-templates.ts';

interface Limit {
  readonly why: string;
  readonly wayOut: string;
  /** Whether this requirement is beyond it. */
  readonly meets: (requirement: Requirement, rule: Rule, config: Config) => boolean;
}

/** To drop any of these would be another policy. */
const REFUSED: readonly Limit[] = [
  {
    why: 'session.aal: Oathkeeper compares nothing in a session, so one without a second factor would pass',
    wayOut:
      'take aal out and have Kratos ask for it everywhere (session.whoami.required_aal: highest_available), or use `generate envoy`',
    meets: (one) => one.kind === 'session' && one.aal === 'aal2',
  },
  {
    why: 'session.max_age: Oathkeeper does not look at when somebody logged in, so a session of any age would pass',
    wayOut: 'take max_age out and shorten session.lifespan of Kratos, or use `generate envoy`',
    meets: (one) => one.kind === 'session' && one.maxAgeMs !== undefined,
  },
  {
    why: 'token.claims: Oathkeeper compares no claims, so a token of anybody’s would pass',
    wayOut: 'ask for a scope or an audience that only those tokens have, or use `generate envoy`',
    meets: (one) => one.kind === 'token' && one.claims.length > 0,
  },
  {
    why: 'token.audiences: Oathkeeper wants all of them in one token, where the policy wants one of them',
    wayOut: 'name one audience for this rule, or use `generate envoy`',
    meets: (one) => one.kind === 'token' && one.audiences.length > 1,
  },
  {
    why: 'any_of: two alternatives take tokens, and Oathkeeper goes by the first alone',
    wayOut: 'leave one alternative with a token, or use `generate envoy`',
    meets: (one, { access }) =>
      one.kind === 'token' && access.kind !== 'anyone' && access.anyOf.find(({ kind }) => kind === 'token') !== one,
  },
  {
    why: 'ory.session_cookies: Oathkeeper knows no patterns, and without a name it would take any cookie for a session',
    wayOut: 'write the cookie’s whole name, such as ory_kratos_session',
    meets: (one, _, config) => one.kind === 'session' && exactCookies(config).length === 0,
  },
];

/** @throws {GenerateError} that names every rule which is beyond Oathkeeper, and the way out. */
export function checkLimits(config: Config): void {
  const inTheWay = config.rules.flatMap((rule) =>
    REFUSED.filter(({ meets }) => requirementsOf(rule).some((one) => meets(one, rule, config))).map(
      ({ why, wayOut }) => `  ${rule.name}: ${why}; ${wayOut}`,
    ),
  );
  if (inTheWay.length > 0)
    throw new GenerateError(`Oathkeeper cannot hold this policy. In the way:\n${inTheWay.join('\n')}`);
}

function requirementsOf({ access }: Rule): readonly Requirement[] {
  return access.kind === 'anyone' ? [] : access.anyOf;
}

/** Where Oathkeeper's answer differs from the authorizer's, a sentence each, and what somebody has to do. */
export function notesOf(config: Config): string[] {
  const { sessions, tokens, sessionCookies } = config;
  const left = sessionCookies.filter(({ prefix }) => prefix).map(({ name }) => `${name}*`);
  const sources = unreadableSources(config);
  return [
    ...(tokens?.introspection?.apiKey === undefined
      ? []
      : [`set ${API_KEY_HEADER}='${API_KEY_VALUE}' (ory.api_key) where Oathkeeper runs: no file holds it`]),
    ...about(
      config,
      'a refused credential ends it, where the policy would go on to the next one or to nobody',
      isTriedOn,
    ),
    ...about(
      config,
      'every GET that would take text/html is sent to the login, a script’s too; return_to names the host that was asked',
      ({ unauthenticated }) => unauthenticated === 'redirect',
    ),
    ...about(
      config,
      'denials carry no CORS headers: a page sees that it failed, not why',
      ({ corsOrigins }) => !!corsOrigins,
    ),
    ...(sessions && left.length > 0
      ? [
          `ory.session_cookies: Oathkeeper knows no patterns, so of ${left.join(', ')} it takes ${named(exactCookies(config).map(({ name }) => name))} alone`,
        ]
      : []),
    ...(tokens ? ['tokens.clock_skew: Oathkeeper allows none, for exp, nbf and iat'] : []),
    ...(sources.length > 0
      ? [`identity_headers: Oathkeeper has no value of every token for ${sources.join(', ')}`]
      : []),
  ];
}

function about(config: Config, what: string, is: (rule: Rule) => boolean): string[] {
  const names = config.rules.filter(is).map(({ name }) => name);
  return names.length === 0 ? [] : [`${names.join(', ')}: ${what}`];
}

/** Whether there is something to go on to. */
function isTriedOn({ access }: Rule): boolean {
  return access.kind === 'identify' || (access.kind === 'require' && access.anyOf.length > 1);
}

function named(names: readonly string[]): string {
  return names.join(' and ');
}
