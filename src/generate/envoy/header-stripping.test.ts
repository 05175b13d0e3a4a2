// Which headers are taken from every request, in which spellings.
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import { makePlan } from '../plan.ts';
import type { Block } from '../yaml.ts';
import { earlyHeaderMutations, everySpelling } from './header-stripping.ts';

/** As Envoy does: the whole name, in lower case. */
function matches(regex: string, name: string): boolean {
  return new RegExp(`^(?:${regex})$`).test(name.toLowerCase());
}

test.each(['x-user-id', 'X-USER-ID', 'x_user_id', 'X.User.Id', 'x-user_id', "x!user'id", 'x~user^id'])(
  '%s is a spelling of X-User-Id',
  (name) => {
    expect(matches(everySpelling('X-User-Id'), name)).toBe(true);
    expect(matches(everySpelling('x_user_id'), name)).toBe(true);
  },
);

test.each(['x-user-idx', 'ax-user-id', 'x-user-i', 'x-user--id', 'xuserid', 'x-user1id', 'x-username'])(
  '%s is another header',
  (name) => {
    expect(matches(everySpelling('X-User-Id'), name)).toBe(false);
  },
);

const plan = makePlan(
  parseConfig(
    'ory: { url: "https://o" }\nedge: { upstream: "http://u:1", ory_path: /.ory }\nidentity_headers: { X-User-Id: [token.sub] }\n',
    'f.yaml',
    { env: {} },
  ),
);

function removed(hops: number, name: string): boolean {
  const { mutations } = earlyHeaderMutations(plan, hops)['typed_config'] as { mutations: readonly Block[] };
  const regexes = mutations.map(
    (mutation) => JSON.parse(JSON.stringify(mutation)).remove_on_match.key_matcher.safe_regex.regex,
  );
  return regexes.some((regex: string) => matches(regex, name));
}

test.each([
  'x-user-id',
  'ory-edge-key',
  'ory_edge_key',
  'ory-status',
  'ory-status-via',
  'ory.cache.for',
  'ory-rule',
  'ory-reason',
  'x-original-url',
  'x-original-uri',
  'x-rewrite-url',
  'x-envoy-original-path',
  'X_Original_Url',
])('a client’s %s is always removed', (name) => {
  expect([removed(0, name), removed(1, name)]).toEqual([true, true]);
});

test.each(['x-forwarded-for', 'x-forwarded-host', 'x_forwarded_proto', 'forwarded'])(
  '%s is removed where no proxy in front is trusted',
  (name) => {
    expect([removed(0, name), removed(1, name)]).toEqual([true, false]);
  },
);

test.each([
  'cookie',
  'authorization',
  'x-session-token',
  'x-request-id',
  'host',
  'ory-network',
  'x-originals',
  'my-forwarded',
])('%s stays', (name) => {
  expect([removed(0, name), removed(1, name)]).toEqual([false, false]);
});

test.each([
  'x-real-ip',
  'true-client-ip',
  'CF-Connecting-IP',
  'x_client_ip',
  'x-cluster-client-ip',
  'fastly-client-ip',
])('%s is believed only of a proxy in front', (name) =>
  expect([removed(0, name), removed(1, name)]).toEqual([true, false]),
);
