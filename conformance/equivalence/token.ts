// Access tokens near what a rule asks for: a draft that satisfies it, and what a generator changes in it. No I/O.
import fc from 'fast-check';
import type { Config, TokenRequirement } from '../../src/config/config.ts';
import { AUDIENCE, base64url, compact, ISSUER, type SigningKey, signature } from '../jwt/issuer.ts';
import { confused, type Keys } from '../jwt/keys.ts';
import { hasLooseBits, withLooseBits } from '../jwt/maker.ts';
import { oddValue, setAt, VALUE_COUNT } from './values.ts';

export interface TokenIntent {
  readonly kind: 'jwt' | 'opaque';
  readonly key: KeyChoice;
  /** How claims are written where there are several ways. */
  readonly form: number;
  /** The value of each source of an identity header, in turn. */
  readonly identity: readonly number[];
  readonly changes: readonly { readonly change: string; readonly n: number }[];
}

const KEY_CHOICES = ['es256', 'ed25519', 'es384', 'es512', 'rs256', 'ps256', 'rsa'] as const;
type KeyChoice = (typeof KEY_CHOICES)[number];

interface Draft {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  key: SigningKey;
  /** The signed token, spelled otherwise. */
  spell: (token: string) => string;
  /** Of an opaque token: what Hydra says besides claims. */
  answer: Record<string, unknown>;
  status: number;
}

interface Around {
  readonly keys: Keys;
  readonly now: number;
  readonly skew: number;
  readonly requirement: TokenRequirement | undefined;
}

/** Times are seconds away from where a verdict turns; Envoy's own second less stands between. */
const INSIDE = 6;
const OUTSIDE = 4;

const pick = <T>(values: readonly T[], n: number): T => values[n % values.length] as T;

type Apply = (draft: Draft, n: number, around: Around) => void;

const HEADER_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  alg: ['none', 'RS256', 'ES256', 'HS256', 'XX', null, 1, undefined, 'es256'],
  typ: [
    ...['at+jwt', undefined, 'jwt', 'application/at+jwt', 'AT+JWT', null, 'logout+jwt', 'JWE', '', 1, ['JWT']],
    ...['JWT\n', 'xJWT', 'JWTx'],
  ],
  kid: [undefined, '', null, 1, 'unknown', 'rs256', 'ES256', '\n'],
  ...Object.fromEntries(
    ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'zip'].map((name) => [name, [null, 'https://evil.test/', [], false]]),
  ),
  ...Object.fromEntries(['cty', 'x', 'JWK', 'x5t', 'kid2'].map((name) => [name, ['x']])),
};

const CLAIM_VALUES: Readonly<Record<string, (around: Around) => readonly unknown[]>> = {
  exp: ({ now, skew }) => [
    ...[now - skew + INSIDE, now - skew - OUTSIDE, now - skew - OUTSIDE, now - 7_200, now + 20.5],
    ...[undefined, null, '9999999999', -1, 0, 1e12, 99e10, 1e15, true],
  ],
  nbf: ({ now, skew }) => [
    ...[now + skew - INSIDE, now + skew + OUTSIDE, now + skew + OUTSIDE, now + 7_200, undefined],
    ...[null, '1', -1, 0, 1e12, now - 10.5],
  ],
  iat: ({ now }) => [undefined, now + 3_600, null, 'x', -1, 1e12, 1e15, now - 1.5],
  iss: () => [undefined, 'https://evil.test/', ISSUER.slice(0, -1), `${ISSUER}/`, null, 1, [ISSUER], ''],
  aud: () => [
    ...[undefined, null, 1, [], '', ['https://evil.test'], [AUDIENCE, 1], [[AUDIENCE]], 'api', ['api'], 'API'],
    ...[`${AUDIENCE}/`, 'http://api.test', 'https://api', 'https://api/', ['urn:acme:api', AUDIENCE]],
    ...[`${AUDIENCE} x`, [`${AUDIENCE}/`]],
  ],
  client_id: () => [undefined, '', null, 1, ['client'], '\n', 'ü', ' '],
  sub: () => [undefined, '', null, 1, ['u'], 'ü', 'a b', 'a\n', '%41', 'x'.repeat(300)],
  ...Object.fromEntries(
    ['at_hash', 'c_hash', 's_hash', 'nonce', 'events'].map((name) => [name, () => ['x', null, {}, '', false]]),
  ),
  ext: () => [undefined, null, 'text', [], 1, { email: { first: 'x' } }],
  pad: () => ['x'.repeat(1_000), 'x'.repeat(6_000), 'x'.repeat(9_000), nested(20), nested(80), nested(110)],
};

