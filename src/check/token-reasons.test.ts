// Every reason that begins with token_, and what a token must be like to get it: through the check, with real verifiers.
import { beforeAll, expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import { createCheck } from './check.ts';
import { createAccessTokenVerifier } from './identity/access-token.ts';
import { IdentityCache } from './identity/cache/memory.ts';
import { createIntrospectionVerifier } from './identity/introspection.ts';
import { createJwtVerifier } from './identity/jwt.ts';
import { ThrottledLog } from './log.ts';
import type { DenyReason } from './reason.ts';
import { encode, hydraClaims, IssuerRig, type Key, makeKey, sign } from './testing/issuer.ts';
import { request } from './testing/request.ts';

type TokenReason = Extract<DenyReason, `token_${string}`>;
type Claims = Record<string, unknown>;

let key: Key;
let foreign: Key;
beforeAll(async () => {
  [key, foreign] = await Promise.all([makeKey('ES256', 'k1'), makeKey('ES256', 'k1')]);
});

const config = parseConfig(
  `ory: { url: https://issuer.example }
edge: { upstream: "http://127.0.0.1:3000" }
tokens: { audiences: [https://api.example] }
rules: [{ name: api, match: { path: /t }, require: { token: {} } }]
`,
  'f.yaml',
  { env: {} },
);

function rig() {
  const issuer = new IssuerRig([key.jwk]);
  const claims = hydraClaims(issuer.clock);
  const clock = issuer.clock.read;
  let introspected: Claims = { active: false };
  const common = { issuer: String(claims['iss']), clockSkewMs: 0, clock };
  const check = createCheck({
    config,
    clock,
    log: issuer.log,
    cache: new IdentityCache({ ...config.cache, clock }),
    verifiers: {
      session: undefined,
      token: createAccessTokenVerifier({
        jwt: createJwtVerifier({ ...common, jwks: issuer.jwks }),
        opaque: createIntrospectionVerifier({
          ...common,
          url: 'https://hydra.example',
          apiKey: undefined,
          client: {
            ask: async () => ({ kind: 'answer', status: 200, header: () => [], body: JSON.stringify(introspected) }),
          },
          log: new ThrottledLog(issuer.log, clock),
        }),
      }),
    },
  });
  const judge = async (token: string) =>
    (await check(request({ path: '/t', authorization: [`Bearer ${token}`] }))).reason;
  return {
    jwt: async (changed: Claims, by = key, header: Claims = {}) =>
      judge(await sign(by, { ...claims, ...changed }, header)),
    opaque: async (changed: Claims) => {
      introspected = { active: true, token_use: 'access_token', ...claims, ...changed };
      return await judge('ory_at_x');
    },
    judge,
    now: issuer.clock.now / 1_000,
  };
}

/** A reason that is added is missing here until a token that gets it is named. */
const CASES: Record<TokenReason, readonly ((with_: ReturnType<typeof rig>) => Promise<string>)[]> = {
  token_malformed: [({ judge }) => judge('a.b.c'), ({ jwt }) => jwt({ sub: 1 }), ({ opaque }) => opaque({ sub: 1 })],
  token_expired: [({ jwt, now }) => jwt({ exp: now }), ({ opaque, now }) => opaque({ exp: now })],
  token_not_yet_valid: [({ jwt, now }) => jwt({ nbf: now + 1 }), ({ opaque, now }) => opaque({ nbf: now + 1 })],
  token_signature_invalid: [({ jwt }) => jwt({}, foreign)],
  token_algorithm_forbidden: [({ judge }) => judge(`${encode({ alg: 'none' })}.${encode({})}.AA`)],
  token_key_unknown: [({ jwt }) => jwt({}, key, { kid: 'other' })],
  token_issuer_mismatch: [({ jwt }) => jwt({ iss: 'x' }), ({ opaque }) => opaque({ iss: 'x' })],
  token_audience_mismatch: [({ jwt }) => jwt({ aud: 'x' }), ({ opaque }) => opaque({ aud: 'x' })],
  token_kind_wrong: [
    ({ judge }) => judge('a.b.c.d.e'),
    ({ judge }) => judge('ory_rt_x'),
    ({ jwt }) => jwt({ at_hash: 'x' }),
    ({ opaque }) => opaque({ token_use: 'refresh_token' }),
  ],
  token_inactive: [({ opaque }) => opaque({ active: false })],
};

test.each(Object.entries(CASES).flatMap(([reason, cases]) => cases.map((one, i) => [reason, i + 1, one] as const)))(
  '%s, %d',
  async (reason, _, one) => expect(await one(rig())).toBe(reason),
);

test('and a token that has none of these faults passes, JWT and opaque', async () => {
  const { jwt, opaque } = rig();
  expect([await jwt({}), await opaque({})]).toEqual(['token', 'token']);
});
