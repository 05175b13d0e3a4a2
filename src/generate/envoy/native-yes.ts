// When Envoy says yes by itself: RBAC rules over what jwt_authn has verified, as strict as the authorizer (check/identity/
// jws.ts, jwt.ts, check/decide.ts). They are shadow rules: they refuse nobody, and on a yes the authorizer is not asked.
// No I/O.

import { ALGORITHMS, FORBIDDEN_MEMBERS, MAX_TIME } from '../../check/identity/jws.ts';
import { FOREIGN_CLAIMS, TOKEN_TYPES } from '../../check/identity/jwt.ts';
import type { ClaimRequirement, CookieName, TokenRequirement } from '../../config/config.ts';
import type { ClaimHeader, NativeToken, Plan, PlannedTokens, PlannedVerdict } from '../plan.ts';
import { type Block, COMMENT, ONE_LINE, type Value } from '../yaml.ts';
import { JWT_AUTHN, RBAC, RBAC_ROUTE, RULE_FILTER } from './filter-names.ts';
import { quote } from './path-matchers.ts';

/** Keys of jwt_authn's dynamic metadata. */
export const PAYLOAD = 'payload';
export const HEADER = 'header';
export const FAILURE = 'failure';

/** The filter that judges what is the same for every rule: whether this is an access token as the authorizer takes it. */
const TOKEN_FILTER = 'ory-envoy.access_token';
const TOKEN_PREFIX = 'ory_token_';
/** The filter whose rules stand with the routes. */
const RULE_PREFIX = 'ory_';
/** Under the name of the RBAC filter, `<prefix>shadow_engine_result` is `allowed` on a yes. */
const RESULT = 'shadow_engine_result';
const POLICY = 'effective_policy_id';

/** In this order, after jwt_authn. */
export function nativeFilters({ tokens, authorizer }: Plan): Value[] {
  const rule: Block = {
    [COMMENT]: authorizer
      ? 'The rules of a route that Envoy can say yes to by itself. They refuse nobody.'
      : 'The rules of a route.',
    name: RULE_FILTER,
    typed_config: { '@type': RBAC_TYPE, ...(authorizer ? { shadow_rules_stat_prefix: RULE_PREFIX } : {}) },
  };
  if (!tokens?.native) return [rule];
  const token: Block = {
    [COMMENT]: 'Whether the token is an access token as strictly as the authorizer reads one. It refuses nobody.',
    name: TOKEN_FILTER,
    typed_config: {
      '@type': RBAC_TYPE,
      shadow_rules_stat_prefix: TOKEN_PREFIX,
      shadow_rules: rules({ access_token: allOf(accessToken(tokens.headers)) }),
    },
  };
  return [token, rule];
}

const RBAC_TYPE = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC';

/** What stands for a decision, in the metadata of an RBAC filter: `allowed`, `denied`, or the reason of a remembered yes. */
export const DECISION = `${RULE_PREFIX}${RESULT}`;

/** A metadata matcher. */
export function decidedAs(words: readonly string[]): Block {
  const matchers = words.map((exact) => ({ string_match: { exact } }));
  const [only] = matchers;
  const value: Block = matchers.length === 1 && only ? only : { or_match: { value_matchers: matchers } };
  return { filter: RBAC, path: [{ key: DECISION }], value };
}

/** `filter_enabled_metadata` of ext_authz: off exactly where a native yes or a remembered one stands. */
export function unlessDecided(plan: Plan): Block {
  return { ...decidedAs(['allowed', ...(plan.edgeCache ? ['session', 'token'] : [])]), invert: true };
}

/** For the access log: `session` or `token`. */
export const REMEMBERED_REASON = `%DYNAMIC_METADATA(${RBAC}:${DECISION})%`;

/** For the access log: `token` or `anonymous`. */
export function nativeReason({ authorizer }: Plan): string {
  return `%DYNAMIC_METADATA(${RBAC}:${authorizer ? `${RULE_PREFIX}shadow` : 'enforced'}_${POLICY})%`;
}

