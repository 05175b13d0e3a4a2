// The cookies that go with a yes: Ory's own for the one client, and the end of the counting of redirects.
import { expect, test } from 'vitest';
import { parseConfig } from '../../config/load.ts';
import type { Identity } from '../identity/identity.ts';
import type { CheckRequest } from '../request/check-request.ts';
import { request } from '../testing/request.ts';
import type { Allow } from '../verdict.ts';
import { setCookies } from './set-cookie.ts';

const config = parseConfig('ory: { url: "https://o" }\nedge: { upstream: "http://u:1" }\n', 'f.yaml', { env: {} });
const [rule] = config.rules;
if (!rule) throw new Error('no rule');
const session: Identity = { kind: 'session', session: { id: 's' }, expiresAtMs: undefined };
const counted: Partial<CheckRequest> = { cookie: ['ory_envoy_login=aaaaaaaa.1.1800000000'], accept: 'text/html' };

function cookies(given: Partial<CheckRequest>, identity: Identity | undefined = session): readonly string[] {
  const verdict: Allow = {
    kind: 'allow',
    reason: 'session',
    rule: rule as Allow['rule'],
    identity,
    setCookie: ['a=1'],
    remember: undefined,
  };
  return setCookies(verdict, request(given), config);
}

test('who arrives with a session is counted no more', () => {
  expect(cookies(counted)).toEqual(['a=1', expect.stringMatching(/^ory_envoy_login=; .*Max-Age=0/)]);
});

test.each<[string, Partial<CheckRequest>]>([
  ['a page that was never counted', { accept: 'text/html' }],
  ['a script, which may belong to another tab', { ...counted, accept: 'application/json' }],
])('%s changes nothing', (_, given) => expect(cookies(given)).toEqual(['a=1']));

test('an open page that nobody needed a session for is no arrival', () => {
  const verdict: Allow = {
    kind: 'allow',
    reason: 'anonymous',
    rule,
    identity: undefined,
    setCookie: [],
    remember: undefined,
  };
  expect(setCookies(verdict, request(counted), config)).toEqual([]);
});
