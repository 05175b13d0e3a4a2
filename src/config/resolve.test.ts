// Addresses that follow from others, identity headers, upstreams.
import { describe, expect, test } from 'vitest';
import { formatAddress, formatUpstream } from './config.ts';
import { parseConfig } from './load.ts';
import { faultsOf, SMALLEST } from './testing/faults-of.ts';

const parse = (text: string) => parseConfig(text, 'f.yaml', { env: {} });

describe('the smallest file', () => {
  test('becomes what the design says', () => {
    const config = parse(SMALLEST);
    expect(config).toMatchObject({
      sessions: { kratosUrl: 'https://acme.example' },
      sessionCookies: [
        { name: 'ory_kratos_session', prefix: false },
        { name: 'ory_session_', prefix: true },
      ],
      tokens: undefined,
      loginUrl: undefined,
      oryTimeoutMs: 2_000,
      identityHeaders: [
        {
          name: 'X-User-Id',
          sources: [
            { kind: 'session', path: ['identity', 'id'] },
            { kind: 'token', path: ['sub'] },
          ],
        },
        {
          name: 'X-User-Email',
          sources: [
            { kind: 'session', path: ['identity', 'traits', 'email'] },
            { kind: 'token', path: ['ext', 'email'] },
          ],
        },
      ],
      rules: [
        {
          name: 'default',
          host: undefined,
          methods: undefined,
          upstream: 'app',
          access: { kind: 'require', anyOf: [{ kind: 'session', aal: undefined, maxAgeMs: undefined }] },
          unauthenticated: 'deny',
        },
      ],
      cache: { ttlMs: 60_000, negativeTtlMs: 5_000, staleIfErrorMs: 0, maxEntries: 100_000, edgeTtlMs: 30_000 },
      serve: {
        http: { host: '127.0.0.1', port: 9191 },
        grpc: { host: '127.0.0.1', port: 9192 },
        admin: { host: '127.0.0.1', port: 9193 },
        adminToken: undefined,
      },
    });
    expect(config.edge).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      tls: undefined,
      publicUrl: 'http://127.0.0.1:8080',
      trustedHops: 0,
      admin: { host: '127.0.0.1', port: 9901 },
    });
    expect(config.edge.authorizer.href).toBe('http://127.0.0.1:9191/');
    expect(config.edge.authorizerGrpc.href).toBe('http://127.0.0.1:9192/');
  });

  test('with audiences takes a session or a token', () => {
    expect(parse(`${SMALLEST}tokens: { audiences: [a, b] }\n`).rules[0]?.access).toEqual({
      kind: 'require',
      anyOf: [
        { kind: 'session', aal: undefined, maxAgeMs: undefined },
        { kind: 'token', audiences: ['a', 'b'], scopes: [], claims: [] },
      ],
    });
  });

  test('with any_audience alone still takes sessions only', () => {
    expect(parse(`${SMALLEST}tokens: { any_audience: true }\n`).rules[0]?.access).toEqual({
      kind: 'require',
      anyOf: [{ kind: 'session', aal: undefined, maxAgeMs: undefined }],
    });
  });
});

describe('the authorizer over gRPC', () => {
  test.each([
    ['nothing', '', '', 'http://127.0.0.1:9192/'],
    ['where it listens', '', '{ http: "127.0.0.1:1", grpc: "[::1]:2" }', 'http://[::1]:2/'],
    ['a host', 'http://ory-envoy:9191', '', 'http://ory-envoy:9192/'],
    ['a host and where it listens', 'http://ory-envoy:9191', '{ grpc: "0.0.0.0:50051" }', 'http://ory-envoy:50051/'],
    ['TLS', 'https://ory-envoy', '{ grpc: "0.0.0.0:443" }', 'https://ory-envoy/'],
  ])('with %s given', (_, authorizer, serve, expected) => {
    const edge = `edge: { upstream: "http://a:1"${authorizer && `, authorizer: "${authorizer}"`} }`;
    const config = parse(`ory: { url: https://a.example }\n${edge}\n${serve && `serve: ${serve}\n`}`);
    expect(config.edge.authorizerGrpc.href).toBe(expected);
  });
});

