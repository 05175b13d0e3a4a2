// The configuration in pieces: what changes with what, and what never does.
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import type { Block, Value } from '../yaml.ts';
import { generateDiscovery } from './discovery.ts';

const RULES = `
  - { name: authorizer, match: { path: "/open/**" }, allow: anyone }
  - { name: api, match: { path: "/api/**" }, require: { token: {} } }
  - { name: app, match: { path: "/**" }, require: { session: {} }, upstream: second }`;

function discovery({ rules = RULES, second = 'http://127.0.0.1:2', more = '', policy = 'p' } = {}) {
  const text = `ory: { url: http://127.0.0.1:1 }
tokens: { audiences: [api] }
edge: { upstreams: { app: "http://127.0.0.1:1", second: "${second}" } }
rules: ${rules}
${more}`;
  return generateDiscovery(parseConfig(text, 'f', { env: {} }), { policy, envoyConfig: '/filters' });
}

/** Every value under this key, at any depth. */
function all(value: Value, key: string): Value[] {
  if (typeof value !== 'object') return [];
  return Object.entries(value as Block).flatMap(([name, item]) => [...(name === key ? [item] : []), ...all(item, key)]);
}
const routesOf = (routes: Block) => (routes['virtual_hosts'] as Block[])[0]?.['routes'] as Block[];
const headersOf = (route: Block) =>
  all(route, 'headers_to_add').flatMap((list) => (list as Block[]).map((one) => [one['key'], one['value']]));

describe('the pieces of one configuration', () => {
  test('refer to no cluster that is not among them', () => {
    const { clusters, listener, routes } = discovery();
    const referred = [...all(listener('/f'), 'cluster'), ...all(routes, 'cluster')];
    expect(referred.length).toBeGreaterThanOrEqual(5);
    for (const name of referred) expect([...clusters.keys()]).toContain(name);
    for (const [name, cluster] of clusters)
      expect([cluster['name'], (cluster['load_assignment'] as Block)['cluster_name']]).toEqual([name, name]);
  });

  test('keep the names of the rules, with the policy’s where one is asked: a yes of another is not remembered', () => {
    expect(routesOf(discovery({ policy: 'p' }).routes).map((route) => route['name'])).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'authorizer',
      'api@p',
      'app@p',
      undefined,
    ]);
  });

  test('say with every check which policy its route belongs to, and only there', () => {
    const named = routesOf(discovery({ policy: 'one' }).routes).map((route) => headersOf(route));
    const asks = [
      ['ory-status-via', 'metadata'],
      ['ory-jwt-failure', '%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:failure:code)%'],
      ['ory-policy', 'one'],
    ];
    // Refusals and the open rule ask nobody; whatever matches no rule does ask.
    expect(named).toEqual([[], [], [], [], [], [], [], [], asks, asks, asks]);
  });

  test('read routes of their own from the folder, and wait for them', () => {
    const { listener, listenerId, routes } = discovery();
    expect(all(listener('/f'), 'route_config')).toEqual([]);
    expect(all(listener('/f'), 'rds')).toEqual([
      {
        route_config_name: routes['name'],
        config_source: {
          path_config_source: { path: `/f/routes-${listenerId}.json` },
          initial_fetch_timeout: '0s',
          resource_api_version: 'V3',
        },
      },
    ]);
  });
});

describe('a change', () => {
  test('of rules alone is a change of routes alone', () => {
    const [before, after] = [discovery(), discovery({ rules: RULES.replace('/api/', '/v1/') })];
    expect(after.listenerId).toBe(before.listenerId);
    expect([...after.clusters.keys()]).toEqual([...before.clusters.keys()]);
    expect(after.routes).not.toEqual(before.routes);
  });

  test('of an upstream’s address is another cluster, and the routes lead to it', () => {
    const [before, after] = [discovery(), discovery({ second: 'http://127.0.0.1:3' })];
    const changed = [...after.clusters.keys()].filter((name) => !before.clusters.has(name));
    expect(changed).toEqual([expect.stringMatching(/^upstream-second-[0-9a-f]{12}$/)]);
    expect(all(after.routes, 'cluster')).toContain(changed[0]);
    expect(after.listenerId).toBe(before.listenerId);
  });

  test('of what the listener does is another listener with routes of another name', () => {
    const before = discovery();
    const after = discovery({ more: 'identity_headers: { X-Me: [session.identity.id] }' });
    expect(after.listenerId).not.toBe(before.listenerId);
    expect(after.routes['name']).not.toBe(before.routes['name']);
  });
});