const OTHER_CHANGES: Readonly<Record<string, Apply>> = {
  // The key.
  foreignKey(d, _, { keys }) {
    d.key = { ...keys.foreign, jwk: d.key.jwk, alg: 'RS256' };
  },
  otherKey(d, n, { keys }) {
    d.key = { ...pick([keys.rs256, keys.es256, keys.ed25519], n), jwk: d.key.jwk };
  },
  confusedKey(d, _, { keys }) {
    d.key = confused(keys.rs256);
    d.header = { ...d.header, kid: 'rs256', alg: 'HS256' };
  },
  // The spelling.
  tampered(d) {
    d.spell = (token) => token.replace(/\.(.)/, (_, char) => (char === 'e' ? '.f' : '.e'));
  },
  loose(d) {
    d.spell = (token) => (hasLooseBits(token) ? withLooseBits(token) : `${token}A`);
  },
  padded(d, n) {
    d.spell = (token) => token + pick(['=', '==', '====', 'AAAA', 'A', 'AA', '.', '.x', '~', '/'], n);
  },
  cut(d, n) {
    d.spell = (token) => token.slice(0, -1 - (n % 8));
  },
  paddedParts(d, n) {
    d.spell = respelled(d, (head, body) => (n % 2 === 0 ? [`${head}=`, body] : [head, `${body}==`]));
  },
  looseParts(d) {
    d.spell = respelled(d, (head, body) => [head, hasLooseBits(body) ? withLooseBits(body) : body]);
  },
  // What the rule asks for.
  lackScope(d, n, { requirement }) {
    const lost = requirement?.scopes.length ? pick(requirement.scopes, n) : 'read';
    rewriteScopes(d, (scopes) => scopes.filter((scope) => scope !== lost));
  },
  nearScope(d, n, { requirement }) {
    const wanted = requirement?.scopes.length ? pick(requirement.scopes, n) : 'read';
    const near = [
      ...[wanted.toUpperCase(), `${wanted}x`, `x${wanted}`, `${wanted},x`, `${wanted}\t`, `${wanted}\u00a0x`],
      ...[`${wanted} x`, `${wanted}\n`, wanted.slice(1)],
    ];
    rewriteScopes(d, (scopes) => scopes.map((scope) => (scope === wanted ? pick(near, n >> 2) : scope)));
  },
  oddScope(d, n) {
    const odd = [null, 1, {}, '', [], ['read', 1], [['read']], true, ' read  write '];
    d.claims[pick(['scp', 'scope'], n)] = pick<unknown>(odd, n >> 1);
  },
  claimValue(d, n, { requirement }) {
    const claim = requirement?.claims.length ? pick(requirement.claims, n) : { path: ['ext', 'tenant'], value: 'acme' };
    setAt(d.claims, claim.path, nearValue(claim.value, n >> 2));
  },
  dottedClaim(d, n, { requirement }) {
    const claim = requirement?.claims.length
      ? pick(requirement.claims, n)
      : { path: ['ext', 'email'], value: 'forged' };
    if (claim.path.length < 2) return;
    setAt(d.claims, [claim.path[0] ?? ''], pick<unknown>([claim.value, undefined, [claim.value], {}], n >> 2));
    d.claims[claim.path.join('.')] = claim.value;
  },
  dottedSource(d, n) {
    d.claims[pick(['ext.email', 'ext.tenant', 'ext.name.first'], n)] = 'forged';
  },
  // What Hydra says of an opaque token.
  inactive(d) {
    d.answer = { active: false };
  },
  use(d, n) {
    d.answer['token_use'] = pick<unknown>(['refresh_token', undefined, null, 'access_token'], n);
  },
  hydra(d, n) {
    d.status = pick([500, 401, 429, 404, 0], n);
  },
};

