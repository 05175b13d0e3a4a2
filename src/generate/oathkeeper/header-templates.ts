// Identity headers as Go templates of Oathkeeper's header mutator: the values that src/check/response/identity-headers.ts
// makes. A template that fails is a denial, so it also refuses what Oathkeeper takes and the authorizer would not. No I/O.
import { FOREIGN_CLAIMS } from '../../check/identity/jwt.ts';
import type { Config, HeaderSource, IdentityHeader } from '../../config/config.ts';

/** Headers of the answer that reach nobody: their templates are there to fail. */
const IDENTIFIED = 'Ory-Identified';
export const SOMEBODY = 'Ory-Somebody';
/** For a rule that nobody in particular may pass. */
export const OR_NOBODY = 'or nobody';

/** By header. A source of {@link unreadableSources} has no value. */
export function headerTemplates(config: Config): Record<string, string> {
  return {
    ...Object.fromEntries(config.identityHeaders.map((header) => [header.name, valueTemplate(header, config)])),
    [IDENTIFIED]: template(byKind(config, GUARDS)),
    [SOMEBODY]: template(['if not .Extra', 'fail "nobody was verified"', 'end']),
  };
}

interface Kinds {
  readonly session: readonly string[];
  readonly jwt: readonly string[];
  readonly opaque: readonly string[];
}

/**
 * What is said of a session, a JWT and an introspected token, told apart by what no client and no application has a hand
 * in: Oathkeeper itself makes `scp` a list of another type than JSON's, and gives an introspected token its `client_id`.
 */
function byKind({ sessions, tokens }: Config, { session, jwt, opaque }: Kinds): string[] {
  const branches: (readonly [condition: string, lines: readonly string[]])[] = [];
  if (tokens) branches.push([IS_JWT, jwt]);
  if (tokens?.introspection) branches.push(['hasKey .Extra "client_id"', opaque]);
  if (sessions) branches.push(['.Extra', session]);
  return branches.flatMap(([condition, lines], i) => [
    `${i === 0 ? '' : 'else '}if ${condition}`,
    ...lines,
    ...(i === branches.length - 1 ? ['end'] : []),
  ]);
}

const IS_JWT = 'typeIs "[]string" (index .Extra "scp")';

const FOREIGN = FOREIGN_CLAIMS.map((claim) => ` (hasKey .Extra "${claim}")`).join('');

/** Whoever answers 200 in Kratos's place is no session, and not all that Hydra's keys have signed is an access token. */
const GUARDS: Kinds = {
  session: [
    'if or (not .Subject) (not (kindIs "string" (index .Extra "id"))) (ne (toString (index .Extra "active")) "true")',
    'fail "not a session"',
    'end',
  ],
  jwt: [
    `if or (not (index .Extra "exp")) (not (index .Extra "client_id")) (not (kindIs "string" (index .Extra "client_id")))${FOREIGN}`,
    'fail "not an access token"',
    'end',
  ],
  opaque: [],
};

function valueTemplate({ sources }: IdentityHeader, config: Config): string {
  const of = (kind: HeaderSource['kind']) => sources.filter((source) => source.kind === kind).map(({ path }) => path);
  // The first one needs no look at what is there already.
  const first = (readings: readonly (Reading | undefined)[]) =>
    readings
      .filter((reading) => reading !== undefined)
      .flatMap((reading, i) => (i === 0 ? [...reading, ...NO_NULL] : [NONE_YET, ...reading, ...NO_NULL, 'end']));
  return template([
    '$value := ""',
    ...byKind(config, {
      session: first(of('session').map(fromSession)),
      jwt: first(of('token').map(fromJwt)),
      opaque: first(of('token').map(fromIntrospection)),
    }),
    ...WRITE,
  ]);
}

/** Lines that leave a value in `$value`. */
type Reading = readonly string[];

const NONE_YET = 'if eq (toString $value) ""';
const NO_NULL = ['if kindIs "invalid" $value', '$value = ""', 'end'];

