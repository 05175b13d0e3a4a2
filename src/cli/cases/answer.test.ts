// Verdicts as they are read from the answers of a running edge.
import { describe, expect, test } from 'vitest';
import { PAGE_HEADERS } from '../../check/response/login-loop-page.ts';
import { readAnswer } from './answer.ts';
import type { HeaderLine } from './case.ts';

const PROBLEM: HeaderLine = ['content-type', 'application/problem+json'];
const problem = (reason: string, status: number) =>
  JSON.stringify({ type: `urn:ory-envoy:reason:${reason}`, title: 't', status, reason });

const NO_STORE: HeaderLine = ['cache-control', 'no-store'];
const PLAIN: HeaderLine = ['content-type', 'text/plain'];
const length = (text: string): HeaderLine => ['content-length', String(text.length)];

function read(status: number, lines: readonly HeaderLine[], body = '', method = 'GET', target = '/x') {
  const asked = { method, host: 'api.test:8443', target };
  const outcome = readAnswer({ status, lines, body }, asked, ['X-User-Id']);
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
    const page: HeaderLine[] = [...PAGE_HEADERS, ['set-cookie', 'ory_envoy_login=; Max-Age=0']];
    expect(read(401, page, '<!doctype html>')).toEqual([401, undefined, undefined]);
  });

  test('is not told by the cookie that a yes empties', () => {
    const cleared: HeaderLine = ['set-cookie', 'ory_envoy_login=; Path=/; Max-Age=0'];
    expect(read(404, [['content-type', 'text/html; charset=utf-8'], NO_STORE, cleared], 'no')[0]).toBe(200);
  });

  test('of HEAD is told by its bareness', () => {
    expect(read(401, [['cache-control', 'no-store']], '', 'HEAD')).toEqual([401, undefined, undefined]);
    expect(read(403, [PROBLEM, NO_STORE], '', 'HEAD')).toEqual([403, undefined, undefined]);
    expect(read(401, [['cache-control', 'no-store']])).toEqual([
      200,
      undefined,
      'it passed, and the application answered 401',
    ]);
  });
});

describe('Envoy itself refuses', () => {
  const realm = (host: string): HeaderLine => [
    'www-authenticate',
    `Bearer realm="http://${host}/x", error="invalid_token"`,
  ];
  const refused = (status: number, words = '') => [
    status,
    undefined,
    `Envoy itself refused the request${words === '' ? '' : `: ${words}`}`,
  ];
  const UNCLEAR = expect.stringMatching(/^it cannot be told/);

  // As Envoy 1.40 was seen to answer.
  test.each([
    [401, 'Jwt is missing', 'api.test:8443'],
    [401, 'Jwt verification fails', 'api.test'],
    [403, 'Audiences in Jwt are not allowed', 'API.test'],
  ])('%d %s', (status, words, host) => {
    const lines = [PLAIN, NO_STORE, realm(host)];
    expect(read(status, lines, words)).toEqual(refused(status, words));
    expect(read(status, lines, '', 'HEAD')).toEqual(refused(status));
    const call: HeaderLine[] = [
      ['content-type', 'application/grpc'],
      ['grpc-status', status === 401 ? '16' : '7'],
      ['grpc-message', words],
    ];
    expect(read(200, [...call, NO_STORE, realm(host)])).toEqual(refused(status, words));
  });

  test.each([
    [403, 'RBAC: access denied'],
    [431, 'Request Header Fields Too Large'],
  ])('%d %s', (status, words) => {
    expect(read(status, [PLAIN, NO_STORE], words)).toEqual(refused(status, words));
    expect(read(status, [PLAIN, NO_STORE, length(words)], '', 'HEAD')).toEqual(refused(status));
  });

  test.each(['/%00', '/a%00b?x'])('400 without a word: %s', (target) => {
    expect(read(400, [NO_STORE], '', 'GET', target)).toEqual(refused(400));
    expect(read(200, [['grpc-status', '13'], NO_STORE], '', 'POST', target)).toEqual(refused(400));
  });

  test('400 Bad Request: what it cannot read', () => {
    expect(read(400, [PLAIN, NO_STORE], 'Bad Request', 'GET', '/\u00c3\u00a9')).toEqual(refused(400, 'Bad Request'));
    expect(read(400, [PLAIN, NO_STORE], 'Bad Request', 'BREW')).toEqual(refused(400, 'Bad Request'));
  });

  test('and a 400 of its kind to a request that it can read is nobody’s', () => {
    expect(read(400, [PLAIN, NO_STORE], 'Bad Request')).toEqual(UNCLEAR);
    expect(read(400, [NO_STORE], '', 'GET', '/x?%00')).toEqual(UNCLEAR);
    expect(read(400, [])[0]).toBe(200);
  });

  test('or an Envoy behind it: without the edge’s own header that cannot be told', () => {
    expect(read(403, [PLAIN], 'RBAC: access denied')).toEqual(UNCLEAR);
    expect(read(401, [PLAIN, realm('api.test')], 'Jwt is missing')).toEqual(UNCLEAR);
  });

  test('the application may say nearly the same', () => {
    expect(read(401, [PLAIN, NO_STORE, realm('elsewhere.test')], 'Jwt is missing')[0]).toBe(200);
    expect(read(403, [['content-type', 'text/plain; charset=utf-8'], NO_STORE], 'RBAC: access denied')[0]).toBe(200);
    expect(read(403, [PLAIN, NO_STORE], 'no')[0]).toBe(200);
    expect(read(404, [PLAIN, NO_STORE], 'Not Found')[0]).toBe(200);
    expect(
      read(200, [
        ['grpc-status', '7'],
        ['grpc-message', 'RBAC: access denied'],
      ])[0],
    ).toBe(200);
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
    expect(read(503, [PLAIN, NO_STORE], '', 'HEAD')).toMatch(/does not answer \(503\)/);
    expect(read(200, [['grpc-status', '14'], ['grpc-message', 'upstream connect error'], NO_STORE])).toMatch(
      /does not answer \(503\)/,
    );
  });
});

describe('identity headers', () => {
  const development: HeaderLine = ['x-ory-envoy-development', 'not for production'];
  const headers = (lines: readonly HeaderLine[], body: string) => {
    const outcome = readAnswer({ status: 200, lines, body }, { method: 'GET', host: 'a', target: '/' }, ['X-User-Id']);
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
