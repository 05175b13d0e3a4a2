// Requests near the boundary of a rule: what a generator chooses, and the lines that come of it under a policy. No I/O.
import fc from 'fast-check';
import type { Config, Rule, SessionRequirement, TokenRequirement } from '../../src/config/config.ts';
import { ANY } from '../../src/config/pattern.ts';
import { CASES, requestOf } from '../jwt/cases.ts';
import { differences } from '../jwt/differences.ts';
import type { Keys } from '../jwt/keys.ts';
import { Maker } from '../jwt/maker.ts';
import type { Answers } from './ory.ts';
import { changePath, PATH_CHANGES, type PathChange } from './path.ts';
import { METHODS, ORIGINS, SEGMENTS } from './policy.ts';
import { makeSession, type SessionIntent, sessions } from './session.ts';
import { makeToken, type TokenIntent, tokens } from './token.ts';

type Place = 'cookie' | 'header' | 'bearer';

type CredentialIntent =
  | { readonly kind: 'token'; readonly token: TokenIntent; readonly spelling: number }
  | { readonly kind: 'session'; readonly session: SessionIntent; readonly place: Place; readonly spelling: number }
  /** The one of the two that the alternative takes. */
  | {
      readonly kind: 'fitting';
      readonly token: TokenIntent;
      readonly session: SessionIntent;
      readonly place: Place;
      readonly spelling: number;
    }
  | { readonly kind: 'case'; readonly index: number }
  | { readonly kind: 'garbage'; readonly place: Place; readonly n: number }
  | { readonly kind: 'again'; readonly n: number };

export interface RequestIntent {
  /** Near which rule, and which of its alternatives. */
  readonly rule: number;
  readonly alternative: number;
  readonly host: number;
  readonly method: number;
  /** In place of `*` and `**`. */
  readonly fill: readonly string[];
  readonly path: readonly { readonly change: PathChange; readonly n: number }[];
  readonly query: string;
  readonly credentials: readonly CredentialIntent[];
  readonly page: number;
  readonly forged: readonly { readonly name: number; readonly spelling: number }[];
}

/** What only an issuer could make, and Envoy cannot be told of: listed in jwt/differences.ts. */
const FORGEABLE = CASES.flatMap(({ name, keys }, index) => {
  const difference = differences('generated').get(name);
  return keys === undefined && difference?.closed !== 'issuer' && difference?.closed !== 'keys' ? [index] : [];
});

/** So many choices of a host are the one that the rule is for. */
const ORDINARY_HOSTS = 120;

const places = fc.constantFrom<Place>('cookie', 'cookie', 'header', 'bearer');

const credential: fc.Arbitrary<CredentialIntent> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant('fitting' as const),
      token: tokens,
      session: sessions,
      place: places,
      spelling: fc.nat(63),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('token' as const), token: tokens, spelling: fc.nat(63) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('session' as const),
      session: sessions,
      place: places,
      spelling: fc.nat(63),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('case' as const), index: fc.constantFrom(...FORGEABLE) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('garbage' as const), place: places, n: fc.nat(31) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), n: fc.nat(31) }) },
);

export const requests: fc.Arbitrary<RequestIntent> = fc.record({
  rule: fc.nat(63),
  alternative: fc.nat(5),
  host: fc.nat(ORDINARY_HOSTS + 19),
  method: fc.nat(67),
  fill: fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 3 }),
  path: fc.oneof(
    { weight: 7, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.record({ change: fc.constantFrom(...PATH_CHANGES), n: fc.nat(1_023) }), {
        minLength: 1,
        maxLength: 2,
      }),
    },
  ),
  query: fc.constantFrom('', '', '', '', '?', '?x=1', '?x=/../a;b', '?access_token=x', '?%00', '??', '?a=%2f%zz'),
  credentials: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 8, arbitrary: credential.map((one) => [one]) },
    { weight: 2, arbitrary: fc.array(credential, { minLength: 2, maxLength: 3 }) },
  ),
  page: fc.nat(63),
  forged: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.record({ name: fc.nat(7), spelling: fc.nat(15) }), { minLength: 1, maxLength: 3 }),
    },
  ),
});