function at(...path: readonly string[]): Reading {
  const steps = path.map((step) => JSON.stringify(step)).join(' ');
  return [
    '$value = .Extra',
    `range list ${steps}`,
    'if kindIs "map" $value',
    '$value = index $value .',
    'else',
    '$value = ""',
    'end',
    'end',
  ];
}

function fromSession(path: readonly string[]): Reading {
  return path.join('.') === 'identity.verified_email' ? VERIFIED_EMAIL : at(...path);
}

/** The first email address that Kratos has verified. */
const VERIFIED_EMAIL: Reading = [
  ...at('identity', 'verifiable_addresses'),
  '$addresses := $value',
  '$value = ""',
  'if kindIs "slice" $addresses',
  'range $addresses',
  'if and (kindIs "map" .) (eq (toString $value) "")',
  'if and (eq (toString (index . "via")) "email") (eq (toString (index . "verified")) "true")',
  '$value = index . "value"',
  'end',
  'end',
  'end',
  'end',
];

/** Undefined where Oathkeeper has taken the claim away. */
function fromJwt(path: readonly string[]): Reading | undefined {
  const [claim = ''] = path;
  if (claim === 'scopes' || claim === 'scp') return path.length === 1 ? at('scp') : undefined;
  return claim === 'scope' ? undefined : at(...path);
}

/** What Oathkeeper writes among the members of `ext`, over those of the same name. */
const WRITTEN = ['username', 'client_id', 'scope', 'aud'];

/** Undefined where Oathkeeper does not keep it. */
function fromIntrospection(path: readonly string[]): Reading | undefined {
  const [claim = '', member = ''] = path;
  if (claim === 'ext' && path.length > 1) return WRITTEN.includes(member) ? undefined : at(...path.slice(1));
  if (path.length > 1) return undefined;
  switch (claim) {
    case 'sub':
      return ['$value = .Subject'];
    case 'client_id':
    case 'scope':
    case 'username':
      return at(claim);
    case 'scopes':
      return [...at('scope'), 'if $value', '$value = splitList " " $value', 'end'];
    case 'aud':
      // Of a token without audience it would be what `ext` says.
      return ['if typeIs "authn.Audience" (index .Extra "aud")', '$value = index .Extra "aud"', 'end'];
    default:
      return undefined;
  }
}

/** Sources that have no value behind Oathkeeper, as the policy writes them. */
export function unreadableSources({ identityHeaders, tokens }: Config): string[] {
  const names = identityHeaders.flatMap(({ sources }) =>
    sources
      .filter(({ kind, path }) => {
        if (kind !== 'token' || !tokens) return false;
        return !fromJwt(path) || (tokens.introspection !== undefined && !fromIntrospection(path));
      })
      .map(({ path }) => `token.${path.join('.')}`),
  );
  return [...new Set(names)];
}

const PLAIN = '[!-$&-~]';

/** As `encodeValue` does it. Go's own print would write 12345678 as 1.2345678e+07. */
const WRITE: Reading = [
  '$text := ""',
  'if kindIs "string" $value',
  '$text = $value',
  'else',
  'if kindIs "float64" $value',
  'if or (ge $value 9007199254740992.0) (le $value -9007199254740992.0)',
  'fail "a number that is not exact"',
  'end',
  'end',
  '$text = toRawJson $value',
  'end',
  `range regexFindAll "${PLAIN}+|[^${PLAIN.slice(1, -1)}]+" $text -1`,
  `if regexMatch "^${PLAIN}" .`,
  '.',
  'else',
  'urlquery . | replace "+" "%20"',
  'end',
  'end',
];

/** Actions one a line, indented by their nesting; the markers take all blanks between them away. */
function template(actions: readonly string[]): string {
  let depth = 0;
  const lines = actions.map((action) => {
    const word = action.split(' ')[0] ?? '';
    if (word === 'end' || word === 'else') depth -= 1;
    const line = `${'  '.repeat(depth)}{{- ${action} -}}`;
    if (word === 'if' || word === 'range' || word === 'else') depth += 1;
    return line;
  });
  return lines.join('\n');
}