const CHANGES: ReadonlyMap<string, Apply> = new Map([
  ...Object.entries(HEADER_VALUES).map(([name, values]): [string, Apply] => [
    `header ${name}`,
    (d, n) => {
      d.header[name] = pick(values, n);
    },
  ]),
  ...Object.entries(CLAIM_VALUES).map(([name, values]): [string, Apply] => [
    `claim ${name}`,
    (d, n, around) => {
      d.claims[name] = pick(values(around), n);
    },
  ]),
  ...Object.entries(OTHER_CHANGES),
]);

/** Some tell more than others, and some would hide every other where they were frequent. */
const WEIGHTS: Readonly<Record<string, number>> = {
  ...{ 'claim exp': 5, 'claim nbf': 5, 'claim aud': 4, 'claim iss': 3, 'claim client_id': 2 },
  ...{ 'header typ': 3, 'header kid': 2, 'header alg': 2, lackScope: 4, nearScope: 3, claimValue: 8, dottedClaim: 3 },
  ...{ padded: 2, loose: 2, tampered: 2, inactive: 12, hydra: 4 },
};
const CHANGE_NAMES = [...CHANGES.keys()].flatMap((name) => Array<string>(WEIGHTS[name] ?? 1).fill(name));

function nested(levels: number): unknown {
  return JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
}

export const tokens: fc.Arbitrary<TokenIntent> = fc.record({
  kind: fc.constantFrom('jwt', 'jwt', 'jwt', 'jwt', 'jwt', 'jwt', 'opaque'),
  // Mostly the quick ones: others take a millisecond and more.
  key: fc.constantFrom(...Array<KeyChoice>(50).fill('es256'), ...Array<KeyChoice>(6).fill('ed25519'), ...KEY_CHOICES),
  form: fc.nat(4_095),
  identity: fc.array(fc.nat(VALUE_COUNT - 1), { maxLength: 4 }),
  changes: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.record({ change: fc.constantFrom(...CHANGE_NAMES), n: fc.nat(255) }), {
        minLength: 1,
        maxLength: 2,
      }),
    },
  ),
});

/** A token as it is sent, and for an opaque one what Hydra answers. */
export interface Token {
  readonly value: string;
  readonly answer: { readonly status: number; readonly body: string } | undefined;
}

export function makeToken(intent: TokenIntent, config: Config, around: Around, unique: string): Token {
  const key = around.keys[intent.key];
  const draft: Draft = {
    header: { alg: key.alg, kid: key.jwk['kid'], typ: 'JWT' },
    claims: claimsFor(intent, config, around, unique),
    key,
    spell: (token) => token,
    answer: { active: true, token_use: 'access_token' },
    status: 200,
  };
  for (const { change, n } of intent.changes) CHANGES.get(change)?.(draft, n, around);
  if (intent.kind === 'opaque') {
    const answer = draft.answer['active'] === true ? { ...draft.claims, ...draft.answer } : draft.answer;
    return { value: `ory_at_${unique}`, answer: { status: draft.status, body: JSON.stringify(answer) } };
  }
  return { value: draft.spell(compact(draft.key, draft.header, draft.claims)), answer: undefined };
}