/** What a route says to the RBAC filter. The names of its policies are reasons. */
export function nativeRoute(
  verdict: PlannedVerdict & { kind: 'native' | 'enforced' },
  { sessionCookies }: Plan,
): Block {
  const { tokens, anonymous } = verdict.yes;
  const token = tokens.map((one) => nativeToken(one, sessionCookies));
  const policies = rules({
    ...(anonymous ? { anonymous: allOf([...noSession(sessionCookies), not(present('authorization'))]) } : {}),
    ...(token.length === 0 ? {} : { token: allOf([isAccessToken(), anyOf(token)]) }),
  });
  return {
    '@type': RBAC_ROUTE,
    rbac:
      verdict.kind === 'enforced'
        ? { rules: policies }
        : { shadow_rules_stat_prefix: RULE_PREFIX, shadow_rules: policies },
  };
}

function rules(policies: Readonly<Record<string, Block>>): Block {
  return {
    action: 'ALLOW',
    policies: Object.fromEntries(
      Object.entries(policies).map(([name, principal]) => [
        name,
        { permissions: [{ any: true }], principals: [principal] },
      ]),
    ),
  };
}

function isAccessToken(): Block {
  return metadata(RBAC, [`${TOKEN_PREFIX}${RESULT}`], { string_match: { exact: 'allowed' } });
}

function nativeToken({ requirement, unlessSession }: NativeToken, cookies: readonly CookieName[]): Block {
  return allOf([...meets(requirement), ...(unlessSession ? noSession(cookies) : [])]);
}

/** jwt_authn's own audience check also takes other schemes and a trailing slash. */
function meets({ audiences, scopes, claims }: TokenRequirement): Block[] {
  return [
    ...(audiences.length === 0 ? [] : [anyOf(audiences.map((audience) => equalsOrHolds(['aud'], text(audience))))]),
    ...scopes.map((scope) => anyOf(['scp', 'scope'].map((claim) => payload([claim], holds(text(scope)))))),
    ...claims.map(claimMeets),
  ];
}

function claimMeets({ path, value }: ClaimRequirement): Block {
  switch (typeof value) {
    case 'string':
      return equalsOrHolds(path, text(value));
    case 'number':
      return equalsOrHolds(path, { double_match: { exact: value } });
    default:
      return equalsOrHolds(path, { bool_match: value });
  }
}

function equalsOrHolds(path: readonly string[], value: Block): Block {
  return anyOf([payload(path, value), payload(path, holds(value))]);
}

/** What could be a session credential, seen more widely than the authorizer does: then it is asked. */
function noSession(cookies: readonly CookieName[]): Block[] {
  return [not(present('x-session-token')), ...cookies.map(({ name }) => not(header('cookie', { contains: name })))];
}

/** Everything that check/identity reads in a token, beside issuer, signature, and expiry at its end. */
function accessToken(headers: readonly ClaimHeader[]): Block[] {
  return [
    anyOf(SIGNATURES.map(signedWith)),
    jwsHeader(['kid'], { string_match: regex('.+') }),
    anyOf([not(jwsHeader(['typ'], PRESENT)), jwsHeader(['typ'], { string_match: regex(`(?i)(?:${TYPES})`) })]),
    not(anyOf(FORBIDDEN_MEMBERS.map((member) => jwsHeader([member], PRESENT)))),
    ...accessTokenClaims(headers),
  ];
}

/** The claims alone, also where another's jwt_authn has left them. */
function accessTokenClaims(headers: readonly ClaimHeader[]): Block[] {
  return [
    payload(['client_id'], { string_match: regex('.+') }),
    absentOr(['sub'], { string_match: regex('(?s).*') }),
    payload(['exp'], TIME),
    absentOr(['nbf'], TIME),
    absentOr(['iat'], TIME),
    not(anyOf(FOREIGN_CLAIMS.map((claim) => payload([claim], PRESENT)))),
    ...headers.map(plainOrAbsent),
  ];
}

