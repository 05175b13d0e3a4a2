// Rules: what they may say, and between which of them there is a mistake.
import { describe, expect, test } from 'vitest';
import { parseConfig } from './load.ts';
import { faultsOf, SMALLEST, withRules } from './testing/faults-of.ts';

const rule = (name: string, match: string, more = 'allow: anyone') => `{ name: ${name}, match: { ${match} }, ${more} }`;
const problems = (...rules: string[]) => faultsOf(`${withRules(...rules)}tokens: { audiences: [aud] }\n`);

describe('keys that are not built yet', () => {
  test.each([
    ['rules[0].match.mcp', withRules(rule('a', 'path: /, mcp: { method: tools/call }'))],
    ['cache.redis', `${SMALLEST}cache: { redis: "redis://127.0.0.1" }\n`],
    ['edge.mcp', 'ory: { url: "https://a" }\nedge: { upstream: "http://a:1", mcp: { resource: "https://a/mcp" } }\n'],
  ])('%s is refused, not ignored', (key, text) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(` ${key}: not supported yet. Take it out`);
  });

  test('the whole example of the design names each of them, in order, and nothing else', () => {
    const keys = faultsOf(FULL_EXAMPLE, { ORY_API_KEY: 'k', ADMIN_TOKEN: 't'.repeat(16) }).map((fault) =>
      fault.split(': ').slice(1, 3).join(': '),
    );
    expect(keys).toEqual(['cache.redis', 'edge.mcp'].map((key) => `${key}: not supported yet. Take it out`));
  });
});

describe('requirements', () => {
  test('a token: scopes once each, claims at dotted paths, audiences of its own or of tokens', () => {
    const more = 'require: { token: { scopes: [a, b, a], claims: { tenant: acme, ext.level: 3, ext.admin: true } } }';
    const { rules } = parseConfig(`${withRules(rule('a', 'path: /', more))}tokens: { audiences: [aud] }\n`, 'f.yaml');
    expect(rules[0]?.access).toEqual({
      kind: 'require',
      anyOf: [
        {
          kind: 'token',
          audiences: ['aud'],
          scopes: ['a', 'b'],
          claims: [
            { path: ['tenant'], value: 'acme' },
            { path: ['ext', 'level'], value: 3 },
            { path: ['ext', 'admin'], value: true },
          ],
        },
      ],
    });
  });

  test('a session, and any_of in the order written', () => {
    const more = 'require: { any_of: [{ token: {} }, { session: { aal: aal2, max_age: 15m } }] }';
    const { rules } = parseConfig(`${withRules(rule('a', 'path: /', more))}tokens: { audiences: [aud] }\n`, 'f.yaml');
    expect(rules[0]?.access).toEqual({
      kind: 'require',
      anyOf: [
        { kind: 'token', audiences: ['aud'], scopes: [], claims: [] },
        { kind: 'session', aal: 'aal2', maxAgeMs: 900_000 },
      ],
    });
  });

  test.each([
    [
      'scopes of a session',
      'require: { session: { scopes: [a] } }',
      'require.session.scopes: "scopes" belongs to token. Write token: { scopes: … }',
    ],
    ['two scopes in one', 'require: { token: { scopes: ["a b"] } }', 'scopes[0]: not a scope'],
    ['no scope', 'require: { token: { scopes: [] } }', 'scopes: empty'],
    ['a claim without a name', 'require: { token: { claims: { "a..b": 1 } } }', 'claims.a..b: not a claim'],
    ...['[1]', '{ b: 1 }', 'null', '.nan', '.inf', '1e400'].map((value) => [
      `a claim that is ${value}`,
      `require: { token: { claims: { a: ${value} } } }`,
      'claims.a: not a value to compare with. Write one text, one finite number, true or false (a claim that is a list has to hold it)',
    ]),
    ...['9007199254740992', '12345678901234567890', '-9007199254740992', '9007199254740993.5', '1e300'].map((value) => [
      `a claim of ${value}`,
      `require: { token: { claims: { a: ${value} } } }`,
      'claims.a: a number beyond 2^53 - 1, which is not exact. Write it as a text, and have the token say it as a text',
    ]),
    ['no alternative', 'require: { any_of: [] }', 'any_of: empty'],
    ['any_of inside of any_of', 'require: { any_of: [{ any_of: [{ session: {} }] }] }', 'any_of'],
    ['any_of beside a requirement', 'require: { session: {}, any_of: [{ session: {} }] }', 'any_of'],
  ])('%s is refused', (_, more, problem) => {
    const found = problems(rule('a', 'path: /', more));
    expect(found.join('\n')).toContain(problem);
  });

  test.each(['9007199254740991', '-9007199254740991', '0.5', '-0.1', '0', '"12345678901234567890"'])(
    'a claim of %s is right',
    (value) => expect(problems(rule('a', 'path: /', `require: { token: { claims: { a: ${value} } } }`))).toEqual([]),
  );

  test('an alternative without an audience is named with its place', () => {
    const more = 'require: { any_of: [{ session: {} }, { token: {} }] }';
    const found = faultsOf(withRules(rule('a', 'path: /', more)));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('rules[0].require.any_of[1].token: the token’s audience is not said');
  });
});

