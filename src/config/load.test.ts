// Reading the file: YAML, environment, places of faults.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError } from './fault.ts';
import { loadConfig, parseConfig } from './load.ts';
import { faultsOf, SMALLEST, withRules } from './testing/faults-of.ts';

describe('places of faults', () => {
  test.each([
    [
      'an unknown key, with the nearest known one',
      `${SMALLEST}tokns: {}\n`,
      'f.yaml:5:1: tokns: the key "tokns" is not known. Did you mean "tokens"?',
    ],
    [
      'an unknown key far from all',
      `${SMALLEST}cache: { zzzzzz: 1 }\n`,
      'f.yaml:5:10: cache.zzzzzz: the key "zzzzzz" is not known. Known here: ttl, negative_ttl, stale_if_error, max_entries, edge_ttl, redis',
    ],
    [
      'an unknown key in one alternative of a union',
      withRules('{ name: a, match: { path: / }, require: { sesion: {} } }'),
      'f.yaml:6:47: rules[0].require.sesion: the key "sesion" is not known. Did you mean "session"?',
    ],
    [
      'an unknown key below an alternative',
      withRules('{ name: a, match: { path: / }, require: { session: { all: aal2 } } }'),
      'f.yaml:6:58: rules[0].require.session.all: the key "all" is not known. Did you mean "aal"?',
    ],
    [
      'an empty any_of',
      withRules('{ name: a, match: { path: / }, require: { any_of: [] } }'),
      'f.yaml:6:55: rules[0].require.any_of: empty. Write an alternative',
    ],
    [
      'a duration that is a number',
      `${SMALLEST}cache: { ttl: 5 }\n`,
      'f.yaml:5:15: cache.ttl: expected a string, found a number. Write one such as 500ms, 30s, 15m or 1h',
    ],
    [
      'an address that is a number',
      `${SMALLEST}serve: { http: 8080 }\n`,
      'f.yaml:5:16: serve.http: expected a string, found a number. Write host:port, such as 127.0.0.1:8080',
    ],
    [
      'a text that is a number',
      withRules('{ name: a, match: { path: / }, require: { token: { scopes: [5] } } }'),
      'f.yaml:6:65: rules[0].require.token.scopes[0]: expected a string, found a number. Put it in quotes',
    ],
    [
      'a text that is a list',
      withRules('{ name: a, match: { path: [/] }, allow: anyone }'),
      'f.yaml:6:31: rules[0].match.path: expected a string, found a list. Write one text',
    ],
    [
      'one of few words that was meant otherwise',
      withRules('{ name: a, match: { path: / }, require: { session: { aal: aal3 } } }'),
      'f.yaml:6:63: rules[0].require.session.aal: not a value that is known here. Choose from aal1, aal2',
    ],
    [
      'a key that a sibling has',
      withRules('{ name: a, match: { path: / }, require: { session: { scopes: [a] } } }'),
      'f.yaml:6:58: rules[0].require.session.scopes: "scopes" belongs to token. Write token: { scopes: … }',
    ],
    [
      'a key that belongs one level deeper',
      withRules('{ name: a, match: { path: / }, require: { any_of: [{ max_age: 15m }] } }'),
      'f.yaml:6:58: rules[0].require.any_of[0].max_age: "max_age" belongs to session. Write session: { max_age: … }',
    ],
    [
      'a key that another part of the file has',
      `${SMALLEST}tokens: { http: a }\n`,
      'f.yaml:5:11: tokens.http: "http" belongs to serve. Write serve: { http: … }',
    ],
    [
      'any_of beside a requirement',
      withRules('{ name: a, match: { path: / }, require: { session: {}, any_of: [{ session: {} }] } }'),
      'f.yaml:6:60: rules[0].require.any_of: session and any_of are given together. Keep one of them',
    ],
    [
      'any_of beside two',
      withRules('{ name: a, match: { path: / }, require: { any_of: [{ session: {} }], token: {}, session: {} } }'),
      'f.yaml:6:47: rules[0].require.any_of: token, session and any_of are given together. Keep one of them',
    ],
    [
      'any_of beside what is not known',
      withRules('{ name: a, match: { path: / }, require: { any_of: [{ session: {} }], sesion: {} } }'),
      'f.yaml:6:74: rules[0].require.sesion: the key "sesion" is not known. Did you mean "session"?',
    ],
    [
      'a host with a scheme',
      withRules('{ name: a, match: { path: /, host: "https://a.com" }, allow: anyone }'),
      'f.yaml:6:40: rules[0].match.host: "https://a.com" has a scheme. Write the name alone, without "https://"',
    ],
    [
      'a duration with an unknown unit',
      `${SMALLEST}cache: { ttl: 5d }\n`,
      'f.yaml:5:15: cache.ttl: not a duration. Write one such as 500ms, 30s, 15m or 1h',
    ],
    [
      'a duration out of range',
      `${SMALLEST}cache: { ttl: 25h }\n`,
      'f.yaml:5:15: cache.ttl: out of range. Choose from 0s to 24h',
    ],
    [
      'a number out of range',
      `${SMALLEST}cache: { max_entries: 0 }\n`,
      'f.yaml:5:23: cache.max_entries: out of range. Choose at least 1',
    ],
    [
      'a number that is not whole',
      `${SMALLEST}cache: { max_entries: 1.5 }\n`,
      'f.yaml:5:23: cache.max_entries: expected a whole number, found a number. Write a whole number',
    ],
    [
      'a word outside a list',
      withRules('{ name: a, match: { path: / }, require: { session: {} }, unauthenticated: maybe }'),
      'f.yaml:6:79: rules[0].unauthenticated: not a value that is known here. Choose from deny, redirect',
    ],
    [
      'a missing key, at the map that lacks it',
      withRules('{ name: a, match: {}, allow: anyone }'),
      'f.yaml:6:23: rules[0].match: the key "path" is missing. Add rules[0].match.path',
    ],
    [
      'a list where a map belongs',
      `${SMALLEST}tokens: [a]\n`,
      'f.yaml:5:9: tokens: expected a map, found a list. Write a map',
    ],
    [
      'nothing where a map belongs',
      `${SMALLEST}tokens:\n`,
      'f.yaml:5:1: tokens: expected a map, found nothing. Write a map',
    ],
    [
      'a bad header name',
      `${SMALLEST}identity_headers: { "X User": [token.sub] }\n`,
      'f.yaml:5:21: identity_headers.X User: not a header name. Use letters, digits and at most four "-"',
    ],
    [
      'a bad source',
      `${SMALLEST}identity_headers: { X-User: [kratos.id] }\n`,
      'f.yaml:5:30: identity_headers.X-User[0]: not a source. Write a path below session or token, such as session.identity.id or token.sub',
    ],
    [
      'a host that is none',
      `${SMALLEST}serve: { http: "999.1.1.1:80" }\n`,
      'f.yaml:5:16: serve.http: not a host. Write a name, an IPv4 address or an IPv6 address in brackets',
    ],
    [
      'a port that is none',
      `${SMALLEST}serve: { http: "127.0.0.1:65536" }\n`,
      'f.yaml:5:16: serve.http: not a port. Choose from 0 to 65535',
    ],
    [
      'a key given twice, at the second',
      `${SMALLEST}ory: {}\n`,
      'f.yaml:5:1: ory: the key "ory" is given twice. Keep one of them',
    ],
    [
      'a key that JavaScript would swallow',
      `${SMALLEST}identity_headers: { __proto__: [token.sub] }\n`,
      'f.yaml:5:21: identity_headers.__proto__: the key "__proto__" is not known. Take it out',
    ],
    [
      'a tag',
      `${SMALLEST}tokens: !secret { audiences: [a] }\n`,
      'f.yaml:5:9: not YAML: Unresolved tag: !secret. Mend the line',
    ],
    [
      'a tab as indentation',
      'ory:\n\turl: x\n',
      'f.yaml:2:1: not YAML: Tabs are not allowed as indentation. Mend the line',
    ],
    [
      'a second document',
      `${SMALLEST}---\n${SMALLEST}`,
      'f.yaml:1:1: it holds more than one document. Take out the line "---"',
    ],
    ['an empty file', '', 'f.yaml:1:1: it is empty. Begin with ory: and edge:'],
    ['a file of comments', '# nothing\n', 'f.yaml:1:1: it is empty. Begin with ory: and edge:'],
    ['a list as the whole file', '- a\n', 'f.yaml:1:1: expected a map, found a list. Write a map'],
    [
      'behind CRLF line ends',
      `${SMALLEST}tokns: {}\n`.replaceAll('\n', '\r\n'),
      'f.yaml:5:1: tokns: the key "tokns" is not known. Did you mean "tokens"?',
    ],
    [
      'a missing upstream',
      'ory: { url: https://a.example }\nedge: {}\n',
      'f.yaml:2:7: edge: the application behind the edge is missing. Give edge.upstream, such as http://127.0.0.1:3000',
    ],
    [
      'an unknown anchor',
      `${SMALLEST}cache: *nope\n`,
      'f.yaml:5:8: cache: no anchor "&nope" stands before it. Write the value out',
    ],
    [
      'a value behind an alias, at the alias',
      `${SMALLEST}tokens: { audiences: &a [x] }\ncache: *a\n`,
      'f.yaml:6:8: cache: expected a map, found a list. Write a map',
    ],
  ])('%s is reported with line, column and a way out', (_, text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });

  test('a byte order mark moves no column', () => {
    expect(faultsOf(`\uFEFForx: 1\n${SMALLEST}`)).toEqual([
      'f.yaml:1:1: orx: the key "orx" is not known. Did you mean "ory"?',
    ]);
    expect(faultsOf(`\uFEFF${SMALLEST}`)).toEqual([]);
  });

  test('several faults come in the order of their places', () => {
    const text = `${SMALLEST}cache: { ttl: x }\nserve: { http: y }\nfoo: 1\ntokens: { clock_skew: z }\n`;
    const places = faultsOf(text).map((fault) => fault.split(':').slice(1, 3).join(':'));
    expect(places).toEqual(['5:15', '6:16', '7:1', '8:23']);
    const rules = withRules(
      '{ name: a, match: { path: b }, allow: anyone }',
      '{ name: a, match: { path: /x }, allow: anyone, upstream: api }',
    );
    expect(faultsOf(rules).map((fault) => fault.split(': ')[1])).toEqual([
      'rules[0].match.path',
      'rules[1].name',
      'rules[1].upstream',
    ]);
  });

  test('a fault that quotes the file stays on one line', () => {
    const faults = faultsOf(withRules('{ name: a, match: { path: "x\\n\\e[31m" }, allow: anyone }'));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain('x\\x0a\\x1b[31m');
  });
});

