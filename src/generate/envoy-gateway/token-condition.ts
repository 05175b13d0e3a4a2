// When an access token of a verified signature satisfies a rule: the CEL expression of a SecurityPolicy, condition by
// condition what check/identity/ and check/decide.ts ask for. What cannot be evaluated is no match, and refused. No I/O.
import { MAX_TIME } from '../../check/identity/jws.ts';
import { FOREIGN_CLAIMS } from '../../check/identity/jwt.ts';
import type { ClaimRequirement, Config, Rule, TokenRequirement } from '../../config/config.ts';

/** Its claims are found under this name in the dynamic metadata of jwt_authn. */
export const PROVIDER = 'hydra';
const PAYLOAD = `metadata.filter_metadata['envoy.filters.http.jwt_authn'].${PROVIDER}`;

/** Of `cel` in a SecurityPolicy. */
const MAX_LENGTH = 4_096;

export function tokenConditionFits({ access }: Rule, config: Config): boolean {
  if (access.kind === 'anyone') return true;
  const requirements = access.anyOf.flatMap((one) => (one.kind === 'token' ? [one] : []));
  return tokenCondition(requirements, config).length <= MAX_LENGTH;
}

export function tokenCondition(
  requirements: readonly TokenRequirement[],
  { tokens, identityHeaders }: Pick<Config, 'tokens' | 'identityHeaders'>,
): string {
  const mapped = identityHeaders.flatMap(({ sources }) =>
    sources.flatMap(({ kind, path }) => (kind === 'token' ? [path] : [])),
  );
  return [
    `request.headers['authorization'].matches(${text(ONE_TOKEN)})`,
    `${claim(['client_id'])} != ''`,
    `type(${claim(['client_id'])}) == string`,
    ...FOREIGN_CLAIMS.map((name) => `!(${text(name)} in ${PAYLOAD})`),
    notLate(['exp'], tokens?.clockSkewMs ?? 0),
    absentOr(['nbf'], notEarly(['nbf'], tokens?.clockSkewMs ?? 0)),
    absentOr(['iat'], isTime(['iat'])),
    ...mapped.map((path) => absentOr(path, `${claim(path)} == null`, fitsHeader(path))),
    anyOf(requirements.map(meets)),
  ].join(' &&\n');
}

/** Expressions are short: Envoy takes no larger program in CEL than one of 100 (1.40), whatever the runtime says. */
const ONE_TOKEN = '^Bearer [A-Za-z0-9_.-]+$';

/**
 * What must not stand in a header as it is. The authorizer writes a blank and what is not ASCII as escapes, which mean the
 * same to who undoes them; a "%" would mean another identity.
 */
const NO_HEADER = '[\\x00-\\x1f%\\x7f]|^ | $';
const MAX_HEADER = 256;

function fitsHeader(path: readonly string[]): string {
  return allOf([`size(${claim(path)}) <= ${MAX_HEADER}`, `!${claim(path)}.matches(${text(NO_HEADER)})`]);
}

function meets({ audiences, scopes, claims }: TokenRequirement): string {
  const conditions = [
    // jwt_authn's own comparison also takes another scheme and a slash at the end.
    ...(audiences.length === 0 ? [] : [anyOf(audiences.map((audience) => equalsOrHolds(['aud'], text(audience))))]),
    ...scopes.map((scope) => anyOf(['scp', 'scope'].map((name) => holds([name], text(scope))))),
    ...claims.map(claimMeets),
  ];
  return conditions.length === 0 ? 'true' : allOf(conditions);
}

function claimMeets({ path, value }: ClaimRequirement): string {
  switch (typeof value) {
    case 'string':
      return equalsOrHolds(path, text(value));
    case 'number':
      // All numbers of a token are doubles here.
      return equalsOrHolds(path, Number.isInteger(value) ? `${value}.0` : String(value));
    default:
      return equalsOrHolds(path, String(value));
  }
}

function equalsOrHolds(path: readonly string[], value: string): string {
  return anyOf([`${claim(path)} == ${value}`, holds(path, value)]);
}

/** `in` alone would also find the name of an object's member. */
function holds(path: readonly string[], value: string): string {
  return allOf([`type(${claim(path)}) == list`, `${value} in ${claim(path)}`]);
}

/** Seconds are whole for jwt_authn, which so takes a token for up to one longer. */
function notLate(path: readonly string[], skewMs: number): string {
  return allOf([isTime(path), `timestamp(int(${claim(path)})) > request.time - duration('${skewMs}ms')`]);
}

function notEarly(path: readonly string[], skewMs: number): string {
  return allOf([isTime(path), `timestamp(int(${claim(path)})) <= request.time + duration('${skewMs}ms')`]);
}

function isTime(path: readonly string[]): string {
  return allOf([`${claim(path)} >= ${-MAX_TIME}.0`, `${claim(path)} <= ${MAX_TIME}.0`]);
}

function absentOr(path: readonly string[], ...conditions: readonly string[]): string {
  const parents = path.slice(0, -1).map((_, i) => path.slice(0, i + 1));
  const absent = [...parents, path].map((one) => `!(${text(one.at(-1) ?? '')} in ${claim(one.slice(0, -1))})`);
  return anyOf([...absent, ...conditions]);
}

function claim(path: readonly string[]): string {
  return PAYLOAD + path.map((name) => (PLAIN.has(name) ? `.${name}` : `[${text(name)}]`)).join('');
}

/** Claims that are identifiers of CEL; of others it is not asked whether they are words of its own. */
const PLAIN = new Set(['aud', 'client_id', 'exp', 'ext', 'iat', 'nbf', 'scope', 'scp', 'sub']);

function allOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? 'true') : `(${conditions.join(' && ')})`;
}

/** In CEL an error beside a yes is a yes. */
function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? 'true') : `(${conditions.join(' || ')})`;
}

/** A literal of CEL: what JSON escapes, CEL does. */
function text(value: string): string {
  return JSON.stringify(value);
}