export interface Request {
  readonly method: string;
  readonly host: string;
  /** As sent, without the query; one character a byte. */
  readonly path: string;
  readonly query: string;
  readonly lines: readonly (readonly [string, string])[];
  /** For the counts. */
  readonly credentials: string;
}

interface Around {
  readonly config: Config;
  readonly keys: Keys;
  /** Where Ory's answers to the credentials are laid down. */
  readonly answers: Answers;
  readonly nowMs: number;
}

const pick = <T>(values: readonly T[], n: number): T => values[n % values.length] as T;

export function makeRequest(intent: RequestIntent, around: Around): Request {
  const rule = pick(around.config.rules, intent.rule);
  const made = makeCredentials(intent, rule, around);
  const page = PAGES[intent.page] ?? [];
  const preflight = page.some(([name]) => name === 'Access-Control-Request-Method');
  return {
    method: preflight && intent.method % 8 !== 0 ? 'OPTIONS' : methodFor(rule, intent.method),
    host: hostFor(rule, intent.host),
    path: intent.path.reduce((path, { change, n }) => changePath(path, change, n), pathFor(rule, intent.fill)),
    query: made.query ?? intent.query,
    lines: [...made.lines, ...page, ...intent.forged.map((one) => forgedLine(one, around.config))],
    credentials: made.kinds.length === 0 ? 'none' : made.kinds.length > 1 ? 'several' : (made.kinds[0] ?? ''),
  };
}

function methodFor({ methods }: Rule, n: number): string {
  if (n < 58) return pick(methods ?? ['GET', 'GET', 'GET', 'POST', 'HEAD'], n);
  return pick([...METHODS, 'PUT', 'TRACE', 'PATCH', 'PROPFIND'], n - 58);
}

function hostFor({ host }: Rule, n: number): string {
  const own = host === undefined ? 'edge.test' : (host.exact ?? `x${host.suffix}`);
  const below = host?.suffix ?? '.acme.test';
  const odd = [
    ...[own.toUpperCase(), `${own}:8080`, `${own}.`, `${own}.:80`, `a.b${below}`, below.slice(1), `x${below.slice(1)}`],
    ...['api.acme.test', 'acme.test', 'other.test', 'x.api.acme.test:', '[::1]:80', '[::2]'],
    ...[`${own}..`, `.${own}`, `${own}:x`, 'a%2eb', 'u@api.acme.test', 'a,b', "it's.acme.test"],
  ];
  return odd[n - ORDINARY_HOSTS] ?? own;
}

function pathFor({ path }: Rule, fill: readonly string[]): string {
  const rest = path.rest ? fill.slice(0, 2) : [];
  const segments = path.segments.map((segment, i) => (segment === ANY ? (fill[i % fill.length] ?? 'any') : segment));
  return `/${[...segments, ...rest].join('/')}`;
}

/** What a page or a browser says of itself; most requests say nothing. */
const PAGES: readonly (readonly (readonly [string, string])[])[] = [
  ...Array(26).fill([]),
  [['Accept', 'text/html']],
  [['Accept', 'text/html']],
  [
    ['Accept', 'text/html,application/xhtml+xml;q=0.9'],
    ['Sec-Fetch-Mode', 'navigate'],
    ['Sec-Fetch-Dest', 'document'],
  ],
  [
    ['Accept', 'text/html'],
    ['Sec-Fetch-Mode', 'cors'],
  ],
  [
    ['Accept', 'text/html'],
    ['X-Requested-With', 'XMLHttpRequest'],
  ],
  [
    ['Accept', 'application/json'],
    ['Origin', ORIGINS[0]],
  ],
  [['Origin', ORIGINS[1]]],
  [['Origin', 'https://evil.test']],
  [
    ['Origin', ORIGINS[0]],
    ['Access-Control-Request-Method', 'GET'],
  ],
  [
    ['Origin', ORIGINS[0]],
    ['Access-Control-Request-Method', 'GET'],
  ],
  [
    ['Origin', ORIGINS[1]],
    ['Access-Control-Request-Method', 'DELETE'],
  ],
  [
    ['Origin', 'https://evil.test'],
    ['Access-Control-Request-Method', 'GET'],
  ],
  [
    ['Origin', ORIGINS[0]],
    ['Access-Control-Request-Method', 'GET, POST'],
  ],
  [['Access-Control-Request-Method', 'GET']],
];