/** Claims as Hydra writes them, that satisfy the requirement where that is possible. */
function claimsFor(intent: TokenIntent, config: Config, { now, requirement }: Around, unique: string) {
  const { form } = intent;
  const claims: Record<string, unknown> = {
    ...{
      iss: ISSUER,
      sub: `user-${unique}`,
      client_id: 'client',
      exp: now + 300,
      iat: now,
      nbf: now,
      jti: 'j',
      ext: {},
    },
    ...audienceFor(requirement, form),
  };
  const sources = config.identityHeaders.flatMap(({ sources }) => sources.filter(({ kind }) => kind === 'token'));
  for (const [i, { path }] of sources.entries()) {
    const n = intent.identity[i];
    if (n !== undefined && !REGISTERED.has(path[0] ?? '')) setAt(claims, path, oddValue(n, `${unique}-${i}`));
  }
  for (const { path, value } of requirement?.claims ?? []) setAt(claims, path, form & 64 ? ['x', value] : value);
  writeScopes(claims, requirement?.scopes ?? [], form);
  return claims;
}

/** What the claims of an identity header leave alone: a token without them is refused before anything is read. */
const REGISTERED = new Set(['iss', 'aud', 'exp', 'scopes', 'scp', 'scope']);

function audienceFor(requirement: TokenRequirement | undefined, form: number): { aud: unknown } {
  const audience = requirement?.audiences.length ? pick(requirement.audiences, form) : AUDIENCE;
  return { aud: pick<unknown>([[audience], audience, ['https://first.test', audience], [audience, 'x']], form >> 4) };
}

/** Hydra writes `scp` as a list by default, `scope` as a text, or both. */
function writeScopes(claims: Record<string, unknown>, scopes: readonly string[], form: number): void {
  if (scopes.length === 0) {
    if (form & 1) claims['scp'] = ['read'];
    return;
  }
  const text = scopes.join(' ');
  const [first = '', ...others] = scopes;
  Object.assign(
    claims,
    pick<object>(
      [
        ...[{ scp: [...scopes] }, { scope: text }, { scp: [...scopes], scope: text }, { scp: ['x', ...scopes] }],
        ...[
          { scp: text },
          { scope: [...scopes] },
          { scp: [first], scope: others.join(' ') },
          { scp: others, scope: `x  ${first} ` },
        ],
      ],
      form >> 7,
    ),
  );
}

function rewriteScopes({ claims }: Draft, change: (scopes: readonly string[]) => readonly string[]): void {
  for (const name of ['scp', 'scope']) {
    const value = claims[name];
    if (Array.isArray(value)) claims[name] = change(value);
    else if (typeof value === 'string') claims[name] = change(value.split(' ')).join(' ');
  }
}

/** Values that are nearly the one that is asked for, some of them equal to it. */
function nearValue(value: string | number | boolean, n: number): unknown {
  return pick<unknown>([...nearOfItsType(value), ...ofOtherTypes(value)], n);
}

function nearOfItsType(value: string | number | boolean): unknown[] {
  if (typeof value === 'number')
    return [value + 2 ** -30, value + 0.25, value - 0.25, -value, value + 1, [value + 0.25], -0];
  if (typeof value === 'boolean') return [!value, [!value], [true, false]];
  return [
    ...[`${value} `, `${value}x`, ` ${value}`, value.toUpperCase(), `${value}\0`, value.slice(1), [`${value}x`]],
    ...[`x ${value}`, `${value} x`],
  ];
}

function ofOtherTypes(value: string | number | boolean): unknown[] {
  return [
    ...[undefined, null, [value], ['x', value], [[value]], { value }, [], '', {}],
    ...[String(value), Number(value), [String(value)], [Number(value)], true, 0],
  ];
}

/** Signed in its other spelling: what is signed is what is sent. */
function respelled(draft: Draft, change: (head: string, body: string) => readonly [string, string]) {
  return (token: string): string => {
    const [head = '', body = ''] = token.split('.');
    const input = change(head, body).join('.');
    return `${input}.${base64url(signature(draft.key.alg, draft.key.privateKey, input))}`;
  };
}
