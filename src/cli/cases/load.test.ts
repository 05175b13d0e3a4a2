// Files of cases: what is refused, with which words and where.
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../config/fault.ts';
import { parseConfig } from '../../config/load.ts';
import { parseCases } from './load.ts';

const CONFIG = parseConfig(
  `ory: { url: https://ory.example }
tokens: { audiences: [api] }
edge: { upstream: "http://127.0.0.1:3000", public_url: "https://app.example:8443" }
rules:
  - { name: orders, match: { path: "/orders/**" }, require: { token: {} } }
  - { name: app, match: { path: "/**" }, require: { session: {} } }
`,
  'f.yaml',
  { env: {} },
);
const read = (text: string, env = {}) => parseCases(text, 'c.yaml', CONFIG, env);

function faultsOf(text: string): string[] {
  try {
    read(text);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n');
  }
}

/** One case, in flow style, from its second line on. */
const one = (rest: string, expected = 'status: 200') =>
  `cases:\n  - { name: a, expect: { ${expected} }, ${rest || 'request: { url: / }'} }\n`;

test('a case has its line, and everything that it leaves out has a meaning', () => {
  const [first, second] = read(
    'cases:\n  - name: a\n    request: { url: "/x?y=é" }\n    expect: { rule: app }\n\n  - name: b\n    request: { method: PUT, url: "http://h:81", headers: { A: [" 1 ", "2"], B: "${B}" } }\n    expect: { rule: null }\n',
    { B: 'é' },
  );
  expect(first).toMatchObject({
    line: 2,
    request: { method: 'GET', host: 'app.example:8443', target: '/x?y=\u00c3\u00a9', headers: [] },
  });
  expect(second).toMatchObject({
    line: 6,
    request: {
      method: 'PUT',
      host: 'h:81',
      target: '/',
      headers: [
        ['A', '1'],
        ['A', '2'],
        ['B', '\u00c3\u00a9'],
      ],
    },
  });
});

test.each([
  ['https://a.example', 'a.example', '/'],
  ['https://a.example?x', 'a.example', '/?x'],
  ['http://[::1]:80//a/../b', '[::1]:80', '//a/../b'],
  ['//a', 'app.example:8443', '//a'],
  ['/%2e%2e\\;', 'app.example:8443', '/%2e%2e\\;'],
])('the URL %s is sent as written', (url, host, target) => {
  const [only] = read(`cases: [{ name: a, request: { url: ${JSON.stringify(url)} }, expect: { status: 200 } }]`);
  expect(only?.request).toMatchObject({ host, target });
});

