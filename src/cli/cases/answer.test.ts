// Verdicts as they are read from the answers of a running edge.
import { describe, expect, test } from 'vitest';
import { readAnswer } from './answer.ts';
import type { HeaderLine } from './case.ts';

const PROBLEM: HeaderLine = ['content-type', 'application/problem+json'];
const problem = (reason: string, status: number) =>
  JSON.stringify({ type: `urn:ory-envoy:reason:${reason}`, title: 't', status, reason });

function read(status: number, lines: readonly HeaderLine[], body = '', method = 'GET') {
  const outcome = readAnswer({ status, lines, body }, method, ['X-User-Id']);
  return outcome.kind === 'verdict' ? [outcome.status, outcome.reason, outcome.note] : outcome.problem;
}

describe('a denial', () => {
  test('is told by its problem', () => {
    expect(read(403, [PROBLEM], problem('no_rule', 403))).toEqual([403, 'no_rule', undefined]);
  });

  test('is told by the message of a gRPC call, with the status that it would have had', () => {
    const message = problem('credential_missing', 401).replaceAll('"', '%22');
    expect(
      read(200, [
        ['grpc-status', '16'],
        ['grpc-message', message],
      ]),
    ).toEqual([401, 'credential_missing', undefined]);
  });

  test('is told by the cookie of a redirect to the login, and of the page that explains a loop', () => {
    expect(
      read(302, [
        ['location', 'https://a'],
        ['set-cookie', 'ory_envoy_login=abcdefgh.1.2; Path=/'],
      ]),
    ).toEqual([302, undefined, undefined]);
    expect(
      read(302, [
        ['set-cookie', 'a=b'],
        ['set-cookie', '__Host-ory_envoy_login=abcdefgh.1.2'],
      ]),
    ).toEqual([302, undefined, undefined]);
    expect(
      read(401, [
        ['content-type', 'text/html'],
        ['set-cookie', 'ory_envoy_login=; Max-Age=0'],
      ]),
    ).toEqual([401, undefined, undefined]);
  });

  test('of HEAD is told by its bareness', () => {
    expect(read(401, [['cache-control', 'no-store']], '', 'HEAD')).toEqual([401, undefined, undefined]);
    expect(read(401, [['cache-control', 'no-store']])).toEqual([
      200,
      undefined,
      'it passed, and the application answered 401',
    ]);
  });

  test('of Envoy itself is one as well', () => {
    expect(read(400, [['connection', 'close']])).toEqual([400, undefined, 'Envoy itself refused the request']);
  });
});

describe('everything else has passed', () => {
  test.each<[number, readonly HeaderLine[], string]>([
    [200, [], ''],
    [404, [['content-type', 'text/html']], 'no'],
    [302, [['location', 'https://elsewhere']], ''],
    [302, [['set-cookie', 'ory_envoy_login=; Max-Age=0']], ''],
    [400, [['content-type', 'application/json']], ''],
    [401, [PROBLEM], '{"type":"urn:acme:reason:no"}'],
    [401, [PROBLEM], 'not json'],
    [401, [['content-type', 'application/json']], problem('no_rule', 403)],
    [
      200,
      [
        ['grpc-status', '5'],
        ['grpc-message', 'not found%'],
      ],
      '',
    ],
  ])('%d %j %s', (status, lines, body) => {
    expect(read(status, lines, body)).toEqual([
      200,
      undefined,
      status >= 400 ? expect.stringContaining(String(status)) : undefined,
    ]);
  });

  test('but where no application answers, that is said', () => {
    expect(
      read(503, [['content-type', 'text/plain']], 'upstream connect error or disconnect/reset before headers.'),
    ).toMatch(/the application behind the edge does not answer \(503\)/);
  });
});

describe('identity headers', () => {
  const development: HeaderLine = ['x-ory-envoy-development', 'not for production'];
  const headers = (lines: readonly HeaderLine[], body: string) => {
    const outcome = readAnswer({ status: 200, lines, body }, 'GET', ['X-User-Id']);
    return outcome.kind === 'verdict' ? outcome.headers : undefined;
  };

  test('are seen where the demo application shows them', () => {
    const body = JSON.stringify({ headers: { 'x-user-id': 'ada', host: 'a' } });
    expect(headers([development], body)).toEqual({ identity: ['X-User-Id'], lines: [['x-user-id', 'ada']] });
  });

  test('are not believed of another application, and not seen in a page', () => {
    expect(headers([], JSON.stringify({ headers: { 'x-user-id': 'ada' } }))).toBeUndefined();
    expect(headers([development], '<!doctype html>')).toBeUndefined();
  });
});