describe('who may pass', () => {
  test.each([
    ['nobody is named', 'unauthenticated: deny', 'the rule does not say who may pass'],
    ['two answers', 'allow: anyone, require: { session: {} }', 'allow and require are both given'],
    ['identify with require', 'require: { session: {} }, identify: true', 'identify goes with allow: anyone'],
    ['a redirect of nobody', 'allow: anyone, unauthenticated: redirect', 'nobody is redirected'],
    [
      'a redirect to what the rule does not take',
      'require: { token: {} }, unauthenticated: redirect',
      'rules[0].unauthenticated: this rule takes tokens alone: a person would log in, come back with a session and be refused. Take it out, or',
    ],
    [
      'a redirect to what no alternative takes',
      'require: { any_of: [{ token: {} }, { token: { scopes: [a] } }] }, unauthenticated: redirect',
      'this rule takes tokens alone',
    ],
    ['both at once', 'require: { session: {}, token: {} }', 'a session and a token are both required'],
    ['nothing required', 'require: {}', 'nothing is required'],
    ['an unknown upstream', 'allow: anyone, upstream: api', 'no upstream is called "api"'],
    ['allow: nobody', 'allow: nobody', 'not a value'],
  ])('%s is refused', (_, more, problem) => {
    expect(problems(rule('a', 'path: /', more)).join('\n')).toContain(problem);
  });

  test('a redirect is right where one alternative takes a session', () => {
    const more = 'require: { any_of: [{ token: {} }, { session: {} }] }, unauthenticated: redirect';
    expect(problems(rule('a', 'path: /', more))).toEqual([]);
  });

  test('CONNECT is never routed', () => {
    expect(problems(rule('a', 'path: /, methods: [GET, CONNECT]'))).toEqual([
      expect.stringContaining('rules[0].match.methods[1]: never routed, since CONNECT asks for a tunnel. Take it out'),
    ]);
  });

  test('a token needs an audience: of its own, of all, or none on purpose', () => {
    const text = withRules(rule('a', 'path: /', 'require: { token: {} }'));
    expect(faultsOf(text)[0]).toContain('rules[0].require.token: the token’s audience is not said');
    const access = (more: string) => parseConfig(text + more, 'f', { env: {} }).rules[0]?.access;
    expect(access('tokens: { audiences: [x] }\n')).toEqual({
      kind: 'require',
      anyOf: [{ kind: 'token', audiences: ['x'], scopes: [], claims: [] }],
    });
    expect(access('tokens: { any_audience: true }\n')).toEqual({
      kind: 'require',
      anyOf: [{ kind: 'token', audiences: [], scopes: [], claims: [] }],
    });
    expect(faultsOf(`${SMALLEST}tokens: { audiences: [] }\n`)[0]).toContain('empty');
    expect(faultsOf(`${SMALLEST}tokens: { audiences: [""] }\n`)[0]).toContain('empty');
  });

  test('a rule’s audiences replace the general ones', () => {
    const { rules } = parseConfig(
      `${withRules(rule('a', 'path: /', 'require: { token: { audiences: [mine] } }'))}tokens: { audiences: [x], any_audience: true }\n`,
      'f',
      { env: {} },
    );
    expect(rules[0]?.access).toEqual({
      kind: 'require',
      anyOf: [{ kind: 'token', audiences: ['mine'], scopes: [], claims: [] }],
    });
  });

  test('identify tries the session, then the token', () => {
    const { rules } = parseConfig(
      `${withRules(rule('a', 'path: /', 'allow: anyone, identify: true'))}tokens: { audiences: [x] }\n`,
      'f',
      { env: {} },
    );
    expect(rules[0]?.access).toEqual({
      kind: 'identify',
      anyOf: [
        { kind: 'session', aal: undefined, maxAgeMs: undefined },
        { kind: 'token', audiences: ['x'], scopes: [], claims: [] },
      ],
    });
  });
});

