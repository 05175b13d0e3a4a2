// What is said of a file that is valid and will not work as hoped.
import { describe, expect, test } from 'vitest';
import { parseConfig } from './load.ts';
import { warningsOf } from './warnings.ts';

const warnings = (ory: string, edge: string, more = '') =>
  warningsOf(parseConfig(`ory: { ${ory} }\nedge: { upstream: "http://u:1", ${edge} }\n${more}`, 'f.yaml', { env: {} }));
const REDIRECTING =
  'rules: [{ name: a, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }]\n';
const TOKENS = 'tokens: { audiences: [a] }\nrules: [{ name: a, match: { path: "/**" }, require: { token: {} } }]\n';

describe('browser sessions', () => {
  test.each([
    [
      'Ory Network, and the edge on a domain of one’s own',
      'url: "https://acme.projects.oryapis.com"',
      'public_url: "https://app.acme.com"',
    ],
    ['Ory Network, and the edge on this machine', 'url: "https://acme.projects.oryapis.com"', ''],
    ['two customers of one public suffix', 'url: "https://a.co.uk"', 'public_url: "https://b.co.uk"'],
    ['localhost and 127.0.0.1, which browsers keep apart', 'url: "http://localhost:4455"', ''],
  ])('cannot work with %s', (_, ory, edge) => {
    expect(warnings(ory, edge)).toEqual([expect.stringMatching(/^browsers will never send .*edge\.ory_path/)]);
  });

  test.each([
    ['a custom domain', 'url: "https://auth.acme.com"', 'public_url: "https://app.acme.com"'],
    ['one host', 'url: "http://127.0.0.1:4455"', ''],
    [
      'a Kratos that is reached by an internal name',
      'kratos: { public_url: "http://kratos.ory.svc.cluster.local" }',
      'public_url: "https://app.acme.com"',
    ],
    ['Ory on the edge’s own origin', 'url: "https://acme.projects.oryapis.com", api_key: k', 'ory_path: /.ory'],
  ])('can work with %s', (_, ory, edge) => expect(warnings(ory, edge)).toEqual([]));

  test('are those of the login page where that is elsewhere', () => {
    const kratos =
      'kratos: { public_url: "https://acme.projects.oryapis.com" }, login_url: "https://auth.acme.com/login"';
    expect(warnings(kratos, 'public_url: "https://app.acme.com"', REDIRECTING)).toEqual([]);
    expect(warnings(kratos, 'public_url: "https://app.other.com"', REDIRECTING)).toHaveLength(1);
  });

  test('are no matter where no rule takes a session', () => {
    expect(warnings('url: "https://acme.projects.oryapis.com"', '', TOKENS)).toEqual([]);
  });
});

test('a session of Ory on the edge’s own origin is not one for another host', () => {
  const rules = (host: string) =>
    `rules: [{ name: a, match: { host: "${host}", path: "/**" }, require: { session: {} }, unauthenticated: redirect }]\n`;
  const edge = 'public_url: "https://app.acme.com", ory_path: /.ory';
  expect(warnings('url: "https://ory.acme.com"', edge, rules('admin.acme.com'))).toEqual([
    expect.stringMatching(/^rule a: .*app\.acme\.com alone.*admin\.acme\.com/),
  ]);
  expect(warnings('url: "https://ory.acme.com"', edge, rules('app.acme.com'))).toEqual([]);
});

test('nobody can be sent back to every address of a machine', () => {
  expect(warnings('url: "http://0.0.0.0:1"', 'listen: "0.0.0.0:80"', REDIRECTING)).toEqual([
    expect.stringContaining('set edge.public_url'),
  ]);
  expect(warnings('url: "http://0.0.0.0:1"', 'listen: "0.0.0.0:80"')).toEqual([]);
});

test('Ory Network on one’s own origin needs the project’s API key', () => {
  expect(warnings('url: "https://acme.projects.oryapis.com"', 'ory_path: /.ory')).toEqual([
    expect.stringContaining('set ory.api_key'),
  ]);
});

