// WWW-Authenticate, reason by reason, from the request to the header: what RFC 6750 asks for, and nothing on other rules.
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { createCheck } from '../check.ts';
import { IdentityCache } from '../identity/cache/memory.ts';
import { rejected, unavailable, type Verification } from '../identity/identity.ts';
import type { RejectReason } from '../reason.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { RecordingLog } from '../testing/recording-log.ts';
import { request } from '../testing/request.ts';
import { denialOf } from './denial.ts';

const config = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://127.0.0.1:3000", public_url: https://app.example }
tokens: { audiences: [api] }
rules:
  - { name: s, match: { path: /s }, require: { session: {} } }
  - { name: t, match: { path: /t }, require: { token: { scopes: [orders.read, "x:y"], claims: { tenant: acme } } } }
  - { name: st, match: { path: /st }, require: { any_of: [{ session: {} }, { token: { scopes: [a] } }] } }
  - { name: ts, match: { path: /ts }, require: { any_of: [{ token: { scopes: [a] } }, { session: {} }] } }
  - { name: tt, match: { path: /tt }, require: { any_of: [{ token: { scopes: [a] } }, { token: { scopes: [b, c] } }] } }
  - { name: open, match: { path: /open }, allow: anyone, identify: true }
`,
  'f.yaml',
  { env: {} },
);

const token = (claims: Record<string, string>): Verification => ({
  kind: 'verified',
  identity: { kind: 'token', proof: 'introspection', claims, audiences: ['api'], expiresAtMs: undefined },
  cacheForMs: undefined,
  setCookie: [],
});

interface Given extends Partial<CheckRequest> {
  readonly path: string;
}

/** `status reason`, and the challenge. */
async function outcome(given: Given, verdicts: { session?: Verification; token?: Verification } = {}) {
  const verifier = (verification: Verification) => ({ verify: async () => verification, stillTrusted: () => true });
  const check = createCheck({
    config,
    log: new RecordingLog(),
    clock: () => 0,
    cache: new IdentityCache({ ...config.cache, clock: () => 0 }),
    verifiers: {
      session: verifier(verdicts.session ?? rejected('session_invalid')),
      token: verifier(verdicts.token ?? rejected('token_inactive')),
    },
  });
  const verdict = await check(request(given));
  if (verdict.kind === 'allow') return ['allow'];
  const { status, headers } = denialOf(verdict, request(given), config, 0);
  return [`${status} ${verdict.reason}`, Object.fromEntries(headers)['www-authenticate']];
}

const REALM = 'Bearer realm="https://app.example"';
const bearer = ['Bearer x'];
const cookie = ['ory_kratos_session=c'];
const twoCookies = ['ory_kratos_session=a; ory_kratos_session=b'];

const TOKEN_REASONS: RejectReason[] = [
  'token_malformed',
  'token_expired',
  'token_not_yet_valid',
  'token_signature_invalid',
  'token_algorithm_forbidden',
  'token_key_unknown',
  'token_issuer_mismatch',
  'token_kind_wrong',
  'token_inactive',
];
test.each(TOKEN_REASONS)('%s is an invalid_token', async (reason) => {
  const [, challenge] = await outcome({ path: '/t', authorization: bearer }, { token: rejected(reason) });
  expect(challenge).toMatch(
    /^Bearer realm="https:\/\/app\.example", error="invalid_token", error_description="The [\w ]+"$/,
  );
});

const invalid = (description: string) => `${REALM}, error="invalid_token", error_description="${description}"`;
const insufficient = (description: string, scope = '') =>
  `${REALM}, error="insufficient_scope", error_description="${description}"${scope === '' ? '' : `, scope="${scope}"`}`;
const MALFORMED = invalid('The credential is malformed');
const LACKS_SCOPE = 'The access token lacks a scope';
const AMBIGUOUS = `${REALM}, error="invalid_request", error_description="Two different credentials are in one place"`;

test.each<[string, Given, { session?: Verification; token?: Verification }, string, string | undefined]>([
  ['nothing presented', { path: '/t' }, {}, '401 credential_missing', REALM],
  [
    'a session token as bearer',
    { path: '/t', authorization: ['Bearer ory_st_x'] },
    {},
    '401 credential_missing',
    REALM,
  ],
  ['a bearer with a quote', { path: '/t', authorization: ['Bearer a"b'] }, {}, '401 credential_malformed', MALFORMED],
  ['that, beside sessions', { path: '/st', authorization: ['Bearer a"b'] }, {}, '401 credential_malformed', MALFORMED],
  ['a malformed cookie', { path: '/st', cookie: ['ory_kratos_session=a"'] }, {}, '401 credential_malformed', REALM],
  [
    'a malformed session token as bearer',
    { path: '/st', authorization: ['Bearer ory_st_"'] },
    {},
    '401 credential_malformed',
    REALM,
  ],
  ['two bearers', { path: '/t', authorization: ['Bearer a', 'Bearer b'] }, {}, '400 credential_ambiguous', AMBIGUOUS],
  [
    'two bearers, by turns',
    { path: '/ts', authorization: ['Bearer a, Bearer b'] },
    {},
    '400 credential_ambiguous',
    AMBIGUOUS,
  ],
  [
    'two cookies where tokens are taken',
    { path: '/st', cookie: twoCookies },
    {},
    '400 credential_ambiguous',
    AMBIGUOUS,
  ],
  [
    'a scope that is missing',
    { path: '/t', authorization: bearer },
    { token: token({ scope: 'orders.read' }) },
    '403 scope_insufficient',
    insufficient(LACKS_SCOPE, 'orders.read x:y'),
  ],
  [
    'scopes of several alternatives: those of the last that the token was tried with',
    { path: '/tt', authorization: bearer },
    { token: token({ scope: 'x' }) },
    '403 scope_insufficient',
    insufficient(LACKS_SCOPE, 'b c'),
  ],
  [
    'a claim that is missing',
    { path: '/t', authorization: bearer },
    { token: token({ scope: 'orders.read x:y' }) },
    '403 claim_mismatch',
    insufficient('The access token lacks a claim'),
  ],
  ['a bad session where tokens are taken', { path: '/st', cookie }, {}, '401 session_invalid', REALM],
  [
    'a bad session behind a bad token',
    { path: '/ts', cookie, authorization: bearer },
    {},
    '401 session_invalid',
    REALM,
  ],
  [
    'a second factor that is missing',
    { path: '/st', cookie },
    { session: rejected('aal_insufficient') },
    '403 aal_insufficient',
    undefined,
  ],
  [
    'an outage',
    { path: '/t', authorization: bearer },
    { token: unavailable('ory_unreachable') },
    '503 ory_unreachable',
    undefined,
  ],
  ['no rule', { path: '/none', authorization: bearer }, {}, '403 no_rule', undefined],
  ['an ambiguous path', { path: '/t/../t', authorization: bearer }, {}, '400 path_ambiguous', undefined],
  ['sessions alone: nothing', { path: '/s' }, {}, '401 credential_missing', undefined],
  ['sessions alone: a bad bearer', { path: '/s', authorization: bearer }, {}, '401 session_invalid', undefined],
  [
    'sessions alone: a malformed one',
    { path: '/s', authorization: ['Bearer a"'] },
    {},
    '401 credential_malformed',
    undefined,
  ],
  [
    'sessions alone: two',
    { path: '/s', authorization: ['Bearer a', 'Bearer b'] },
    {},
    '400 credential_ambiguous',
    undefined,
  ],
  ['a preflight', { path: '/t', preflight: true, method: 'OPTIONS' }, {}, '401 credential_missing', REALM],
])('%s', async (_, given, verdicts, ...expected) => expect(await outcome(given, verdicts)).toEqual(expected));

test('nobody is challenged where anyone may pass', async () => {
  expect(await outcome({ path: '/open', authorization: bearer })).toEqual(['allow']);
});
