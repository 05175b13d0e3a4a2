// The engine: every reason that a case can lead to, by the credential that leads to it.
import { describe, expect, test } from 'vitest';
import { DENIALS } from '../../check/reason.ts';
import { parseConfig } from '../../config/load.ts';
import { createEngine } from './engine.ts';
import { parseCases } from './load.ts';
import type { SeenVerdict } from './verdict.ts';

const CONFIG = parseConfig(
  `ory: { url: https://ory.example, hydra: { admin_url: "https://hydra.example:4445" }, session_cookies: ["ory_session_*", other] }
tokens: { audiences: [api, second], clock_skew: 0s }
identity_headers:
  X-User-Id: [session.identity.id, token.sub]
  X-Traits: [session.identity.traits, token.scopes]
rules:
  - { name: open, match: { path: "/open/**" }, allow: anyone }
  - { name: home, match: { path: / }, allow: anyone, identify: true }
  - { name: token, match: { path: "/token/**" }, require: { token: { scopes: [a], claims: { ext.tenant: acme } } } }
  - { name: strong, match: { path: "/strong/**" }, require: { session: { aal: aal2, max_age: 10m } } }
  - { name: either, match: { path: "/either/**" }, require: { any_of: [{ token: {} }, { session: {} }] } }
  - { name: app, match: { path: "/app/**" }, require: { session: {} }, unauthenticated: redirect }
edge: { upstream: "http://127.0.0.1:3000", public_url: "https://app.example", ory_path: /.ory }
`,
  'f.yaml',
  { env: {} },
);
const NOW = 1_800_000_000_000;
const engine = await createEngine(CONFIG, NOW);

/** The verdict on one case; its expectation does not matter. */
async function judge(rest: string): Promise<SeenVerdict> {
  const [one] = parseCases(`cases: [{ name: a, expect: { status: 200 }, ${rest} }]`, 'c.yaml', CONFIG, {});
  if (!one) throw new Error('no case');
  const outcome = await engine.judge(one);
  if (outcome.kind !== 'verdict') throw new Error(outcome.problem);
  return outcome;
}

const token = (rest: string) =>
  `request: { url: /token/x }, credential: { token: { scp: [a], ext: { tenant: acme }${rest} } }`;
const GOOD_TOKEN = token('');

const REACHED: [reason: string, rest: string][] = [
  ['anonymous', 'request: { url: /open/x }'],
  ['anonymous', 'request: { url: / }'],
  ['session', 'request: { url: / }, credential: { session: {} }'],
  ['session', 'request: { url: /app/x }, credential: { session: {}, session_as: session_cookie }'],
  ['session', 'request: { url: /app/x }, credential: { session: {}, session_as: bearer }'],
  [
    'session',
    'request: { url: /strong/x }, credential: { session: { authenticator_assurance_level: aal2, authenticated_at: -9m } }',
  ],
  ['session', 'request: { url: /app/x }, credential: { session: { expires_at: +1s } }'],
  ['session', 'request: { url: /either/x }, credential: { session: {}, token: { exp: +0s } }'],
  ['token', GOOD_TOKEN],
  ['token', token(', aud: second, exp: +1s, nbf: -1s')],
  ['token', 'request: { url: /token/x }, credential: { token: { scp: null, scope: a b, ext: { tenant: [acme, b] } } }'],
  ['credential_missing', 'request: { url: /token/x }'],
  ['credential_missing', 'request: { url: /token/x }, credential: { session: {}, session_as: bearer }'],
  ['credential_malformed', 'request: { url: /app/x, headers: { X-Session-Token: a"b } }'],
  ['credential_ambiguous', 'request: { url: /app/x, headers: { X-Session-Token: a } }, credential: { session: {} }'],
  [
    'credential_ambiguous',
    'request: { url: /token/x, headers: { Authorization: Bearer a } }, credential: { token: {} }',
  ],
  ['session_invalid', 'request: { url: /app/x, headers: { X-Session-Token: unknown } }'],
  ['session_invalid', 'request: { url: /app/x, headers: { Cookie: ory_session_x=unknown } }'],
  [
    'session_invalid',
    'request: { url: /app/x, headers: { Cookie: ory_session_x=unknown } }, credential: { session: {}, session_as: bearer }',
  ],
  ['session_invalid', 'request: { url: /app/x }, credential: { session: { expires_at: +0s } }'],
  ['session_invalid', 'request: { url: /app/x }, credential: { session: { active: false } }'],
  ['session_invalid', 'request: { url: /app/x }, credential: { session: { identity: { state: inactive } } }'],
  ['session_invalid', 'request: { url: /app/x }, credential: { token: {} }'],
  ['aal_insufficient', 'request: { url: /strong/x }, credential: { session: {} }'],
  [
    'session_too_old',
    'request: { url: /strong/x }, credential: { session: { authenticator_assurance_level: aal2, authenticated_at: -10m } }',
  ],
  ['token_malformed', token(', exp: null')],
  ['token_malformed', token(', aud: 5')],
  ['token_malformed', `${GOOD_TOKEN.slice(0, -1)}, token_as: unsigned }`],
  ['token_expired', token(', exp: +0s')],
  ['token_not_yet_valid', token(', nbf: +1s')],
  ['token_signature_invalid', `${GOOD_TOKEN.slice(0, -1)}, token_as: wrong_signature }`],
  ['token_key_unknown', `${GOOD_TOKEN.slice(0, -1)}, token_as: unknown_key }`],
  [
    'token_algorithm_forbidden',
    'request: { url: /token/x, headers: { Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA } }',
  ],
  ['token_issuer_mismatch', token(', iss: https://ory.example/')],
  ['token_audience_mismatch', token(', aud: [third]')],
  ['token_kind_wrong', token(', client_id: null')],
  ['token_kind_wrong', `${token(', token_use: refresh_token').slice(0, -1)}, token_as: opaque }`],
  ['token', `${GOOD_TOKEN.slice(0, -1)}, token_as: opaque }`],
  ['token_inactive', `${token(', active: false').slice(0, -1)}, token_as: opaque }`],
  ['token_inactive', `${token(', exp: +0s').slice(0, -1)}, token_as: opaque }`],
  ['token_inactive', 'request: { url: /token/x, headers: { Authorization: Bearer unknown } }'],
  ['token_issuer_mismatch', `${token(', iss: https://other').slice(0, -1)}, token_as: opaque }`],
  ['scope_insufficient', 'request: { url: /token/x }, credential: { token: {} }'],
  ['claim_mismatch', 'request: { url: /token/x }, credential: { token: { scp: [a], ext: { tenant: b } } }'],
  ['no_rule', 'request: { url: /nowhere }, credential: { session: {} }'],
  ['path_ambiguous', 'request: { url: /open/%2e%2e%2fapp }'],
  ['path_ambiguous', 'request: { url: "http://user%41.example/open/x" }'],
];

