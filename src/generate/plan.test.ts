// What the edge decides by itself, and what it asks.
import { expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import { makePlan } from './plan.ts';

function planOf(rules: string, more = 'tokens: { audiences: [https://a, https://b], clock_skew: 5s }') {
  const text = `ory: { url: https://o/ }\nedge: { upstreams: { app: http://u:1, api: http://u:2 } }\n${more}\nrules: [${rules}]`;
  return makePlan(parseConfig(text, 'x.yaml', { env: {} }));
}

test('what the edge allows by itself, what it asks, and why', () => {
  const plan = planOf(`
    { name: open, match: { path: /open }, allow: anyone },
    { name: home, match: { path: / }, allow: anyone, identify: true },
    { name: api, match: { path: /api }, require: { token: { scopes: [r, w], claims: { a.b: 1 } } } },
    { name: mixed, match: { path: /mixed }, require: { any_of: [{ session: {} }, { token: {} }] } },
    { name: list, match: { path: /list }, require: { token: { claims: { scope: r } } } },
    { name: app, match: { path: "/**" }, require: { session: {} } }`);
  expect(plan.rules.map(({ name, verdict, tokens }) => [name, verdict.kind, tokens?.audiences])).toEqual([
    ['open', 'open', undefined],
    ['home', 'native', ['https://a', 'https://b']],
    ['api', 'native', ['https://a', 'https://b']],
    ['mixed', 'native', ['https://a', 'https://b']],
    ['list', 'asked', ['https://a', 'https://b']],
    ['app', 'asked', undefined],
  ]);
  const rest = 'keys that Envoy has not seen yet, identities that are not plain text, and every denial';
  expect(plan.rules.map(({ native, asked }) => [native, asked])).toEqual([
    ['everyone: identity headers are removed before routing, so there is nothing to ask', undefined],
    [
      'a request without any credential; a token for https://a or https://b, where there is no session credential',
      `whatever else comes: only Kratos knows whether a session is alive; ${rest}`,
    ],
    ['a token for https://a or https://b with scope r and w and a.b 1', `whatever else comes: ${rest}`],
    [
      'a token for https://a or https://b, where there is no session credential',
      `whatever else comes: only Kratos knows whether a session is alive; ${rest}`,
    ],
    [undefined, 'everything: a native filter sees the claim scope as a list'],
    [undefined, 'everything: only Kratos knows whether a session is alive'],
  ]);
});

test.each([
  [
    'tokens: { audiences: [a], clock_skew: 1s }',
    'a native filter counts whole seconds, and tokens.clock_skew is below 2s',
  ],
  [
    'tokens: { audiences: [a] }\nidentity_headers: { X-Scopes: [token.scopes] }',
    'x-scopes is made of a list, which a native filter cannot write as a header',
  ],
])('tokens are asked about where Envoy would be less exact: %s', (more, why) => {
  const plan = planOf('{ name: api, match: { path: /api }, require: { token: {} } }', more);
  expect(plan.rules[0]).toMatchObject({ verdict: { kind: 'asked' }, native: undefined, asked: `everything: ${why}` });
  expect(plan.tokens?.native).toBe(false);
});

test('order, match and upstream are those of the file', () => {
  const plan = planOf(`
    { name: b, match: { host: "*.acme.com", path: "/b/*", methods: [GET, PUT] }, upstream: api, require: { session: {} } },
    { name: a, match: { path: /a }, require: { session: {} } }`);
  expect(plan.rules.map(({ name, upstream }) => [name, upstream])).toEqual([
    ['b', 'api'],
    ['a', 'app'],
  ]);
  expect(plan.rules[0]?.match).toMatchObject({ host: { suffix: '.acme.com' }, methods: ['GET', 'PUT'] });
  expect(plan.rules[1]?.match).toMatchObject({ host: undefined, methods: undefined });
});

test('the audiences that the edge verifies are those of all rules together', () => {
  const plan = planOf(`
    { name: one, match: { path: /one }, require: { token: {} } },
    { name: two, match: { path: /two }, require: { token: { audiences: [https://c, https://a] } } }`);
  expect(plan.tokens).toEqual({
    issuer: 'https://o/',
    jwksUrl: 'https://o/.well-known/jwks.json',
    clockSkewMs: 5_000,
    introspection: undefined,
    audiences: ['https://a', 'https://b', 'https://c'],
    headers: [
      { name: 'x-user-id', claims: [['sub']] },
      { name: 'x-user-email', claims: [['ext', 'email']] },
    ],
    native: true,
  });
});

test('one rule that takes any audience takes the restriction from the edge', () => {
  const plan = planOf(
    `{ name: one, match: { path: /one }, require: { token: { audiences: [https://c] } } },
     { name: two, match: { path: /two }, require: { token: {} } }`,
    'tokens: { any_audience: true }',
  );
  expect(plan.tokens?.audiences).toBe('any');
  expect(plan.rules.map((rule) => rule.tokens?.audiences)).toEqual([['https://c'], 'any']);
});

test('without a rule that takes tokens there is nothing to verify', () => {
  expect(planOf('{ name: app, match: { path: "/**" }, require: { session: {} } }').tokens).toBeUndefined();
});

test('the implied rule takes either credential where audiences are given', () => {
  const text = 'ory: { url: https://o }\ntokens: { audiences: [x] }\nedge: { upstream: http://u }';
  const plan = makePlan(parseConfig(text, 'x.yaml', { env: {} }));
  expect(plan.rules).toMatchObject([{ name: 'default', verdict: { kind: 'native' }, tokens: { audiences: ['x'] } }]);
});

test('the names of identity headers are in lower case', () => {
  expect(planOf('{ name: a, match: { path: / }, allow: anyone }').identityHeaders).toEqual([
    'x-user-id',
    'x-user-email',
  ]);
});
