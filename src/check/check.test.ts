// The flow: which verdict each request gets, with verifiers that are stubs.
import { describe, expect, test } from 'vitest';
import type { Access, Config, Requirement } from '../config/config.ts';
import { parseConfig } from '../config/load.ts';
import { createCheck } from './check.ts';
import type { Credential } from './credential/credential.ts';
import { IdentityCache } from './identity/cache/memory.ts';
import { rejected, unavailable, type Verification } from './identity/identity.ts';
import type { RejectReason, UnavailableReason } from './reason.ts';
import type { CheckRequest } from './request/check-request.ts';
import { RecordingLog } from './testing/recording-log.ts';
import { request } from './testing/request.ts';

const BASE = parseConfig(
  `ory: { url: https://ory.example }
edge: { upstream: "http://127.0.0.1:3000" }
tokens: { audiences: [api] }
rules:
  - { name: public, match: { path: "/public/**" }, allow: anyone }
  - { name: home, match: { path: / }, allow: anyone, identify: true }
  - { name: api, match: { host: "*.api.example", path: "/t", methods: [GET, POST, OPTIONS] }, require: { token: {} } }
  - { name: cors, match: { path: "/cors" }, require: { session: {} }, cors: { origins: [https://spa.example] } }
  - { name: app, match: { path: "/s" }, require: { session: {} } }
`,
  'f.yaml',
  { env: {} },
);
const SESSION: Requirement = { kind: 'session', aal: undefined, maxAgeMs: undefined };
const TOKEN: Requirement = { kind: 'token', audiences: ['api'], scopes: [], claims: [] };

/** The configuration with one more rule: /x takes what is given. */
function withAccess(access: Access): Config {
  const [first] = BASE.rules;
  if (!first) throw new Error('no rule');
  return {
    ...BASE,
    rules: [{ ...first, name: 'x', path: { source: '/x', segments: ['x'], rest: false }, access }, ...BASE.rules],
  };
}

const yesSession: Verification = {
  kind: 'verified',
  identity: { kind: 'session', session: { id: 's', identity: { id: 'i' } }, expiresAtMs: undefined },
  cacheForMs: undefined,
  setCookie: ['a=1'],
};
const yesToken: Verification = {
  kind: 'verified',
  identity: {
    kind: 'token',
    claims: { sub: 'u' },
    audiences: ['api', 'b'],
    expiresAtMs: 2e12,
    proof: 'key',
    key: { kid: 'k', material: 'm' },
  },
  cacheForMs: undefined,
  setCookie: [],
};

type Answer = Verification | (() => Verification);

function rig(answers: { session?: Answer; token?: Answer } = {}, config = BASE) {
  const log = new RecordingLog();
  const asked: string[] = [];
  const verifier = (answer: Answer) => ({
    verify: async (credential: Credential) => {
      asked.push(`${credential.kind} ${credential.value}`);
      return typeof answer === 'function' ? answer() : answer;
    },
    stillTrusted: () => true,
  });
  const check = createCheck({
    config,
    log,
    clock: () => 1_000_000,
    cache: new IdentityCache({ ...config.cache, clock: () => 1_000_000 }),
    verifiers: { session: verifier(answers.session ?? yesSession), token: verifier(answers.token ?? yesToken) },
  });
  return { log, asked, check, ask: (given: Partial<CheckRequest>) => check(request(given)) };
}

const cookie = ['ory_kratos_session=c'];
const bearer = ['Bearer t'];

describe('finding the rule', () => {
  test.each<[string, Partial<CheckRequest>, string]>([
    ['the first that matches', { path: '/public/a' }, 'allow anonymous public'],
    ['a path with its query', { path: '/s', query: '?x=/public/a' }, 'deny credential_missing app'],
    ['host, path and method', { path: '/t', host: 'A.API.example.:443', authorization: bearer }, 'allow token api'],
    [
      'another method',
      { path: '/t', host: 'a.api.example', method: 'DELETE', authorization: bearer },
      'deny no_rule -',
    ],
    [
      'a method in lower case',
      { path: '/t', host: 'a.api.example', method: 'get', authorization: bearer },
      'deny path_ambiguous -',
    ],
    ['the bare domain', { path: '/t', host: 'api.example', authorization: bearer }, 'deny no_rule -'],
    ['nothing', { path: '/nowhere', cookie }, 'deny no_rule -'],
    ['an ambiguous path on a public rule', { path: '/public/../s' }, 'deny path_ambiguous -'],
    ['an escaped slash', { path: '/public%2f..%2fs' }, 'deny path_ambiguous -'],
    ['a fragment', { path: '/public#/../s' }, 'deny path_ambiguous -'],
    ['no host, or two', { path: '/public/a', host: undefined }, 'deny path_ambiguous -'],
  ])('%s', async (_, given, expected) => {
    const verdict = await rig().ask(given);
    expect(`${verdict.kind} ${verdict.reason} ${verdict.rule?.name ?? '-'}`).toBe(expected);
  });
});

