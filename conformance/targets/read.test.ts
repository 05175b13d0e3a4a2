// A yes is what the table's application has answered, and nothing else.
import { expect, it } from 'vitest';
import type { HeaderLine } from '../../src/cli/cases/case.ts';
import { SEEN } from './app.ts';
import { readTargetAnswer } from './read.ts';

const EDGE = { identityHeaders: [{ name: 'X-User-Id' }], edge: { publicUrl: 'https://edge.test' } };
const ASKED = { method: 'GET', host: 'edge.test', target: '/x' };

function read(status: number, lines: readonly HeaderLine[] = [], body = '') {
  return readTargetAnswer({ status, lines, body }, ASKED, EDGE);
}

const seen = (lines: readonly HeaderLine[]): HeaderLine => [
  SEEN,
  Buffer.from(JSON.stringify(lines)).toString('base64url'),
];

it('a yes has every header that could be an identity, whatever its spelling, and what edges say to authorizers', () => {
  const lines: HeaderLine[] = [
    ['Host', 'edge.test'],
    ['X-User-Id', 'ada'],
    ['x_user-id', 'admin'],
    ['X.User.Id', 'root'],
    ['Ory-Edge-Key', 'a'],
  ];
  expect(read(200, [seen(lines)])).toMatchObject({
    status: 200,
    headers: {
      lines: [
        ['x-user-id', 'ada'],
        ['x_user-id', 'admin'],
        ['x.user.id', 'root'],
        ['ory-edge-key', 'a'],
      ],
    },
  });
});

it('a refusal is one in whatever words', () => {
  expect(read(403, [], 'RBAC: access denied')).toMatchObject({ kind: 'verdict', status: 403, reason: undefined });
  expect(read(401, [], '{"error":{"code":401}}')).toMatchObject({ kind: 'verdict', status: 401 });
  expect(read(200, [['grpc-status', '7']])).toMatchObject({ kind: 'verdict', status: 403 });
  const body = '{"type":"urn:ory-envoy:reason:no_rule","status":403}';
  expect(read(403, [['content-type', 'application/problem+json']], body)).toMatchObject({ reason: 'no_rule' });
});

it.each<[number, HeaderLine[], string]>([
  [200, [], ''],
  [200, [['content-type', 'application/json']], '{"headers":{"x-user-id":"ada"}}'],
  [204, [], ''],
  [301, [['location', 'https://elsewhere.test']], ''],
  [503, [], 'no healthy upstream'],
  [503, [], 'upstream connect error or disconnect/reset before headers'],
  [200, [['grpc-status', '14']], ''],
])('neither the application nor a refusal: %d %j %s', (status, lines, body) => {
  expect(read(status, lines, body).kind).toBe('unjudged');
});
