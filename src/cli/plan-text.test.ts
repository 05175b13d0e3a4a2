// What `generate --plan` prints.
import { expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import { makePlan, makePlanWithoutAuthorizer } from '../generate/plan.ts';
import { planJson, planText } from './plan-text.ts';

const config = (rules: string, ory = 'ory: { url: https://o }') =>
  parseConfig(`${ory}\nedge: { upstream: http://u }\ntokens: { audiences: [a] }\nrules: [${rules}]`, 'x.yaml', {
    env: {},
  });

const OPEN = '{ name: open, match: { path: /o, methods: [GET] }, allow: anyone }';
const TOKEN = '{ name: token, match: { host: h.x, path: /t }, require: { token: { scopes: [r] } } }';
const SESSION = '{ name: session, match: { path: "/**" }, require: { session: {} } }';

test('each rule says what is native, what is asked and what of that is remembered, and a first line sums it up', () => {
  expect(planText(makePlan(config([OPEN, TOKEN, SESSION].join())))).toMatchInlineSnapshot(`
    "Of 3 rules 1 never ask the authorizer, 1 ask it where Envoy has no yes, 1 ask it about everything, but for a yes that Envoy remembers:

      open     GET /o            native      everyone: identity headers are removed before routing, so there is nothing to ask
                                 asked       -
      token    any method h.x/t  native      a token for a with scope r
                                 asked       whatever else comes: keys that Envoy has not seen yet, identities that are not plain text, and every denial
      session  any method /**    native      -
                                 asked       everything: only Kratos knows whether a session is alive
                                 remembered  a yes to a session or an opaque token, by Envoy, for 30s at most (cache.edge_ttl)
    "
  `);
});

test('programs read the same', () => {
  expect(planJson(makePlan(config(SESSION)))).toEqual({
    authorizer: true,
    rules: [
      {
        name: 'session',
        match: 'any method /**',
        native: null,
        asked: 'everything: only Kratos knows whether a session is alive',
        remembered_for_ms: 30_000,
      },
    ],
  });
});

test('without an authorizer nothing is asked', () => {
  expect(planText(makePlanWithoutAuthorizer(config([OPEN, TOKEN].join())))).toMatchInlineSnapshot(`
    "Envoy gives every verdict by itself, and every no in words of its own:

      open   GET /o            native  everyone: identity headers are removed before routing, so there is nothing to ask
                               asked   -
      token  any method h.x/t  native  a token for a with scope r; whatever else comes is refused
                               asked   -
    "
  `);
});

const why = (rules: string, ory?: string) => () => makePlanWithoutAuthorizer(config(rules, ory));

test('each rule that stands in the way of Envoy alone is named, with the reason', () => {
  expect(why(['{ name: home, match: { path: / }, allow: anyone, identify: true }', TOKEN, SESSION].join())).toThrow(
    /^--no-authorizer: .*\n {2}home: it takes sessions, .*\n {2}session: it takes sessions/,
  );
  const hydra = 'ory: { hydra: { public_url: http://h, issuer: i } }';
  expect(why('{ name: home, match: { path: / }, allow: anyone, identify: true }', hydra)).toThrow(/home: identify:/);
  // No file says so; a plan depends on no such thing.
  const tokens = config(TOKEN);
  const redirecting = {
    ...tokens,
    rules: tokens.rules.map((rule) => ({ ...rule, unauthenticated: 'redirect' as const })),
  };
  expect(() => makePlanWithoutAuthorizer(redirecting)).toThrow(/token: unauthenticated: redirect/);
  expect(why(TOKEN, 'ory: { hydra: { public_url: http://h, admin_url: http://a, issuer: i } }')).toThrow(
    /token: it takes opaque tokens \(http:\/\/a\/admin\/oauth2\/introspect\)/,
  );
  expect(why('{ name: t, match: { path: / }, require: { token: { claims: { scope: r } } } }')).toThrow(
    /t: a native filter sees the claim scope as a list; write scopes: instead/,
  );
});

test('nothing is remembered where the file says so, nor of what Envoy judges by itself', () => {
  const off = parseConfig(`ory: { url: https://o }\nedge: { upstream: http://u }\ncache: { edge_ttl: 0s }`, 'x', {
    env: {},
  });
  for (const plan of [makePlan(off), makePlan(config([OPEN, TOKEN].join()))]) {
    expect(planText(plan)).not.toContain('remembered');
    expect(planJson(plan)).not.toMatchObject({ rules: [{ remembered_for_ms: 30_000 }] });
  }
});