describe('addresses that follow', () => {
  const withOry = (ory: string) =>
    parse(
      `ory: ${ory}\nedge: { upstream: "http://a:1" }\ntokens: { audiences: [a] }\nrules:\n  - { name: s, match: { path: /s }, require: { session: {} }, unauthenticated: redirect }\n  - { name: t, match: { path: /t }, require: { token: {} } }\n`,
    );

  test.each([
    [
      '{ url: https://a.example }',
      'https://a.example',
      'https://a.example',
      'https://a.example/.well-known/jwks.json',
      'https://a.example/self-service/login/browser',
    ],
    [
      '{ url: https://a.example/ }',
      'https://a.example',
      'https://a.example/',
      'https://a.example/.well-known/jwks.json',
      'https://a.example/self-service/login/browser',
    ],
    [
      '{ url: https://a.example/ory/ }',
      'https://a.example/ory',
      'https://a.example/ory/',
      'https://a.example/ory/.well-known/jwks.json',
      'https://a.example/ory/self-service/login/browser',
    ],
    [
      '{ kratos: { public_url: "http://k:4433/" }, hydra: { public_url: "http://h:4444/", issuer: "https://I/" } }',
      'http://k:4433',
      'https://I/',
      'http://h:4444/.well-known/jwks.json',
      'http://k:4433/self-service/login/browser',
    ],
    [
      '{ url: https://a.example, hydra: { issuer: "urn:x", jwks_url: "http://k/keys" }, login_url: "https://l/in" }',
      'https://a.example',
      'urn:x',
      'http://k/keys',
      'https://l/in',
    ],
  ])('%s', (ory, kratosUrl, issuer, jwksUrl, loginUrl) => {
    const config = withOry(ory);
    expect(config.sessions?.kratosUrl).toBe(kratosUrl);
    expect(config.tokens).toMatchObject({ issuer, jwksUrl, clockSkewMs: 60_000 });
    expect(config.loginUrl).toBe(loginUrl);
  });

  test('a login address outside of ASCII can stand in a header', () => {
    expect(withOry('{ url: https://a.example, login_url: "https://é.example/ü" }').loginUrl).toBe(
      'https://xn--9ca.example/%C3%BC',
    );
  });

  test.each([
    ['sessions', 'require: { session: {} }', 'a rule takes sessions, and it is not said where Ory Kratos is'],
    [
      'a redirect',
      'require: { session: {} }, unauthenticated: redirect',
      'a rule redirects to the login, and it is not said where that is',
    ],
    [
      'tokens without issuer',
      'require: { token: { audiences: [a] } }',
      'a rule takes tokens, and their issuer is not known',
    ],
    [
      'tokens without keys',
      'require: { token: { audiences: [a] } }',
      'a rule takes tokens, and it is not said where Hydra’s keys are',
    ],
    ['identify without anything', 'allow: anyone, identify: true', 'there is nothing to identify anybody by'],
  ])('%s need to know where Ory is', (_, rule, problem) => {
    const faults = faultsOf(
      `ory: {}\nedge: { upstream: "http://a:1" }\nrules: [{ name: a, match: { path: / }, ${rule} }]\n`,
    );
    expect(faults.join('\n')).toContain(problem);
  });

  test.each([
    ['{ upstream: "http://a:1" }', 'http://127.0.0.1:8080'],
    ['{ upstream: "http://a:1", listen: "[::1]:81" }', 'http://[::1]:81'],
    ['{ upstream: "http://a:1", tls: { cert: c, key: k } }', 'https://127.0.0.1:8080'],
    ['{ upstream: "http://a:1", public_url: "https://App.Acme.com/" }', 'https://app.acme.com'],
    ['{ upstream: "http://a:1", public_url: "https://é.example" }', 'https://xn--9ca.example'],
  ])('the public address of %s is %s', (edge, publicUrl) => {
    expect(parse(`ory: { url: "https://a" }\nedge: ${edge}\n`).edge.publicUrl).toBe(publicUrl);
  });

  test.each([
    'https://u:p@a',
    'https://a/?x',
    'https://a/#x',
    'ftp://a',
    '//a',
    'a.example',
    'https://',
    'https://a b',
    'https:\\\\a',
    'https://[x',
  ])('%s is no address', (url) => {
    expect(faultsOf(`ory: { url: ${JSON.stringify(url)} }\nedge: { upstream: "http://a:1" }\n`)[0]).toContain(
      'f.yaml:1:13: ory.url: not an http or https address',
    );
  });

  test('addresses are written as they are read', () => {
    expect(formatAddress({ host: '::1', port: 80 })).toBe('[::1]:80');
    expect(formatAddress({ host: 'a', port: 0 })).toBe('a:0');
  });
});