describe('the second factor and a login anew', () => {
  const asks = (session: string, unauthenticated = 'redirect') =>
    `rules: [{ name: vault, match: { path: "/**" }, require: { session: { ${session} } }, unauthenticated: ${unauthenticated} }]\n`;
  const ory = (loginUrl: string) =>
    `kratos: { public_url: "http://kratos.internal:4433" }, login_url: "https://auth.acme.com${loginUrl}"`;
  const edge = 'public_url: "https://app.acme.com"';

  test.each(['aal: aal2', 'max_age: 15m'])('(%s) would be asked for at an address that no browser knows', (session) => {
    expect(warnings(ory('/login'), edge, asks(session))).toEqual([
      expect.stringMatching(
        /^rule vault: .*http:\/\/kratos\.internal:4433\/self-service\/login\/browser.*ory\.login_url/,
      ),
    ]);
  });

  test.each([
    ['where login_url is Kratos’s own flow', ory('/self-service/login/browser'), edge, asks('aal: aal2')],
    ['with edge.ory_path', ory('/login'), `${edge}, ory_path: /.ory`, asks('aal: aal2')],
    ['where the rule asks for no more than a session', ory('/login'), edge, asks('')],
    ['where nobody is redirected', ory('/login'), edge, asks('aal: aal2', 'deny')],
    ['where everything is internal', 'kratos: { public_url: "http://kratos.internal" }', edge, asks('aal: aal2')],
  ])('are asked for where browsers can go %s', (_, from, at, rules) => {
    expect(warnings(from, at, rules)).toEqual([]);
  });
});

describe('a redirect', () => {
  const rules = (methods: string) =>
    `rules: [{ name: a, match: { path: "/**", methods: [${methods}] }, require: { session: {} }, unauthenticated: redirect }]\n`;

  test('sends nobody anywhere on a rule that takes no GET', () => {
    expect(warnings('url: "http://127.0.0.1:1"', '', rules('POST, HEAD'))).toEqual([
      expect.stringMatching(/^rule a: unauthenticated: redirect sends nobody to the login.*Add GET/),
    ]);
    expect(warnings('url: "http://127.0.0.1:1"', '', rules('POST, GET'))).toEqual([]);
  });
});

describe('alternatives', () => {
  const of = (...alternatives: string[]) =>
    warnings(
      'url: "http://127.0.0.1:1"',
      '',
      `tokens: { audiences: [a, b] }\nrules: [{ name: r, match: { path: "/**" }, require: { any_of: [${alternatives.map((one) => `{ ${one} }`)}] } }]\n`,
    );

  test.each([
    ['the same twice', ['session: {}', 'session: {}'], 1, 0],
    ['a level beside none', ['session: {}', 'session: { aal: aal2 }'], 1, 0],
    ['a level before none', ['session: { aal: aal2 }', 'session: {}'], 0, 1],
    ['a shorter age', ['session: { max_age: 15m }', 'session: { max_age: 1h }'], 0, 1],
    ['more scopes', ['token: { scopes: [a, b] }', 'token: { scopes: [b] }'], 0, 1],
    ['fewer audiences', ['token: {}', 'token: { audiences: [b] }'], 1, 0],
    ['more claims', ['token: { claims: { a: 1, b: 2 } }', 'session: {}', 'token: { claims: { b: 2 } }'], 0, 2],
  ])('one adds nothing: %s', (_, alternatives, needless, enough) => {
    expect(of(...alternatives)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^rule r: any_of\\[${needless}\\] \\(.*\\) adds nothing, since any_of\\[${enough}\\] \\(.*\\) is enough`,
        ),
      ),
    ]);
  });

  test.each([
    ['of two kinds', ['session: {}', 'token: {}']],
    ['a level or an age', ['session: { aal: aal2 }', 'session: { max_age: 15m }']],
    ['two scopes', ['token: { scopes: [a] }', 'token: { scopes: [b] }']],
    ['two audiences', ['token: { audiences: [a] }', 'token: { audiences: [b] }']],
    ['two values of a claim', ['token: { claims: { a: 1 } }', 'token: { claims: { a: "1" } }']],
    ['an audience or a scope', ['token: { audiences: [a] }', 'token: { scopes: [s] }']],
  ])('each adds something: %s', (_, alternatives) => expect(of(...alternatives)).toEqual([]));
});

describe('sources of identity headers', () => {
  const of = (source: string) =>
    warnings('url: "http://127.0.0.1:1"', '', `identity_headers: { X-User: [${source}] }\n`);

  test.each([
    ['session.identiy.id', 'a session of Kratos has no "identiy". Did you mean "identity"?'],
    ['session.identity.trait.email', 'an identity of Kratos has no "trait". Did you mean "traits"?'],
    ['session.email', 'a session of Kratos has no "email". It has id, active, expires_at'],
    ['session.identity.email', 'an identity of Kratos has no "email". It has id, external_id'],
  ])('%s is always empty', (source, message) => {
    expect(of(source)).toEqual([
      expect.stringContaining(`identity_headers.X-User: ${source} is always empty, since ${message}`),
    ]);
  });

  test.each([
    'session.identity.traits.anything.below',
    'session.identity.metadata_public.x',
    'session.identity.verified_email',
    'session.identity',
    'session.devices',
    'session.authenticator_assurance_level',
    'token.identiy.id',
    'token.x',
  ])('%s may have a value', (source) => expect(of(source)).toEqual([]));
});