describe('pages of other origins', () => {
  const cors = (origins: string, match = 'path: /') =>
    problems(rule('a', match, `require: { session: {} }, cors: { origins: ${origins} }`));

  test.each(['*', 'null', 'https://*.example', 'a.example', 'https://u@a.example'])('%s is no origin', (origin) => {
    expect(cors(`["${origin}"]`)).toEqual([
      expect.stringContaining(
        'rules[0].cors.origins[0]: not an origin. Write scheme and host alone, such as https://app.acme.com',
      ),
    ]);
  });

  test.each([
    ['https://a.example/', 'without a path or a "/" at the end'],
    ['https://a.example/x', 'without a path or a "/" at the end'],
    ['HTTPS://a.example', 'in lower case'],
    ['https://a.example:443', 'without the default port'],
    ['http://A.example:80/', 'in lower case and without the default port and without a path or a "/" at the end'],
    ['https://é.example', 'in Punycode'],
  ])('%s is no origin as browsers write it, which is %s', (origin, way) => {
    expect(cors(`["${origin}"]`)).toEqual([
      expect.stringContaining(`rules[0].cors.origins[0]: not an origin as browsers write it. Write it ${way}`),
    ]);
  });

  test.each(['https://a.example', 'http://a.example:443', 'https://a.example:80', 'http://127.0.0.1:3000'])(
    '%s is an origin',
    (origin) => expect(cors(`["${origin}"]`)).toEqual([]),
  );

  test('their preflights must be taken by the rule', () => {
    expect(cors('["https://a.example"]', 'path: /, methods: [GET]')).toEqual([
      'f.yaml:6:78: rules[0].cors: preflights are OPTIONS requests, and this rule does not take them. Add OPTIONS to match.methods',
    ]);
    expect(cors('["https://a.example"]', 'path: /, methods: [GET, OPTIONS]')).toEqual([]);
  });
});

describe('rules below edge.ory_path', () => {
  const below = (path: string) =>
    faultsOf(
      `ory: { url: "https://a" }\nedge: { upstream: "http://a:1", ory_path: /.ory }\nrules: [{ name: a, match: { path: "${path}" }, allow: anyone }]\n`,
    );

  test.each(['/.ory', '/.ory/**', '/.ory/x'])('%s can never match', (path) => {
    expect(below(path)).toEqual([
      expect.stringContaining('rules[0].match.path: the rule can never match: edge.ory_path (/.ory) takes'),
    ]);
  });

  test.each(['/**', '/.oryx', '/*/x'])('%s is right', (path) => expect(below(path)).toEqual([]));
});

describe('names', () => {
  test.each(['', 'A', 'a_b', 'a.b', 'a b', 'é', 'x'.repeat(64)])('%j is not a rule name', (name) => {
    expect(problems(rule(JSON.stringify(name), 'path: /'))[0]).toContain('not a rule name');
  });

  test('a name is given once', () => {
    expect(problems(rule('a', 'path: /x'), rule('a', 'path: /y'))).toEqual([
      'f.yaml:7:13: rules[1].name: another rule is called "a". Rules need names of their own: they stand in logs and metrics',
    ]);
  });
});

