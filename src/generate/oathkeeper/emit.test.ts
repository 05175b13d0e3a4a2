// What is generated for Oathkeeper: files that were reviewed, what changes with a rule, and what is refused.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../config/load.ts';
import { GenerateError } from '../generate-error.ts';
import { generateOathkeeper } from './emit.ts';

const EVERYTHING = `
ory:
  kratos: { public_url: https://kratos.acme.internal }
  hydra: { public_url: https://hydra.acme.internal, admin_url: http://hydra-admin.acme.internal:4445, issuer: "https://id.acme.com/" }
  session_cookies: [acme_session, "ory_session_*"]
  login_url: https://acme.com/login
tokens: { audiences: [https://api.acme.com] }
identity_headers: { X-User-Id: [session.identity.id, token.sub], X-User-Email: [session.identity.verified_email, token.ext.email], X-Scopes: [token.scopes] }
rules:
  - { name: assets, match: { path: "/assets/**", methods: [GET, HEAD] }, allow: anyone }
  - { name: partners, match: { host: "*.partner.com", path: "/café/*/a.b(c)/**" }, require: { session: {} } }
  - { name: orders, match: { host: api.acme.com, path: "/orders/**", methods: [GET] }, upstream: api, require: { token: { scopes: [orders:read] } } }
  - { name: api, match: { host: api.acme.com, path: "/**" }, upstream: api, require: { token: {} } }
  - { name: reports, match: { path: "/reports/**" }, require: { any_of: [ { session: {} }, { token: { scopes: [reports] } } ] }, cors: { origins: [https://spa.acme.com] } }
  - { name: home, match: { path: "/" }, allow: anyone, identify: true }
  - { name: app, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }
edge: { public_url: https://acme.com, upstreams: { app: http://10.0.0.6:3000, api: https://api.internal } }
`;

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
/** Second factors, ages and claims. */
const BEYOND = ['kubernetes.yaml', 'mixed.yaml', 'self-hosted.yaml', 'step-up.yaml'];

const SMALLEST = `
ory: { url: https://acme-corp-1.projects.oryapis.com }
edge: { upstream: http://127.0.0.1:3000 }
`;

const generate = (text: string, env = {}) => generateOathkeeper(parseConfig(text, 'x.yaml', { env }));
const file = (text: string, name: string) => generate(text).files.get(name) ?? '';
// biome-ignore lint/suspicious/noExplicitAny: the shape is Oathkeeper's, and a wrong step fails the test
type Anything = any;
const rulesOf = (text: string): Anything[] => parse(file(text, 'access-rules.yml'));
const configurationOf = (text: string): Anything => parse(file(text, 'oathkeeper.yml'));

/** A policy of these rules, each as YAML. */
const policy = (...rules: string[]) => `
ory: { kratos: { public_url: http://k }, hydra: { public_url: http://h, issuer: http://h } }
tokens: { audiences: [a] }
rules:
${rules.map((rule) => `  - ${rule}`).join('\n')}
edge: { upstream: http://127.0.0.1:3000 }
`;

describe('the files', () => {
  test.each(['oathkeeper.yml', 'access-rules.yml', 'envoy.yaml'])('%s is as it was reviewed', async (name) => {
    await expect(file(EVERYTHING, name)).toMatchFileSnapshot(`snapshots/everything.${name}.snap`);
  });

  test('each says at its head what it is called', () => {
    for (const [name, text] of generate(EVERYTHING).files) expect(text).toMatch(new RegExp(`^# ${name}: `));
    expect([...generate(SMALLEST).files.keys()]).toEqual(['oathkeeper.yml', 'access-rules.yml', 'envoy.yaml']);
  });

  test('the same bytes for the same policy', () => {
    expect([...generate(EVERYTHING).files]).toEqual([...generate(EVERYTHING).files]);
  });

  test('a key of the project stands in none of them, and where it has to be is said', () => {
    const text = policy('{ name: api, match: { path: "/**" }, require: { token: {} } }').replace(
      'hydra: { public_url: http://h, issuer: http://h }',
      'url: https://h, api_key: ory_pat_canary, hydra: { issuer: https://h }',
    );
    const { files, notes } = generate(text);
    expect([...files.values()].join('')).not.toContain('canary');
    expect(notes[0]).toContain('AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_INTROSPECTION_REQUEST_HEADERS');
  });
});