describe('environment', () => {
  const written = (value: string) => `${SMALLEST}tokens: { audiences: [${value}] }\n`;
  const read = (value: string, env: Record<string, string>) =>
    parseConfig(written(value), 'f.yaml', { env }).rules[0]?.access;
  const audience = (value: string) => ({ anyOf: [{ kind: 'session' }, { audiences: [value] }] });

  test('a variable is put in its place, also in the middle of a text and twice', () => {
    expect(read('"a-${X}-${Y}"', { X: '1', Y: '2' })).toMatchObject(audience('a-1-2'));
  });

  test.each(['5', 'true', 'null', '[a]', '{ a: b }', '*x', 'a: b', '- a', '# c', '"', '${X}', '$&', "$'"])(
    'a value that looks like something else (%s) stays that text',
    (value) => {
      expect(read('"${X}"', { X: value })).toMatchObject(audience(value));
    },
  );

  test.each([
    ['a missing variable', '"${X}"', 'tokens.audiences[0]: the environment variable X is not set. Set it: export X=…'],
    [
      'a variable that every object has',
      '"${constructor}"',
      'tokens.audiences[0]: the environment variable constructor is not set. Set it: export constructor=…',
    ],
    ['no name', '"${}"', 'tokens.audiences[0]: a "${" does not begin the name of a variable. Write ${NAME}'],
    [
      'a name that cannot be',
      '"${A-B}"',
      'tokens.audiences[0]: a "${" does not begin the name of a variable. Write ${NAME}',
    ],
    ['no end', '"s3cret${A"', 'tokens.audiences[0]: a "${" does not begin the name of a variable. Write ${NAME}'],
  ])('%s stops the start', (_, value, fault) => {
    expect(faultsOf(written(value))).toEqual([`f.yaml:5:23: ${fault}`]);
  });

  test('an empty variable stops the start', () => {
    expect(faultsOf(written('"${X}"'), { X: '' })).toEqual([
      'f.yaml:5:23: tokens.audiences[0]: the environment variable X is not set. Set it: export X=…',
    ]);
  });

  test('no value of the environment stands in a message', () => {
    const env = { CANARY: 'canary://user:c4n4ry@x' };
    const values = [
      'ory: { url: V }',
      'ory: { login_url: V }',
      'ory: { timeout: V }',
      'tokens: { clock_skew: V }',
      'edge: { upstream: V }',
      'edge: { listen: V }',
      'serve: { http: V }',
      'identity_headers: { X: [V] }',
      'rules: V',
      'cache: { max_entries: V, redis: V }',
      'ory: { session_cookies: [V] }',
      'ory: { api_key: [V] }',
    ];
    for (const line of values) {
      const faults = faultsOf(`${line.replaceAll('V', '"${CANARY}"')}\n`, env).join('\n');
      expect(faults, line).not.toBe('');
      expect(faults, line).not.toContain('c4n4ry');
    }
  });

  test('a variable in a key is not replaced', () => {
    expect(faultsOf(`${SMALLEST}"\${X}": 1\n`, { X: 'cache' })[0]).toContain('the key "${X}" is not known');
  });
});

describe('loadConfig', () => {
  test('reads a file, and says so where it cannot', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ory-envoy-load-'));
    try {
      const file = join(dir, 'c.yaml');
      writeFileSync(file, SMALLEST);
      expect(loadConfig(file, { env: {} }).edge.publicUrl).toBe('http://127.0.0.1:8080');
      expect(() => loadConfig(join(dir, 'none.yaml'))).toThrowError(
        /none\.yaml:1:1: there is no such file\. Name another with -c FILE$/,
      );
      expect(() => loadConfig(dir)).toThrowError(ConfigError);
      expect(() => loadConfig(dir)).toThrowError(/it cannot be read \(EISDIR\)/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