/** Separators that applications take for the same in a header's name. */
const SEPARATORS = ['-', '_', '.', '~', '!', '|'];

function forgedLine(
  { name, spelling }: { name: number; spelling: number },
  { identityHeaders }: Config,
): [string, string] {
  const wanted = pick(identityHeaders, name).name;
  const separated = wanted.replace(/[-_]/g, SEPARATORS[spelling % SEPARATORS.length] ?? '-');
  return [spelling & 8 ? separated.toUpperCase() : separated, 'forged'];
}

interface Made {
  readonly lines: [string, string][];
  readonly kinds: string[];
  readonly query: string | undefined;
}

function makeCredentials(intent: RequestIntent, rule: Rule, around: Around): Made {
  const lines: [string, string][] = [];
  const kinds: string[] = [];
  const cookies: string[] = [];
  let query: string | undefined;
  for (const choice of intent.credentials) {
    const one = choice.kind === 'fitting' ? fitting(choice, rule, intent.alternative) : choice;
    const made = makeCredential(one, intent, rule, around, lines, cookies);
    kinds.push(made.kind);
    if (made.cookie !== undefined) cookies.push(made.cookie);
    if (made.line) lines.push(made.line);
    query = made.query ?? query;
  }
  if (cookies.length > 0) lines.push(...cookieLines(cookies, intent.page));
  return { lines, kinds, query };
}

interface OneMade {
  readonly kind: string;
  readonly line?: [string, string];
  readonly cookie?: string;
  readonly query?: string;
}

function makeCredential(
  one: Exclude<CredentialIntent, { kind: 'fitting' }>,
  intent: RequestIntent,
  rule: Rule,
  { config, keys, answers, nowMs }: Around,
  lines: readonly [string, string][],
  cookies: readonly string[],
): OneMade {
  const unique = answers.unique();
  const now = Math.floor(nowMs / 1_000);
  switch (one.kind) {
    case 'token': {
      const requirement = alternative<TokenRequirement>(rule, 'token', intent.alternative);
      const skew = Math.floor((config.tokens?.clockSkewMs ?? 60_000) / 1_000);
      const { value, answer } = makeToken(one.token, config, { keys, now, skew, requirement }, unique);
      if (answer) answers.ofOpaque(value, answer);
      const defect = one.token.changes.length > 0 ? ', changed' : '';
      return { kind: `${one.token.kind}${defect}`, ...tokenPlaced(value, one.spelling) };
    }
    case 'session': {
      const requirement = alternative<SessionRequirement>(rule, 'session', intent.alternative);
      const value = `ory_st_${unique}`;
      answers.ofSession(value, makeSession(one.session, config, { nowMs, requirement }, unique));
      return { kind: `session by ${one.place}`, ...placed(one.place, value, one.spelling, config) };
    }
    case 'case': {
      const found = CASES[one.index];
      if (!found) throw new Error('no such case');
      const { authorization, query } = requestOf(found, new Maker(keys, now));
      const [line] = authorization;
      return {
        kind: 'token case',
        ...(line === undefined ? {} : { line: ['Authorization', line] }),
        ...(query === '' ? {} : { query }),
      };
    }
    case 'garbage': {
      const value = pick(
        [
          '',
          ' ',
          'x',
          'a.b.c',
          'ory_st_',
          'ory_at_',
          'a b',
          '\xe9',
          'ory_st_\xff',
          '\xc3\xa9',
          '"x"',
          'a,b',
          'x'.repeat(17_000),
          '..',
          'ory_at_a.b.c',
        ],
        one.n,
      );
      return { kind: 'garbage', ...placed(one.place, value, one.n >> 2, config) };
    }
    case 'again': {
      const line = pick(lines, one.n) as [string, string] | undefined;
      const cookie = pick(cookies, one.n) as string | undefined;
      if (line && one.n % 2 === 0) return { kind: 'twice', line };
      if (cookie !== undefined) return { kind: 'twice', cookie };
      return line ? { kind: 'twice', line: [line[0], `${line[1]}x`] } : { kind: 'none' };
    }
  }
}