/** Lines that are in one text alone. */
function changed(before: string, after: string): string[] {
  const [old, next] = [before.split('\n'), after.split('\n')];
  return [...old.filter((line) => !next.includes(line)), ...next.filter((line) => !old.includes(line))];
}

describe('a change of one rule', () => {
  const changeOf = (from: string, to: string, name: string) =>
    changed(file(EVERYTHING, name), file(EVERYTHING.replace(from, to), name));

  test('of what it asks for changes its own lines', () => {
    const lines = changeOf('orders:read', 'orders:list', 'access-rules.yml');
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.every((line) => /orders:(?:read|list)/.test(line))).toBe(true);
    expect(changeOf('orders:read', 'orders:list', 'oathkeeper.yml')).toEqual([]);
    expect(changeOf('orders:read', 'orders:list', 'envoy.yaml')).toEqual([]);
  });

  test('of what it matches changes the expressions of later rules too, and nothing else', () => {
    const lines = changeOf('"/reports/**"', '"/reporting/**"', 'access-rules.yml');
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.every((line) => line.includes('url: ') && /report(?:s|ing)/.test(line))).toBe(true);
  });
});

describe('access rules', () => {
  test('a method that comes after another rule has an access rule of its own', () => {
    const rules = rulesOf(
      policy(
        '{ name: read, match: { path: "/a/**", methods: [GET] }, allow: anyone }',
        '{ name: all, match: { path: "/**" }, require: { session: {} } }',
      ),
    );
    expect(rules.map(({ id }) => id)).toEqual(['read', 'all.1', 'all.2']);
    expect(rules[1].match).toEqual({ methods: ['GET'], url: '<https?://(?![^/]+/a(?:/.*)?$)[^/]+/.*>' });
    expect(rules[2].match.methods).toContain('DELETE');
    expect(rules[2].match.methods).not.toContain('GET');
    expect(rules[2].match.url).toBe('<https?://[^/]+/.*>');
  });

  test('a method that an earlier rule takes wholly is not named', () => {
    const [, rest] = rulesOf(
      policy(
        '{ name: read, match: { path: "/a/**", methods: [GET] }, allow: anyone }',
        '{ name: write, match: { path: "/a/**" }, require: { session: {} } }',
      ),
    );
    expect(rest.match.methods).not.toContain('GET');
    expect(rest.match.url).toBe('<https?://[^/]+/a(?:/.*)?>');
  });

  test.each([
    ['"/a.b/(c)+"', '<https?://[^/]+/a\\.b/\\(c\\)\\+>'],
    ['"/<a>"', '<https?://[^/]+/\\x3Ca\\x3E>'],
    ['"/caf%C3%A9%20x"', '<https?://[^/]+/café x>'],
    ['"/a/*/**"', '<https?://[^/]+/a/[^/]+(?:/.*)?>'],
    ['"/a/"', '<https?://[^/]+/a/>'],
  ])('the path %s', (path, url) => {
    expect(rulesOf(policy(`{ name: x, match: { path: ${path} }, allow: anyone }`))[0].match.url).toBe(url);
  });

  test.each([
    ['Api.Acme.com', '<https?://(?i:api\\.acme\\.com\\.?(?::[0-9]*)?)/.*>'],
    ['"*.acme.com"', '<https?://(?i:[^/]+\\.acme\\.com\\.?(?::[0-9]*)?)/.*>'],
    ['"[::1]"', '<https?://(?i:\\[::1\\](?::[0-9]*)?)/.*>'],
  ])('the host %s', (host, url) => {
    expect(rulesOf(policy(`{ name: x, match: { host: ${host}, path: "/**" }, allow: anyone }`))[0].match.url).toBe(url);
  });

  test('only a page that is asked for is sent to the login', () => {
    const rules = rulesOf(
      policy('{ name: x, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }'),
    );
    expect(rules.map(({ match, errors }) => [match.methods.length === 1 && match.methods[0], errors])).toEqual([
      ['GET', [{ handler: 'redirect' }]],
      [false, undefined],
    ]);
  });
});

test('Oathkeeper takes the addresses of the authorizer', () => {
  const { serve } = configurationOf(`${SMALLEST}serve: { http: "[::1]:1", grpc: 0.0.0.0:2, admin: localhost:3 }`);
  expect(serve).toEqual({
    api: { host: '[::1]', port: 1 },
    proxy: { host: '0.0.0.0', port: 2 },
    prometheus: { host: 'localhost', port: 3 },
  });
});