describe('upstreams', () => {
  test('stay in the order written; the first is the default', () => {
    const { edge, rules } = parse(
      'ory: { url: "https://a" }\nedge: { upstreams: { web: "http://w:1", api: "http://p:2" } }\n',
    );
    expect([...edge.upstreams].map(([name, { url, http2 }]) => [name, url.href, http2])).toEqual([
      ['web', 'http://w:1/', false],
      ['api', 'http://p:2/', false],
    ]);
    expect(rules[0]?.upstream).toBe('web');
  });

  test.each([
    ['{ upstream: "http://a:1", upstreams: { b: "http://b:1" } }', 'upstream and upstreams are both given'],
    ['{ upstreams: {} }', 'the application behind the edge is missing'],
    ['{ upstreams: { app: "http://a:1", 1: "http://b:1" } }', 'not an upstream name'],
    ['{ upstream: "http://a:1/x" }', 'not an origin'],
    ['{ upstream: "h2c://a:1/x" }', 'not an origin'],
    ['{ upstream: "h2c://u:p@a:1" }', 'not an origin'],
    ['{ upstream: "h3://a:1" }', 'not an origin'],
    ['{ upstream: "http://a:1", ory_path: .ory }', 'not a plain path'],
    ['{ upstream: "http://a:1", ory_path: / }', 'not a plain path'],
    ['{ upstream: "http://a:1", ory_path: /.ory/ }', 'not a plain path'],
    ['{ upstream: "http://a:1", ory_path: /a/../b }', 'not a plain path'],
    ['{ upstream: "http://a:1", ory_path: "/a*" }', 'not a plain path'],
    ['{ upstream: "http://a:1", public_url: "https://a/x" }', 'a path is in it'],
  ])('%s is refused', (edge, problem) => {
    expect(faultsOf(`ory: { url: "https://a" }\nedge: ${edge}\n`).join()).toContain(problem);
  });
});

describe('applications over HTTP/2', () => {
  test.each([
    ['h2c://g:50051', 'http://g:50051/'],
    ['h2://g:50051', 'https://g:50051/'],
  ])('%s is one, spoken to by that scheme', (text, href) => {
    const config = parse(`ory: { url: "https://a" }\nedge: { upstream: "${text}" }\n`);
    const upstream = config.edge.upstreams.get('app');
    expect([upstream?.url.href, upstream?.http2, upstream && formatUpstream(upstream)]).toEqual([href, true, text]);
  });
});

describe('Ory on the edge’s own origin', () => {
  const redirecting =
    'rules: [{ name: a, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }]\n';

  test('is where the login is', () => {
    const { loginUrl, edge } = parse(
      `ory: { url: "https://a/", api_key: k }\nedge: { upstream: "http://u:1", public_url: "https://app.example", ory_path: /.ory }\n${redirecting}`,
    );
    expect(loginUrl).toBe('https://app.example/.ory/self-service/login/browser');
    expect(edge.ory).toMatchObject({
      path: '/.ory',
      publicUrl: 'https://app.example/.ory',
      apiKey: { value: 'k', origin: 'https://a' },
    });
    expect([edge.ory?.kratosUrl.href, edge.ory?.hydraUrl?.href]).toEqual(['https://a/', 'https://a/']);
  });

  test('can be Kratos alone, and needs one', () => {
    const { edge } = parse(
      'ory: { kratos: { public_url: "http://k:1" } }\nedge: { upstream: "http://u:1", ory_path: /.ory }\n',
    );
    expect([edge.ory?.kratosUrl.href, edge.ory?.hydraUrl]).toEqual(['http://k:1/', undefined]);
    const tokens = 'tokens: { audiences: [a] }\nrules: [{ name: a, match: { path: / }, require: { token: {} } }]\n';
    expect(
      faultsOf(
        `ory: { hydra: { public_url: "http://h:1", issuer: "http://h:1" } }\nedge: { upstream: "http://u:1", ory_path: /.ory }\n${tokens}`,
      ),
    ).toEqual([
      'f.yaml:2:43: edge.ory_path: it is not said which Ory is to be reached there. Give ory.url (Ory Network) or ory.kratos.public_url (self-hosted)',
    ]);
  });
});

describe('identity headers', () => {
  test.each([
    'Host',
    'Cookie',
    'Set-Cookie',
    'authorization',
    'X_Session_Token',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'X-Forwarded-For',
    'X_Forwarded_Host',
    'Forwarded',
    'X-Envoy-Original-Path',
    'Ory-Rule',
    'ory_reason',
    'Origin',
    'X-Request-Id',
    'Location',
    'If-Match',
    'Sec-Fetch-Mode',
    'Access-Control-Allow-Origin',
    'TE',
    'Rule',
    'Reason',
    'Cache_For',
  ])('%s is not a name for an identity', (name) => {
    expect(faultsOf(`${SMALLEST}identity_headers: { ${name}: [token.sub] }\n`)).toEqual([
      `f.yaml:5:21: identity_headers.${name}: "${name}" has a meaning of its own. Choose a name such as X-User-Id`,
    ]);
  });

  test.each([
    ['X-User-Id', 'x-user-id'],
    ['X-User-Id', 'X_User_Id'],
    ['X-User', 'x_uSER'],
  ])('%s and %s are one header', (one, other) => {
    expect(faultsOf(`${SMALLEST}identity_headers: { ${one}: [token.sub], ${other}: [token.sub] }\n`)[0]).toContain(
      'are one header to many applications',
    );
  });

  test('a name has at most four separators, so that every spelling of it can be removed', () => {
    expect(faultsOf(`${SMALLEST}identity_headers: { A-B_C-D-E: [token.sub] }\n`)).toEqual([]);
    expect(faultsOf(`${SMALLEST}identity_headers: { A-B-C-D-E-F: [token.sub] }\n`)[0]).toContain('at most four');
  });
});