/** What jwt_authn has verified for this issuer, and is no access token that the authorizer would take. */
export function notTaken({ issuer, headers }: PlannedTokens): Block {
  const oneToken = header('authorization', regex(`Bearer ${PART}\\.${PART}\\.[A-Za-z0-9_-]+`));
  return allOf([payload(['iss'], text(issuer)), not(allOf([oneToken, ...accessTokenClaims(headers)]))]);
}

const TYPES = TOKEN_TYPES.map(quote).join('|');
const TIME: Block = { double_match: { range: { start: -MAX_TIME, end: MAX_TIME } } };

/** base64url with nothing left over: one token has one spelling (RFC 4648, section 3.5). */
const PART = '(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?';

/** With ECDSA and EdDSA jwt_authn also takes a signature with bytes behind its end (Envoy 1.40). */
const SIGNATURES: readonly { readonly algorithms: readonly string[]; readonly signature: string }[] = [
  { algorithms: ALGORITHMS.filter((alg) => /^[RP]S/.test(alg)), signature: PART },
  { algorithms: ['ES256', 'EdDSA'], signature: '[A-Za-z0-9_-]{85}[AQgw]' },
  { algorithms: ['ES384'], signature: '[A-Za-z0-9_-]{128}' },
  { algorithms: ['ES512'], signature: '[A-Za-z0-9_-]{176}' },
];

/** jwt_authn takes the first token that it finds in a line; two lines are joined by a comma. */
function signedWith({ algorithms, signature }: (typeof SIGNATURES)[number]): Block {
  return allOf([
    jwsHeader(['alg'], { string_match: regex(algorithms.map(quote).join('|')) }),
    header('authorization', regex(`Bearer ${PART}\\.${PART}\\.${signature}`)),
  ]);
}

/** What an identity header may hold as it is, without escapes (check/response/identity-headers.ts). */
const PLAIN = '[!-$&-~]{1,256}';

/** The first claim as plain text, or none of them: a later one, a number, a list, a name with an umlaut are asked. */
function plainOrAbsent({ claims }: ClaimHeader): Block {
  const [first = []] = claims;
  return anyOf([
    payload(first, { string_match: regex(PLAIN) }),
    not(anyOf(claims.map((claim) => payload(claim, PRESENT)))),
  ]);
}

const PRESENT: Block = { present_match: true };

function absentOr(claim: readonly string[], value: Block): Block {
  return anyOf([not(payload(claim, PRESENT)), payload(claim, value)]);
}

function text(exact: string): Block {
  return { string_match: { exact } };
}

function holds(value: Block): Block {
  return { list_match: { one_of: value } };
}

function regex(expression: string): Block {
  return { safe_regex: { regex: expression } };
}

function payload(path: readonly string[], value: Block): Block {
  return metadata(JWT_AUTHN, [PAYLOAD, ...path], value);
}

function jwsHeader(path: readonly string[], value: Block): Block {
  return metadata(JWT_AUTHN, [HEADER, ...path], value);
}

function metadata(filter: string, path: readonly string[], value: Block): Block {
  const matcher: Block = { filter, path: path.map((key) => ({ key })), value };
  return { [ONE_LINE]: true, sourced_metadata: { metadata_matcher: matcher } };
}

function header(name: string, match: Block): Block {
  return { [ONE_LINE]: true, header: { name, string_match: match } };
}

function present(name: string): Block {
  return { [ONE_LINE]: true, header: { name, present_match: true } };
}

function not(principal: Block): Block {
  return { not_id: principal };
}

/** Envoy takes no empty list. */
function allOf(principals: readonly Block[]): Block {
  const [only] = principals;
  if (!only) return { any: true };
  return principals.length === 1 ? only : { and_ids: { ids: principals } };
}

function anyOf(principals: readonly Block[]): Block {
  const [only] = principals;
  return principals.length === 1 && only ? only : { or_ids: { ids: principals } };
}