describe('reasons', () => {
  const rejections: RejectReason[] = [
    'session_invalid',
    'token_malformed',
    'token_expired',
    'token_not_yet_valid',
    'token_signature_invalid',
    'token_algorithm_forbidden',
    'token_key_unknown',
    'token_issuer_mismatch',
    'token_kind_wrong',
    'token_inactive',
    'aal_insufficient',
    'session_too_old',
    'scope_insufficient',
    'claim_mismatch',
  ];
  test.each(rejections)('%s of a verifier is the verdict', async (reason) => {
    const verdict = await rig({ session: rejected(reason) }).ask({ path: '/s', cookie });
    expect(verdict).toMatchObject({ kind: 'deny', reason, rule: { name: 'app' } });
  });

  const outages: UnavailableReason[] = ['ory_unreachable', 'ory_error', 'ory_rate_limited', 'jwks_unavailable'];
  test.each(outages)('%s of a verifier is the verdict, with its time to wait', async (reason) => {
    const verdict = await rig({ session: unavailable(reason, 9) }).ask({ path: '/s', cookie });
    expect(verdict).toMatchObject({ kind: 'deny', reason, rule: { name: 'app' }, retryAfterSeconds: 9 });
  });

  test('credential_missing, credential_malformed and credential_ambiguous ask nobody', async () => {
    const { ask, asked } = rig();
    expect(await ask({ path: '/s' })).toMatchObject({ reason: 'credential_missing' });
    expect(await ask({ path: '/s', sessionToken: ['"'] })).toMatchObject({ reason: 'credential_malformed' });
    expect(await ask({ path: '/s', sessionToken: ['a', 'b'] })).toMatchObject({ reason: 'credential_ambiguous' });
    expect(asked).toEqual([]);
  });

  test('token_audience_mismatch where no audience is the rule’s', async () => {
    const { identity } = yesToken as Extract<Verification, { kind: 'verified' }>;
    for (const [audiences, kind] of [
      [['api'], 'allow'],
      [['b', 'api'], 'allow'],
      [[], 'deny'],
      [['API'], 'deny'],
      [['api/'], 'deny'],
      [['ap'], 'deny'],
      [['http://api'], 'deny'],
      [['api b'], 'deny'],
    ] as const) {
      const token = { ...yesToken, identity: { ...identity, audiences } } as Verification;
      const verdict = await rig({ token }).ask({ path: '/t', host: 'a.api.example', authorization: bearer });
      expect(verdict.kind, String(audiences)).toBe(kind);
      if (verdict.kind === 'deny') expect(verdict.reason).toBe('token_audience_mismatch');
    }
  });

  test('an identity of the wrong kind is no yes', async () => {
    expect(await rig({ session: yesToken }).ask({ path: '/s', cookie })).toMatchObject({ reason: 'token_kind_wrong' });
    expect(
      await rig({ token: yesSession }).ask({ path: '/t', host: 'a.api.example', authorization: bearer }),
    ).toMatchObject({ reason: 'session_invalid' });
  });

  test('a yes carries its identity and cookies; a public one looks at nothing', async () => {
    const { ask, asked } = rig();
    expect(await ask({ path: '/public', cookie, authorization: ['a', 'b'] })).toMatchObject({
      kind: 'allow',
      reason: 'anonymous',
      identity: undefined,
      setCookie: [],
    });
    expect(asked).toEqual([]);
    expect(await ask({ path: '/s', cookie })).toMatchObject({
      kind: 'allow',
      reason: 'session',
      setCookie: ['a=1'],
      identity: { kind: 'session' },
    });
    expect(asked).toEqual(['session_cookie ory_kratos_session=c']);
  });
});