describe('where opaque tokens are asked about', () => {
  const rule = 'rules: [{ name: a, match: { path: / }, require: { token: {} } }]\n';
  const text = (ory: string) =>
    `ory: { ${ory} }\nedge: { upstream: "http://u:1" }\ntokens: { audiences: [a] }\n${rule}`;
  const there = 'hydra: { public_url: "https://h", issuer: "https://h/"';
  test.each([
    ['nowhere', `${there} }`, undefined],
    ['Hydra’s admin API', `${there}, admin_url: "http://h:4445/" }`, ['http://h:4445', undefined]],
    ['nowhere without a key', 'url: "https://a"', undefined],
    ['the project, with its key', 'url: "https://a/", api_key: k', ['https://a', 'k']],
    [
      'Hydra’s admin API, without the key of another host',
      'url: "https://a", api_key: k, hydra: { admin_url: "https://a.evil" }',
      ['https://a.evil', undefined],
    ],
    [
      'Hydra’s admin API, without the key on another port',
      'url: "https://a", api_key: k, hydra: { admin_url: "https://a:444" }',
      ['https://a:444', undefined],
    ],
    [
      'Hydra’s admin API, without the key in clear text',
      'url: "https://a", api_key: k, hydra: { admin_url: "http://a" }',
      ['http://a', undefined],
    ],
    [
      'the project’s admin API, with the key',
      'url: "https://a", api_key: k, hydra: { admin_url: "https://a/x" }',
      ['https://a/x', 'k'],
    ],
    ['nowhere for a Hydra of one’s own beside a project', `url: "https://a", api_key: k, ${there} }`, undefined],
    [
      'nowhere for keys of one’s own beside a project',
      'url: "https://a", api_key: k, hydra: { jwks_url: "https://h/jwks" }',
      undefined,
    ],
    [
      'the project, for a domain of its own',
      'url: "https://a", api_key: k, hydra: { issuer: "https://b" }',
      ['https://a', 'k'],
    ],
  ])('%s', (_, ory, expected) => {
    const found = parse(text(ory)).tokens?.introspection;
    expect(found).toEqual(expected && { url: `${expected[0]}/admin/oauth2/introspect`, apiKey: expected[1] });
  });

  test('the key is not sent without encryption, but on this machine', () => {
    expect(faultsOf(text('url: "http://a", api_key: k'))).toEqual([
      expect.stringContaining('ory.api_key: the key would be sent to http://a without encryption'),
    ]);
    expect(parse(text('url: "http://127.0.0.1:4455", api_key: k')).tokens?.introspection?.apiKey).toBe('k');
  });
});

describe('Kratos’s own login flow', () => {
  const flow = (ory: string, edge = '') =>
    parse(
      `ory: ${ory}\nedge: { upstream: "http://u:1", public_url: "https://app.example"${edge} }\nrules: [{ name: a, match: { path: "/**" }, require: { session: {} } }]\n`,
    ).sessions?.loginFlowUrl;
  const FLOW = '/self-service/login/browser';

  test.each([
    ['is below ory.url', '{ url: https://a.example/ }', '', `https://a.example${FLOW}`],
    ['is below kratos.public_url', '{ kratos: { public_url: "http://k:1/x" } }', '', `http://k:1/x${FLOW}`],
    [
      'is not a login page of one’s own',
      '{ url: https://a.example, login_url: "https://l/login" }',
      '',
      `https://a.example${FLOW}`,
    ],
    [
      'is login_url where that is it',
      `{ url: https://a.example, login_url: "https://é.example/k${FLOW}" }`,
      '',
      `https://xn--9ca.example/k${FLOW}`,
    ],
    [
      'is no page that is only called so',
      `{ url: https://a.example, login_url: "https://l${FLOW}/" }`,
      '',
      `https://a.example${FLOW}`,
    ],
    [
      'is below edge.ory_path',
      `{ url: https://a.example, login_url: "https://l${FLOW}" }`,
      ', ory_path: /.ory',
      `https://app.example/.ory${FLOW}`,
    ],
  ])('%s', (_, ory, edge, url) => expect(flow(ory, edge)).toBe(url));
});