describe('refused with the place and a way out', () => {
  test.each<[string, string, string]>([
    ['nothing', '', 'c.yaml:1:1: it is empty. Begin with cases:'],
    ['no case', 'cases: []', 'c.yaml:1:8: cases: empty. Write a case'],
    ['a bare list', '- name: a', 'c.yaml:1:1: expected a map, found a list. Write a map'],
    [
      'an unknown key',
      one('request: { url: /, heders: {} }'),
      'c.yaml:2:60: cases[0].request.heders: the key "heders" is not known. Did you mean "headers"?',
    ],
    [
      'a property that whoami does not have',
      one('request: { url: / }, credential: { session: { authenticated: 1 } }'),
      'c.yaml:2:87: cases[0].credential.session.authenticated: the key "authenticated" is not known. Known here: id, active, expires_at, authenticated_at, issued_at, authenticator_assurance_level, authentication_methods, devices, tokenized, identity',
    ],
    [
      'a number as header',
      one('request: { url: /, headers: { A: 1 } }'),
      'c.yaml:2:74: cases[0].request.headers.A: expected a string, found a number. Put it in quotes',
    ],
    [
      'a header that is not the case’s',
      one('request: { url: /, headers: { host: a } }'),
      'c.yaml:2:71: cases[0].request.headers.host: not a header of a case. The host is that of request.url',
    ],
    [
      'a header with a line break',
      one('request: { url: /, headers: { A: "a\\r\\nB: c" } }'),
      'c.yaml:2:74: cases[0].request.headers.A: not a header value. Take the line breaks and control characters out',
    ],
    [
      'a relative path',
      one('request: { url: orders }'),
      'c.yaml:2:57: cases[0].request.url: not a URL or path. Write https://app.acme.com/orders, or /orders for edge.public_url',
    ],
    [
      'a fragment',
      one('request: { url: "/a#b" }'),
      'c.yaml:2:57: cases[0].request.url: a fragment ("#") is never sent. Take it out',
    ],
    [
      'a time that is none',
      one('request: { url: / }, credential: { token: { exp: soon } }'),
      'c.yaml:2:90: cases[0].credential.token.exp: not a time. Write seconds since 1970, or relative to now: -20m, +1h',
    ],
    [
      'an unsigned duration',
      one('request: { url: / }, credential: { session: { expires_at: 1h } }'),
      'c.yaml:2:99: cases[0].credential.session.expires_at: not a time. Write one such as 2030-01-31T12:00:00Z, or relative to now: -20m, +1h',
    ],
    [
      'no credential',
      one('request: { url: / }, credential: {}'),
      'c.yaml:2:74: cases[0].credential: empty. Give session or token',
    ],
    [
      'a way to present nothing',
      one('request: { url: / }, credential: { session_as: bearer, token: {} }'),
      'c.yaml:2:74: cases[0].credential: session_as without session. Give session: {}',
    ],
    [
      'no expectation',
      one('', ''),
      'c.yaml:2:24: cases[0].expect: a case that expects nothing proves nothing. Give status, reason, rule or headers',
    ],
    [
      'an expectation of no headers',
      one('', 'headers: {}'),
      'c.yaml:2:24: cases[0].expect: a case that expects nothing proves nothing. Give status, reason, rule or headers',
    ],
    [
      'an unknown rule',
      one('', 'rule: order'),
      'c.yaml:2:32: cases[0].expect.rule: there is no rule "order" in the configuration. Did you mean "orders"?',
    ],
    [
      'an unknown reason',
      one('', 'reason: sesion'),
      'c.yaml:2:34: cases[0].expect.reason: not a value that is known here. Did you mean "session"?',
    ],
    [
      'a status that is no verdict',
      one('', 'status: 404'),
      'c.yaml:2:34: cases[0].expect.status: not a value that is known here. Choose from 200, 302, 400, 401, 403, 431, 503',
    ],
    [
      'a status in quotes',
      one('', 'status: "200"'),
      'c.yaml:2:34: cases[0].expect.status: not a value that is known here. Write it without quotes',
    ],
    [
      'a date without a time',
      one('request: { url: / }, credential: { session: { authenticated_at: 2024-01-01 } }'),
      'c.yaml:2:105: cases[0].credential.session.authenticated_at: not a time. Write one such as 2030-01-31T12:00:00Z, or relative to now: -20m, +1h',
    ],
    [
      'a time of nowhere',
      one('request: { url: / }, credential: { session: { expires_at: "2024-01-01T00:00:00" } }'),
      'c.yaml:2:99: cases[0].credential.session.expires_at: not a time. Write one such as 2030-01-31T12:00:00Z, or relative to now: -20m, +1h',
    ],
    [
      'a JWT that is not active',
      one('request: { url: / }, credential: { token: { active: false } }'),
      'c.yaml:2:93: cases[0].credential.token.active: of a JWT nobody asks whether it is active. Write token_as: opaque, or exp: -1m',
    ],
    [
      'a tunnel',
      one('request: { method: CONNECT, url: / }'),
      'c.yaml:2:60: cases[0].request.method: no method of a case, for it has no path. Choose another',
    ],
    [
      'a reason that never comes with its status',
      one('', 'status: 401, reason: session'),
      'c.yaml:2:34: cases[0].expect.status: the reason session never comes with the status 401. It comes with 200',
    ],
    [
      'two cases of one name',
      `${one('')}${one('').split('\n')[1]}\n`,
      'c.yaml:3:13: cases[1].name: the case "a" is there twice. Give each a name of its own',
    ],
    [
      'a variable that is not set',
      one('request: { url: /, headers: { A: "${TOKEN}" } }'),
      'c.yaml:2:74: cases[0].request.headers.A: the environment variable TOKEN is not set. Set it: export TOKEN=…',
    ],
    ['a key twice', 'cases: []\ncases: []', 'c.yaml:2:1: cases: the key "cases" is given twice. Keep one of them'],
  ])('%s', (_, text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });
});