describe('authenticators', () => {
  test('the cookie of a project on Ory Network is named after it', () => {
    expect(configurationOf(SMALLEST).authenticators.cookie_session.config.only).toEqual([
      'ory_kratos_session',
      'ory_session_acmecorp1',
    ]);
  });

  test('those that no rule uses are not switched on', () => {
    const { authenticators } = configurationOf(policy('{ name: x, match: { path: "/**" }, require: { token: {} } }'));
    expect(Object.keys(authenticators)).toEqual(['jwt']);
  });
});

describe('what Oathkeeper cannot hold', () => {
  const refusal = (...rules: string[]) => {
    try {
      generate(policy(...rules));
    } catch (error) {
      if (error instanceof GenerateError) return error.message;
      throw error;
    }
    return 'nothing';
  };

  test.each([
    ['session: { aal: aal2 }', 'session.aal'],
    ['session: { max_age: 15m }', 'session.max_age'],
    ['token: { claims: { tenant: acme } }', 'token.claims'],
    ['token: { audiences: [a, b] }', 'token.audiences'],
    ['any_of: [{ token: { scopes: [a] } }, { token: { scopes: [b] } }]', 'any_of'],
  ])('%s', (requirement, key) => {
    const message = refusal(
      '{ name: fine, match: { path: "/fine" }, require: { session: { aal: aal1 } } }',
      `{ name: strict, match: { path: "/**" }, require: { ${requirement} } }`,
    );
    expect(message).toMatch(new RegExp(`\\n {2}strict: ${key}: .*; .*$`));
    expect(message).not.toContain('fine:');
  });

  test('every rule in the way is named', () => {
    const message = refusal(
      '{ name: a, match: { path: "/a" }, require: { session: { aal: aal2, max_age: 1m } } }',
      '{ name: b, match: { path: "/b" }, require: { token: { claims: { x: 1 } } } }',
    );
    expect(
      message
        .split('\n')
        .slice(1)
        .map((line) => line.split(':')[0]),
    ).toEqual(['  a', '  a', '  b']);
  });

  test('a session whose cookie has no whole name', () => {
    const text = policy('{ name: x, match: { path: "/**" }, require: { session: {} } }').replace(
      'ory: {',
      'ory: { session_cookies: ["ory_session_*"],',
    );
    expect(() => generate(text)).toThrow('ory.session_cookies');
  });

  test('a path of bytes that are no text', () => {
    expect(refusal('{ name: x, match: { path: "/a%FF" }, allow: anyone }')).toContain('match.path "/a%FF"');
    expect(refusal('{ name: x, match: { path: "/a%EF%BF%BD" }, allow: anyone }')).toContain('match.path');
  });
});

test.each(readdirSync(EXAMPLES).filter((name) => /^(?!.*\.cases).*\.yaml$/.test(name)))(
  'the example %s is generated, or what is in the way is named',
  (name) => {
    const text = readFileSync(join(EXAMPLES, name), 'utf8');
    const config = parseConfig(text, name, { env: { ORY_API_KEY: 'ory_pat_x', ADMIN_TOKEN: 'x'.repeat(16) } });
    try {
      expect(generateOathkeeper(config).files.size).toBe(3);
      expect(BEYOND).not.toContain(name);
    } catch (error) {
      expect(error).toBeInstanceOf(GenerateError);
      expect(BEYOND).toContain(name);
    }
  },
);

test('what differs is said, with the rules that it is about', () => {
  expect(generate(EVERYTHING).notes).toEqual([
    'reports, home: a refused credential ends it, where the policy would go on to the next one or to nobody',
    expect.stringMatching(/^app: every GET that would take text\/html/),
    expect.stringMatching(/^reports: denials carry no CORS headers/),
    'ory.session_cookies: Oathkeeper knows no patterns, so of ory_session_* it takes acme_session alone',
    'tokens.clock_skew: Oathkeeper allows none, for exp, nbf and iat',
  ]);
  const text = EVERYTHING.replace('[token.scopes]', '[token.scope, token.iss, token.sub]');
  expect(generate(text).notes.at(-1)).toContain('token.scope, token.iss');
});