function fitting(
  { token, session, place, spelling }: Extract<CredentialIntent, { kind: 'fitting' }>,
  { access }: Rule,
  n: number,
): Exclude<CredentialIntent, { kind: 'fitting' }> {
  const wanted = access.kind === 'anyone' || access.anyOf.length === 0 ? 'token' : pick(access.anyOf, n).kind;
  return wanted === 'token' ? { kind: 'token', token, spelling } : { kind: 'session', session, place, spelling };
}

/** The alternative of this kind that the intent is near. */
function alternative<T extends TokenRequirement | SessionRequirement>(
  { access }: Rule,
  kind: T['kind'],
  n: number,
): T | undefined {
  if (access.kind === 'anyone') return undefined;
  const nth = access.anyOf[n % Math.max(access.anyOf.length, 1)];
  return [nth, ...access.anyOf].find((one): one is T => one?.kind === kind);
}

/** Seldom in the query, where no token is taken from. */
function tokenPlaced(value: string, n: number): Omit<OneMade, 'kind'> {
  return n === IN_QUERY ? { query: `?access_token=${value}` } : { line: bearerLine(value, n) };
}

const IN_QUERY = 63;

/** Most are plain. */
function bearerLine(value: string, n: number): [string, string] {
  const spelled = [
    ...[
      `bearer ${value}`,
      `BEARER ${value}`,
      `Bearer  ${value}`,
      `Bearer \t${value}`,
      `Bearer ${value} `,
      `Bearer\t${value}`,
    ],
    ...[`x Bearer ${value}`, `Basic dTpw, Bearer ${value}`, `Bearer ${value} x`, `Bearer${value}`, `Bearer "${value}"`],
    ...[
      `Bearer ${value},`,
      `Bearer ${value}, Bearer ${value}`,
      `Bearer ${value}, Bearer x`,
      `Bearer ${value};x`,
      value,
    ],
    ...[`Bearer Bearer ${value}`, `Basic ${value}`, `Bearer=${value}`],
  ];
  return ['Authorization', spelled[n - 44] ?? `Bearer ${value}`];
}

function placed(place: Place, value: string, n: number, config: Config): Omit<OneMade, 'kind'> {
  switch (place) {
    case 'bearer':
      return { line: bearerLine(value, n) };
    case 'header':
      return {
        line: [
          n === 63 ? 'x-session-token' : 'X-Session-Token',
          n === 62 ? `${value},${value}` : n === 61 ? `${value},` : value,
        ],
      };
    case 'cookie': {
      const names = config.sessionCookies;
      const { name, prefix } = pick(names, n);
      const whole = prefix ? `${name}${pick(['', 'x', 'acme_2', 'X-y'], n >> 1)}` : name;
      const spelled = [
        `${whole.toUpperCase()}=${value}`,
        `${whole} =${value}`,
        `${whole}= ${value}`,
        `${whole}x=${value}`,
        `${whole}="${value}"`,
        `x${whole}=${value}`,
        `${whole}=${value},`,
        whole,
      ];
      return { cookie: spelled[n - 56] ?? `${whole}=${value}` };
    }
  }
}

/** Among others, in one line or, seldom, in two. */
function cookieLines(cookies: readonly string[], n: number): [string, string][] {
  const theme = n % 3 === 0 ? ['theme=dark'] : [];
  if (n % 16 === 15) return [...theme, ...cookies].map((cookie) => ['Cookie', cookie]);
  return [['Cookie', [...theme, ...cookies].join(n % 8 === 7 ? ';' : '; ')]];
}