test('a yes that Envoy could not give is worth a line in the log, and no more than a line', async () => {
  const { ask, log } = rig();
  const good = { path: '/t', host: 'a.api.example', authorization: bearer };
  for (const jwtFailure of [undefined, 1, 4]) await ask({ ...good, jwtFailure });
  expect(log.lines).toEqual([]);
  await ask({ ...good, authorization: [], jwtFailure: 32 });
  expect(log.lines).toEqual([]);
  for (let i = 0; i < 5; i++) expect(await ask({ ...good, jwtFailure: 32 })).toMatchObject({ kind: 'allow' });
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toMatchObject({ level: 'info', fields: { jwt_authn_code: 32 } });
});

describe('one rule’s yes is not another’s', () => {
  test('an identity that is remembered is judged by the rule at hand', async () => {
    const config = withAccess({
      kind: 'require',
      anyOf: [{ kind: 'token', audiences: ['other'], scopes: [], claims: [] }],
    });
    const { ask, asked } = rig({}, config);
    expect(await ask({ path: '/t', host: 'a.api.example', authorization: bearer })).toMatchObject({ kind: 'allow' });
    expect(await ask({ path: '/x', authorization: bearer })).toMatchObject({
      kind: 'deny',
      reason: 'token_audience_mismatch',
      rule: { name: 'x' },
    });
    expect(asked).toHaveLength(1);
  });
});

describe('any_of', () => {
  const config = withAccess({ kind: 'require', anyOf: [SESSION, TOKEN] });
  const both = { path: '/x', cookie, authorization: bearer };
  test.each<[string, { session?: Answer; token?: Answer }, Partial<CheckRequest>, string]>([
    ['the first that verifies wins', {}, both, 'session'],
    ['a present but invalid one does not stop the next', { session: rejected('session_invalid') }, both, 'token'],
    [
      'an ambiguous one does not stop the next',
      {},
      { ...both, cookie: ['ory_kratos_session=a; ory_kratos_session=b'] },
      'token',
    ],
    ['an outage of the first does not stop the next', { session: unavailable('ory_unreachable') }, both, 'token'],
    [
      'one that could not be asked is the answer where none wins',
      { session: unavailable('ory_unreachable'), token: rejected('token_expired') },
      both,
      'ory_unreachable',
    ],
    [
      'also where it is the second',
      { session: rejected('session_invalid'), token: unavailable('jwks_unavailable') },
      both,
      'jwks_unavailable',
    ],
    [
      'the last one tried with a credential is the reason',
      { session: rejected('session_invalid'), token: rejected('token_expired') },
      both,
      'token_expired',
    ],
    [
      'one without a credential is not tried',
      { session: rejected('session_invalid') },
      { path: '/x', cookie },
      'session_invalid',
    ],
    ['nothing presented is credential_missing', {}, { path: '/x' }, 'credential_missing'],
    ['a session token as bearer is a session', {}, { path: '/x', authorization: ['Bearer ory_st_x'] }, 'session'],
    ['any other bearer is an access token', {}, { path: '/x', authorization: ['Bearer x'] }, 'token'],
  ])('%s', async (_, answers, given, reason) => {
    expect(await rig(answers, config).ask(given)).toMatchObject({ reason, rule: { name: 'x' } });
  });

  test('asks about a credential that came to nothing once, however many alternatives take it', async () => {
    const many = withAccess({ kind: 'require', anyOf: [SESSION, TOKEN, { ...SESSION, aal: 'aal2' }, TOKEN, SESSION] });
    const down = { session: unavailable('ory_unreachable'), token: unavailable('ory_error') };
    const { ask, asked } = rig(down, many);
    expect(await ask(both)).toMatchObject({ reason: 'ory_unreachable' });
    expect(asked).toEqual(['session_cookie ory_kratos_session=c', 'access_token t']);
  });

  test('is tried in the order written', async () => {
    const turned = withAccess({ kind: 'require', anyOf: [TOKEN, SESSION] });
    expect(await rig({}, turned).ask(both)).toMatchObject({ reason: 'token' });
  });
});