describe('rules that can never match', () => {
  test.each([
    ['the same path', ['path: /a', 'path: /a']],
    ['a wider path', ['path: /a/**', 'path: /a']],
    ['a wider path with a trailing slash', ['path: /a/**', 'path: /a/']],
    ['everything', ['path: /**', 'path: /x/*/y/**']],
    ['a star before a name', ['path: /*', 'path: /a']],
    ['any host before one', ['path: /a', 'path: /a, host: x.com']],
    ['a wildcard before a host', ['path: /a, host: "*.x.com"', 'path: /a, host: A.X.com']],
    ['any method before one', ['path: /a', 'path: /a, methods: [GET]']],
    ['a method among others', ['path: /a, methods: [GET, HEAD]', 'path: /a, methods: [HEAD]']],
    ['another spelling of the same bytes', ['path: "/%c3%a9"', 'path: /é']],
  ])('%s is refused, with the rule that takes its requests', (_, matches) => {
    const faults = problems(...matches.map((match, i) => rule(`r${i}`, match)));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(
      `rules[${matches.length - 1}].match: the rule can never match: "r0" before it takes every such request`,
    );
  });

  test('those that take its requests together are all named, and no other', () => {
    const methods = ['GET', 'PUT', 'POST', 'HEAD', 'PATCH', 'DELETE'];
    const shadowed = (wanted: string[]) =>
      problems(
        ...methods.map((method, i) => rule(`r${i}`, `path: /**, methods: [${method}]`)),
        rule('last', `path: /a, methods: [${wanted}]`),
      );
    const takenBy = (names: string) => [
      expect.stringContaining(`rules[6].match: the rule can never match: ${names} before it together take every such`),
    ];
    expect(shadowed(['POST', 'GET'])).toEqual(takenBy('"r0" and "r2"'));
    expect(shadowed(['GET', 'POST', 'HEAD'])).toEqual(takenBy('"r0", "r2" and "r3"'));
    expect(shadowed(methods)).toEqual(takenBy('"r0", "r1", "r2", "r3" and 2 more'));
    expect(shadowed(['GET', 'OPTIONS'])).toEqual([]);
  });

  test.each([
    ['a narrower path first', ['path: /a', 'path: /a/**']],
    ['with and without a trailing slash', ['path: /a', 'path: /a/']],
    ['a star and the rest', ['path: /*', 'path: /**']],
    ['one host before all', ['path: /a, host: x.com', 'path: /a']],
    ['the bare domain after the wildcard', ['path: /a, host: "*.x.com"', 'path: /a, host: x.com']],
    ['one method before all', ['path: /a, methods: [GET]', 'path: /a']],
    [
      'methods on different hosts',
      ['path: /a, host: x.com, methods: [GET]', 'path: /a, methods: [POST]', 'path: /a, methods: [GET, POST]'],
    ],
    ['case', ['path: /a', 'path: /A']],
  ])('%s is right', (_, matches) => {
    expect(problems(...matches.map((match, i) => rule(`r${i}`, match)))).toEqual([]);
  });

  test('a pattern that is refused hides no other rule and is hidden by none', () => {
    const faults = problems(
      rule('a', 'path: x'),
      rule('b', 'path: y'),
      rule('c', 'path: /z, host: "a b"'),
      rule('d', 'path: /z'),
    );
    expect(faults.map((fault) => fault.split(': ')[1])).toEqual([
      'rules[0].match.path',
      'rules[1].match.path',
      'rules[2].match.host',
    ]);
  });
});

const FULL_EXAMPLE = `ory:
  url: https://acme.projects.oryapis.com
  kratos: { public_url: https://k.example, admin_url: https://ka.example }
  hydra: { public_url: https://h.example, admin_url: https://ha.example, issuer: https://h.example/, jwks_url: https://h.example/keys }
  api_key: "\${ORY_API_KEY}"
  session_cookies: [ory_kratos_session, "ory_session_*"]
  login_url: https://app.acme.com/login
  timeout: 2s
tokens:
  audiences: [https://api.acme.com]
  clock_skew: 60s
identity_headers:
  X-User-Id:    [session.identity.id, token.sub]
  X-User-Email: [session.identity.traits.email, token.ext.email]
rules:
  - name: assets
    match: { path: "/assets/**", methods: [GET, HEAD] }
    allow: anyone
  - name: orders-read
    match: { host: api.acme.com, path: "/orders/**", methods: [GET] }
    upstream: api
    require: { token: { audiences: [https://api.acme.com], scopes: [orders:read], claims: { tenant: acme } } }
  - name: admin
    match: { path: "/admin/**" }
    require: { session: { aal: aal2, max_age: 15m } }
    unauthenticated: redirect
  - name: mixed
    match: { path: "/reports/**" }
    require: { any_of: [ { session: {} }, { token: { scopes: [reports] } } ] }
    cors: { origins: [https://app.acme.com] }
  - name: home
    match: { path: "/" }
    allow: anyone
    identify: true
  - name: app
    match: { path: "/**" }
    require: { session: {} }
    unauthenticated: redirect
cache:
  ttl: 60s
  negative_ttl: 5s
  stale_if_error: 0s
  max_entries: 100000
  edge_ttl: 30s
  redis: redis://127.0.0.1
edge:
  listen: 127.0.0.1:8080
  tls: { cert: c.pem, key: k.pem }
  public_url: https://app.acme.com
  trusted_hops: 0
  upstreams: { app: "http://127.0.0.1:3000", api: "http://127.0.0.1:3001" }
  authorizer: http://ory-envoy:9191
  admin: 127.0.0.1:9901
  ory_path: /.ory
  mcp: { resource: https://mcp.acme.com/mcp, scopes: [mcp] }
serve: { http: 127.0.0.1:9191, grpc: 127.0.0.1:9192, admin: 127.0.0.1:9193, admin_token: "\${ADMIN_TOKEN}" }
`;
