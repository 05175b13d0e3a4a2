// What the edge decides by itself, and what it asks.
import { expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import { makePlan } from './plan.ts';

function planOf(rules: string, more = 'tokens: { audiences: [https://a, https://b], clock_skew: 5s }') {
  const text = `ory: { url: https://o/ }\nedge: { upstreams: { app: http://u:1, api: http://u:2 } }\n${more}\nrules: [${rules}]`;
  return makePlan(parseConfig(text, 'x.yaml', { env: {} }));
}

test('a rule for anyone is decided by the edge, and everything else by the authorizer', () => {
  const plan = planOf(`
    { name: open, match: { path: /open }, allow: anyone },
    { name: home, match: { path: / }, allow: anyone, identify: true },
    { name: api, match: { path: /api }, require: { token: {} } },
    { name: app, match: { path: "/**" }, require: { session: {} } }`);
  expect(plan.rules.map(({ name, decidedBy, tokens }) => [name, decidedBy, tokens?.audiences])).toEqual([
    ['open', 'edge', undefined],
    ['home', 'authorizer', ['https://a', 'https://b']],
    ['api', 'authorizer', ['https://a', 'https://b']],
    ['app', 'authorizer', undefined],
  ]);
  expect(plan.rules.map((rule) => rule.why)).toEqual([
    'anyone may pass, and identity headers are removed before routing, so there is nothing to ask',
    'anyone may pass, and the authorizer says who it is where a credential verifies',
    'the edge verifies a JWT, and the authorizer gives the verdict: it also knows opaque tokens',
    'only the authorizer knows whether a session is alive',
  ]);
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
    audiences: ['https://a', 'https://b', 'https://c'],
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
  expect(plan.rules).toMatchObject([{ name: 'default', decidedBy: 'authorizer', tokens: { audiences: ['x'] } }]);
  expect(plan.rules[0]?.why).toMatch(/session is alive, and it gives every verdict on tokens/);
});

test('the names of identity headers are in lower case', () => {
  expect(planOf('{ name: a, match: { path: / }, allow: anyone }').identityHeaders).toEqual([
    'x-user-id',
    'x-user-email',
  ]);
});