describe('identify', () => {
  test('asks nobody twice, and goes on where the session lacks what another rule wants', async () => {
    const { ask, asked } = rig();
    await ask({ path: '/', cookie, authorization: bearer });
    await ask({ path: '/', cookie, authorization: bearer });
    expect(asked).toEqual(['session_cookie ory_kratos_session=c']);
  });

  test.each<[string, { session?: Answer; token?: Answer }, Partial<CheckRequest>, string]>([
    ['a session', {}, { cookie, authorization: bearer }, 'session'],
    ['a token', {}, { authorization: bearer }, 'token'],
    [
      'a token behind a bad session',
      { session: rejected('session_invalid') },
      { cookie, authorization: bearer },
      'token',
    ],
    ['nobody', {}, {}, 'anonymous'],
    [
      'nobody by what is refused',
      { session: rejected('session_invalid'), token: rejected('token_expired') },
      { cookie, authorization: bearer },
      'anonymous',
    ],
    [
      'nobody while Ory is down',
      { session: unavailable('ory_unreachable'), token: unavailable('jwks_unavailable') },
      { cookie, authorization: bearer },
      'anonymous',
    ],
    ['nobody by what is ambiguous', {}, { sessionToken: ['a', 'b'] }, 'anonymous'],
  ])('%s', async (_, answers, given, reason) => {
    expect(await rig(answers).ask({ path: '/', ...given })).toMatchObject({
      kind: 'allow',
      reason,
      rule: { name: 'home' },
    });
  });
});

describe('a preflight', () => {
  test.each([
    ['/public/a', 'allow', 'anonymous'],
    ['/', 'allow', 'anonymous'],
    ['/s', 'deny', 'credential_missing'],
  ])('of %s carries no identity: %s, %s', async (path, kind, reason) => {
    const { ask, asked } = rig();
    expect(await ask({ path, method: 'OPTIONS', preflight: true, cookie, authorization: bearer })).toMatchObject({
      kind,
      reason,
    });
    expect(asked).toEqual([]);
  });

  test.each([
    ['https://spa.example', 'allow', 'anonymous'],
    ['https://evil.example', 'deny', 'credential_missing'],
    [undefined, 'deny', 'credential_missing'],
  ])('of %s on a rule with cors: %s, %s', async (origin, kind, reason) => {
    const { ask, asked } = rig();
    const given = { path: '/cors', method: 'OPTIONS', origin, cookie };
    expect(await ask({ ...given, preflight: true })).toMatchObject({ kind, reason, rule: { name: 'cors' } });
    expect(asked).toEqual([]);
    // OPTIONS that is no preflight is a request like any other.
    expect(await ask({ ...given, cookie: [], preflight: false })).toMatchObject({ reason: 'credential_missing' });
  });
});

describe('what is unexpected', () => {
  test.each<[string, () => never]>([
    [
      'an error',
      () => {
        throw new Error('c4n4ry\n    at c4n4ry');
      },
    ],
    [
      'an error without a stack',
      () => {
        throw Object.assign(new Error('c4n4ry'), { stack: 'Error: c4n4ry' });
      },
    ],
    [
      'null',
      () => {
        throw null;
      },
    ],
    [
      'text',
      () => {
        throw 'c4n4ry';
      },
    ],
  ])(
    '%s in a verifier is a denial, also on a rule that only identifies, and its message is not logged',
    async (_, session) => {
      for (const path of ['/s', '/']) {
        const { ask, log } = rig({ session });
        expect(await ask({ path, cookie: ['ory_kratos_session=c4n4ry'] })).toMatchObject({
          kind: 'deny',
          reason: 'internal_error',
        });
        expect(log.lines).toMatchObject([{ level: 'error', message: 'a check failed: the request is denied' }]);
        expect(log.text).not.toContain('c4n4ry');
      }
    },
  );

  test('a rule whose verifier is missing denies', async () => {
    const check = createCheck({
      config: BASE,
      log: new RecordingLog(),
      clock: Date.now,
      cache: new IdentityCache({ ...BASE.cache, clock: Date.now }),
      verifiers: { session: undefined, token: undefined },
    });
    expect(await check(request({ path: '/s', cookie }))).toMatchObject({ kind: 'deny', reason: 'internal_error' });
  });
});