describe('reasons', () => {
  test.each(REACHED)('%s: %s', async (reason, rest) => {
    expect((await judge(rest)).reason).toBe(reason);
  });

  test('all are reached but those of an outage', () => {
    const left = Object.keys(DENIALS).filter((reason) => !REACHED.some(([one]) => one === reason));
    expect(left).toEqual(['ory_unreachable', 'ory_error', 'ory_rate_limited', 'jwks_unavailable', 'internal_error']);
  });
});

describe('what the application gets', () => {
  const headers = async (rest: string) => (await judge(rest)).headers?.lines;

  test('is the identity of the case, merged over the default', async () => {
    expect(
      await headers('request: { url: /app/x }, credential: { session: { identity: { traits: { n: é } } } }'),
    ).toEqual([
      ['x-user-id', 'case-identity'],
      ['x-traits', '{"email":"case@example.com","n":"%C3%A9"}'],
    ]);
    expect(
      await headers('request: { url: / }, credential: { session: { identity: { id: ada, traits: null } } }'),
    ).toEqual([['x-user-id', 'ada']]);
    expect(await headers(GOOD_TOKEN)).toEqual([
      ['x-user-id', 'case-subject'],
      ['x-traits', '["a"]'],
    ]);
  });

  test('is nothing where the request is let through without one', async () => {
    expect(
      await headers('request: { url: /open/x, headers: { X-User-Id: forged } }, credential: { session: {} }'),
    ).toEqual([]);
  });
});

test('a path is read as the edge reads it', async () => {
  expect(await judge('request: { url: "/app/../open//%61\\\\b?x=/../" }')).toMatchObject({
    status: 200,
    rule: { kind: 'rule', name: 'open' },
  });
});

test('what Envoy leads to Ory is judged by no rule', async () => {
  await expect(judge('request: { url: /.ory/sessions/whoami }')).rejects.toThrow(/below edge\.ory_path/);
  await expect(judge('request: { url: "/x/../.ory" }')).rejects.toThrow(/below edge\.ory_path/);
  expect((await judge('request: { url: /.oryx }')).reason).toBe('no_rule');
});

test('a denial has the headers of its answer', async () => {
  const { status, headers } = await judge('request: { url: "/app/x?y", headers: { Accept: text/html } }');
  expect(status).toBe(302);
  expect(Object.fromEntries(headers?.lines ?? [])['location']).toBe(
    'https://app.example/.ory/self-service/login/browser?return_to=https%3A%2F%2Fapp.example%2Fapp%2Fx%3Fy',
  );
});

test('cases do not judge each other: nothing is remembered', async () => {
  const session = (rest: string) => `request: { url: /app/x }, credential: { session: { ${rest} } }`;
  expect((await judge(session('active: false'))).reason).toBe('session_invalid');
  expect((await judge(session('active: true'))).reason).toBe('session');
});
