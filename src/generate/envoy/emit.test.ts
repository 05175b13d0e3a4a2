// The generated Envoy: three bootstraps that were reviewed, and what holds for every one.
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../config/load.ts';
import { GenerateError } from '../generate-error.ts';
import { generateEnvoy, type Part } from './emit.ts';
import type { Transport } from './transport.ts';

const SMALLEST = `
ory: { url: https://acme.projects.oryapis.com }
edge: { upstream: http://127.0.0.1:3000 }
`;

const EVERYTHING = `
ory:
  kratos: { public_url: https://kratos.acme.internal }
  hydra: { public_url: "https://hydra.acme.internal:4444/", issuer: "https://id.acme.com/" }
  session_cookies: [acme_session]
  timeout: 500ms
tokens: { audiences: [https://api.acme.com], clock_skew: 0s }
identity_headers: { X-User-Id: [session.identity.id, token.sub], X_Tenant: [token.ext.tenant] }
rules:
  - { name: assets, match: { path: "/assets/**", methods: [GET, HEAD] }, allow: anyone }
  - { name: orders, match: { host: api.acme.com, path: "/orders/*/items" }, upstream: api, require: { token: {} } }
  - { name: partners, match: { host: "*.partner.com", path: "/café/**", methods: [GET] }, upstream: v6, require: { token: { audiences: [https://p] } } }
  - { name: home, match: { path: "/" }, allow: anyone, identify: true }
  - { name: app, match: { path: "/**" }, require: { session: {} }, unauthenticated: redirect }
edge:
  listen: "0.0.0.0:8443"
  tls: { cert: /etc/edge/tls.crt, key: /etc/edge/tls.key }
  trusted_hops: 2
  upstreams: { app: http://localhost:3000, api: https://api.internal, v6: "https://[2001:db8::1]:8443" }
  authorizer: http://ory-envoy:9191
`;

const SELF_HOSTED_TOKENS = `
ory: { hydra: { public_url: http://10.0.0.5:4444, issuer: http://10.0.0.5:4444 } }
tokens: { any_audience: true }
rules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]
edge: { upstream: http://10.0.0.6 }
`;

function generate(text: string, part: Part = 'bootstrap', transport: Transport = 'http'): string {
  return generateEnvoy(parseConfig(text, 'x.yaml', { env: {} }), { part, transport });
}
// biome-ignore lint/suspicious/noExplicitAny: the shape is Envoy's, and a wrong step fails the test
type Anything = any;
const bootstrap = (text: string): Anything => parse(generate(text));
const manager = (text: string): Anything =>
  bootstrap(text).static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
const routes = (text: string): Anything[] => manager(text).route_config.virtual_hosts[0].routes;
const filter = (text: string, name: string): Anything =>
  manager(text).http_filters.find((one: Anything) => one.name === `envoy.filters.http.${name}`)?.typed_config;
const cluster = (text: string, name: string): Anything =>
  bootstrap(text).static_resources.clusters.find((one: Anything) => one.name === name);

describe('the bootstrap', () => {
  test.each([
    ['smallest', SMALLEST],
    ['everything', EVERYTHING],
    ['self-hosted-tokens', SELF_HOSTED_TOKENS],
  ])('of "%s" is the one that was reviewed', async (name, text) => {
    await expect(generate(text)).toMatchFileSnapshot(`./snapshots/${name}.yaml.snap`);
  });

  test('is the same from run to run', () => {
    expect(generate(EVERYTHING)).toBe(generate(EVERYTHING));
  });

  test('has its admin on loopback, and no listener shares its port', () => {
    expect(bootstrap(SMALLEST).admin.address.socket_address).toEqual({ address: '127.0.0.1', port_value: 9901 });
    expect(bootstrap(SMALLEST).static_resources.listeners[0].enable_reuse_port).toBe(false);
  });

  test('needs addresses to listen on: localhost is one, another name is an error that says what to write', () => {
    const on = (address: string) => SMALLEST.replace('edge: {', `edge: { listen: "${address}",`);
    expect(bootstrap(on('localhost:80')).static_resources.listeners[0].address.socket_address.address).toBe(
      '127.0.0.1',
    );
    expect(bootstrap(on('[::]:80')).static_resources.listeners[0].address.socket_address.address).toBe('::');
    expect(() => generate(on('edge.acme.com:80'))).toThrow(GenerateError);
    expect(() => generate(on('edge.acme.com:80'))).toThrow(/^edge\.listen: .*"edge\.acme\.com" is a name/);
  });
});

describe('the filters', () => {
  test('verify tokens only where a rule takes them', () => {
    expect(filter(SMALLEST, 'jwt_authn')).toBeUndefined();
    expect(cluster(SMALLEST, 'jwks')).toBeUndefined();
    expect(manager(EVERYTHING).http_filters.map((one: Anything) => one.name)).toEqual([
      'envoy.filters.http.jwt_authn',
      'ory-envoy.access_token',
      'ory-envoy.rule',
      'ory-envoy.edge-cache',
      'envoy.filters.http.ext_authz',
      'envoy.filters.http.router',
    ]);
  });

  test('of a rule that takes a token for any audience ask for nothing more', () => {
    const any = `${SMALLEST}tokens: { any_audience: true }\nrules: [{ name: a, match: { path: /a }, require: { token: {} } }]\n`;
    const route = manager(any).route_config.virtual_hosts[0].routes.find((one: Anything) => one.name === 'a');
    const [is, more] =
      route.typed_per_filter_config['ory-envoy.rule'].rbac.shadow_rules.policies.token.principals[0].and_ids.ids;
    expect(is.sourced_metadata.metadata_matcher.path).toEqual([{ key: 'ory_token_shadow_engine_result' }]);
    expect(more).toEqual({ any: true });
  });

  test('take the issuer byte for byte, with or without its slash', () => {
    expect(filter(EVERYTHING, 'jwt_authn').providers.hydra.issuer).toBe('https://id.acme.com/');
    expect(filter(SELF_HOSTED_TOKENS, 'jwt_authn').providers.hydra.issuer).toBe('http://10.0.0.5:4444');
  });

  test('take the audiences of all rules, or any', () => {
    expect(filter(EVERYTHING, 'jwt_authn').providers.hydra.audiences).toEqual(['https://api.acme.com', 'https://p']);
    expect(filter(SELF_HOSTED_TOKENS, 'jwt_authn').providers.hydra).not.toHaveProperty('audiences');
  });

  test('never say 0 seconds of skew, which would be 60', () => {
    expect(filter(EVERYTHING, 'jwt_authn').providers.hydra.clock_skew_seconds).toBe(1);
    expect(filter(SELF_HOSTED_TOKENS, 'jwt_authn').providers.hydra.clock_skew_seconds).toBe(59);
  });

  test('wait for three calls to Ory and some more', () => {
    expect(filter(EVERYTHING, 'ext_authz').http_service.server_uri.timeout).toBe('2s');
    expect(filter(SMALLEST, 'ext_authz').http_service.server_uri.timeout).toBe('6.5s');
  });

  test('fail closed', () => {
    expect(filter(SMALLEST, 'ext_authz')).toMatchObject({
      failure_mode_allow: false,
      status_on_error: { code: 'ServiceUnavailable' },
      validate_mutations: true,
    });
  });

  test('pass on the identity headers that are configured, and no others', () => {
    expect(filter(EVERYTHING, 'ext_authz').http_service.authorization_response.allowed_upstream_headers).toEqual({
      patterns: [{ exact: 'x-user-id' }, { exact: 'x_tenant' }],
    });
  });
});

describe('the routes', () => {
  const asks = (route: Anything) => route.typed_per_filter_config?.['envoy.filters.http.ext_authz']?.disabled !== true;
  const tokens = (route: Anything) => route.typed_per_filter_config?.['envoy.filters.http.jwt_authn'];

  test('are the refusals, then the rules in order, then a denial', () => {
    expect(routes(EVERYTHING).map((route) => route.name ?? route.direct_response.status)).toEqual([
      400,
      400,
      400,
      400,
      400,
      403,
      403,
      'assets',
      'orders',
      'partners',
      'home',
      'app',
      403,
    ]);
  });

  test('ask the authorizer but for rules for anyone and for refusals', () => {
    expect(routes(EVERYTHING).map(asks)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
      true,
      true,
      true,
      true,
    ]);
  });

  test('have a token verified where the rule takes one, also to identify', () => {
    const named = routes(EVERYTHING).filter((route) => route.name);
    expect(named.filter((route) => tokens(route)?.requirement_name === 'token').map((route) => route.name)).toEqual([
      'orders',
      'partners',
      'home',
    ]);
  });

  test('retry only what never reached the application, follow no redirect themselves, and have no bound on the whole', () => {
    for (const { route } of routes(EVERYTHING).filter((one) => one.route)) {
      expect(route.retry_policy).toEqual({ retry_on: 'connect-failure,refused-stream', num_retries: 1 });
      expect([route.timeout, 'internal_redirect_policy' in route]).toEqual(['0s', false]);
    }
  });

  test('lead to the upstream of their rule', () => {
    const named = routes(EVERYTHING).filter((route) => route.name);
    expect(named.map((route) => route.route.cluster)).toEqual([
      'upstream-app',
      'upstream-api',
      'upstream-v6',
      'upstream-app',
      'upstream-app',
    ]);
  });
});

describe('the clusters', () => {
  const endpoint = (name: string) =>
    cluster(EVERYTHING, name).load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address;
  const dns = (name: string) => cluster(EVERYTHING, name).cluster_type?.typed_config;
  const tls = (name: string) => cluster(EVERYTHING, name).transport_socket?.typed_config;

  test('have the port of the address or of its scheme', () => {
    expect(
      ['upstream-app', 'upstream-api', 'upstream-v6', 'authorizer', 'jwks'].map((name) =>
        Object.values(endpoint(name)),
      ),
    ).toEqual([
      ['localhost', 3000],
      ['api.internal', 443],
      ['2001:db8::1', 8443],
      ['ory-envoy', 9191],
      ['hydra.acme.internal', 4444],
    ]);
    expect(
      Object.values(
        cluster(SELF_HOSTED_TOKENS, 'upstream-app').load_assignment.endpoints[0].lb_endpoints[0].endpoint.address
          .socket_address,
      ),
    ).toEqual(['10.0.0.6', 80]);
  });

  test('look up names, and leave addresses alone', () => {
    expect(cluster(EVERYTHING, 'upstream-v6').type).toBe('STATIC');
    expect([
      dns('upstream-app').dns_lookup_family,
      dns('upstream-api').dns_lookup_family,
      dns('jwks').dns_lookup_family,
    ]).toEqual(['ALL', 'V4_PREFERRED', 'ALL']);
    expect(dns('authorizer').respect_dns_ttl).toBe(true);
  });

  test('an issuer that cannot be found does not hold up the start', () => {
    expect(cluster(EVERYTHING, 'jwks').wait_for_warm_on_init).toBe(false);
  });

  test('verify the name or the address of what they speak TLS with', () => {
    const name = tls('upstream-api');
    expect([name.sni, name.common_tls_context.validation_context]).toEqual([
      'api.internal',
      {
        trusted_ca: { filename: '/etc/ssl/certs/ca-certificates.crt' },
        match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'api.internal' } }],
      },
    ]);
    const address = tls('upstream-v6');
    expect(address).not.toHaveProperty('sni');
    expect(address.common_tls_context.validation_context.match_typed_subject_alt_names).toEqual([
      { san_type: 'IP_ADDRESS', matcher: { exact: '2001:db8::1' } },
    ]);
    for (const one of [name, address, tls('jwks')]) {
      expect(one.common_tls_context.tls_params).toEqual({ tls_minimum_protocol_version: 'TLSv1_2' });
    }
    expect([tls('upstream-app'), tls('authorizer')]).toEqual([undefined, undefined]);
  });

  test('verify with the bundle that is named', () => {
    const config = parseConfig(EVERYTHING, 'x.yaml', { env: {} });
    const yaml = generateEnvoy(config, { part: 'clusters', caFile: '/own/ca.pem' });
    expect(yaml.match(/filename: .*/g)).toEqual(Array(3).fill("filename: '/own/ca.pem'"));
  });

  test('an upstream may be called like one of ours', () => {
    const text = SMALLEST.replace('upstream: http', 'upstreams: { authorizer: http').replace('3000 }', '3000 } }');
    expect(bootstrap(text).static_resources.clusters.map((one: Anything) => one.name)).toEqual([
      'upstream-authorizer',
      'authorizer',
    ]);
  });
});

describe('over gRPC', () => {
  const over = (text: string): Anything => parse(generate(text, 'bootstrap', 'grpc')).static_resources;
  const managerOver = (text: string) => over(text).listeners[0].filter_chains[0].filters[0].typed_config;
  const filterOver = (text: string): Anything =>
    managerOver(text).http_filters.find((one: Anything) => one.name === 'envoy.filters.http.ext_authz').typed_config;
  const authorizer = (text: string): Anything => over(text).clusters.find((one: Anything) => one.name === 'authorizer');

  test('the bootstrap is the one that was reviewed', async () => {
    await expect(generate(EVERYTHING, 'bootstrap', 'grpc')).toMatchFileSnapshot(
      './snapshots/everything-grpc.yaml.snap',
    );
  });

  test('the filter differs in its service, and fails closed alike', () => {
    const { grpc_service, encode_raw_headers, decoder_header_mutation_rules, ...rest } = filterOver(EVERYTHING);
    const { http_service, ...same } = filter(EVERYTHING, 'ext_authz');
    expect(rest).toEqual(same);
    expect(grpc_service).toEqual({
      envoy_grpc: { cluster_name: 'authorizer', max_receive_message_length: 262_144 },
      timeout: http_service.server_uri.timeout,
      retry_policy: http_service.retry_policy,
      initial_metadata: http_service.authorization_request.headers_to_add.slice(1),
    });
    expect(encode_raw_headers).toBe(true);
    expect(filterOver(SMALLEST).grpc_service).not.toHaveProperty('initial_metadata');
    expect(decoder_header_mutation_rules.disallow_all).toBe(true);
  });

  test('the authorizer may touch the identity headers in the spellings that it removes, and nothing else', () => {
    const allowed = new RegExp(`^(?:${filterOver(EVERYTHING).decoder_header_mutation_rules.allow_expression.regex})$`);
    for (const name of ['x-user-id', 'x_user.id', 'x.tenant', 'x_tenant']) expect(name).toMatch(allowed);
    for (const name of ['x-user-idx', 'ax-user-id', 'cookie', 'x-user', 'xxtenant', ':path', 'x-tenant\n'])
      expect(name).not.toMatch(allowed);
  });

  test('the authorizer is reached over HTTP/2, on the same host with the port of serve.grpc', () => {
    const { load_assignment, typed_extension_protocol_options: options } = authorizer(EVERYTHING);
    expect(load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address).toEqual({
      address: 'ory-envoy',
      port_value: 9192,
    });
    const protocol = options['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'];
    expect(protocol.explicit_http_config.http2_protocol_options.connection_keepalive).toEqual({
      interval: '30s',
      timeout: '2s',
      connection_idle_interval: '5s',
    });
    expect(protocol).not.toHaveProperty('common_http_protocol_options');
  });

  test('an outage of Ory needs no metadata, and is told from one of the authorizer by its reason', () => {
    const [first, ...rest] = managerOver(EVERYTHING).local_reply_config.mappers;
    expect(first.filter.and_filter.filters.at(-1).metadata_filter).toMatchObject({
      matcher: { path: [{ key: 'ory-reason' }] },
      match_if_key_not_found: true,
    });
    expect(first).not.toHaveProperty('status_code');
    expect(rest).toHaveLength(1);
  });

  test('routes are the same', () => {
    expect(generate(EVERYTHING, 'routes', 'grpc')).toBe(generate(EVERYTHING, 'routes', 'http'));
  });
});

describe('the parts', () => {
  test.each([
    ['filters', ['early_header_mutation_extensions', 'normalize_path', 'http_filters', 'local_reply_config']],
    ['clusters', ['clusters']],
    ['routes', ['route_config']],
  ] as const)('%s has what the bootstrap has', (part, keys) => {
    const content = parse(generate(EVERYTHING, part));
    expect(Object.keys(content)).toEqual(expect.arrayContaining([...keys]));
    const whole = part === 'clusters' ? bootstrap(EVERYTHING).static_resources : manager(EVERYTHING);
    for (const [key, value] of Object.entries(content)) expect(whole[key]).toEqual(value);
    expect(generate(EVERYTHING, part)).toMatch(/^# Generated by ory-envoy: /);
  });
});

test('a secret of the configuration is in no output', () => {
  const text = `${EVERYTHING.replace('  timeout:', '  api_key: canary-key\n  timeout:')}serve: { admin_token: canary-admin-token }\n`;
  expect(generate(text)).not.toContain('canary');
});

describe('Ory on the edge’s own origin', () => {
  const ORY_PATH = `
ory: { url: "https://ory.internal/kratos/", hydra: { public_url: "http://hydra.internal:4444" }, api_key: s3cret }
edge: { upstream: "http://127.0.0.1:3000", public_url: "https://app.acme.com", ory_path: /auth/ory }
`;
  const all = routes(ORY_PATH);
  const ory = () => all.filter((route) => route.match.path_separated_prefix?.startsWith('/auth/ory'));

  test('comes before every rule, after what refuses ambiguous paths, and asks nobody', () => {
    const places = ory().map((route) => all.indexOf(route));
    expect(places[0]).toBe(7);
    expect(all[(places.at(-1) ?? 0) + 1].name).toBe('default');
    for (const route of ory()) {
      expect(route.name).toBeUndefined();
      expect(route.typed_per_filter_config['envoy.filters.http.ext_authz'].disabled).toBe(true);
    }
  });

  test('is reached by its own path and host, and what is not public by no route', () => {
    const byPrefix = Object.fromEntries(ory().map((route) => [route.match.path_separated_prefix, route.route]));
    expect(byPrefix['/auth/ory/self-service']).toMatchObject({
      cluster: 'ory-kratos',
      prefix_rewrite: '/kratos/self-service',
      host_rewrite_literal: 'ory.internal',
    });
    expect(byPrefix['/auth/ory/oauth2/token']).toMatchObject({
      cluster: 'ory-hydra',
      prefix_rewrite: '/oauth2/token',
      host_rewrite_literal: 'hydra.internal:4444',
    });
    expect(ory().at(-1)).toMatchObject({
      match: { path_separated_prefix: '/auth/ory' },
      direct_response: { status: 403 },
    });
  });

  test('gets the API key from Envoy’s environment: a generated file holds none', () => {
    expect(generate(ORY_PATH)).toContain('%ENVIRONMENT(ORY_API_KEY)%');
    expect(withKey(ORY_PATH)).toEqual(new Set(['ory-kratos']));
    expect(generate(ORY_PATH)).not.toContain('s3cret');
    expect(generate(ORY_PATH.replace(', api_key: s3cret', ''))).not.toContain('Rewrite-Token');
  });

  /** The clusters that are sent the key. */
  function withKey(text: string): Set<string> {
    const sent = routes(text).filter((route) => JSON.stringify(route.request_headers_to_add ?? []).includes('API_KEY'));
    return new Set(sent.map((route) => route.route.cluster));
  }

  test.each([
    [
      'a Kratos of one’s own',
      '{ url: "https://o", kratos: { public_url: "http://kratos:4433" }, hydra: { public_url: "http://hydra:4444" }, api_key: k }',
    ],
    ['an Ory Network over plain http', '{ url: "http://ory.example", api_key: k }'],
  ])('gives the API key to nobody but the project itself: not to %s', (_, ory) => {
    expect(withKey(`ory: ${ory}\nedge: { upstream: "http://u:1", ory_path: /.ory }\n`)).toEqual(new Set());
  });

  test('is not there where it is not asked for', () => {
    expect(manager(SMALLEST).http_filters.map((one: Anything) => one.name)).toEqual([
      'ory-envoy.edge-cache',
      'envoy.filters.http.ext_authz',
      'envoy.filters.http.router',
    ]);
    expect(generate(SMALLEST)).not.toContain('ory-kratos');
  });
});

describe('an application over HTTP/2', () => {
  const protocols = (url: string) => {
    const one = cluster(`ory: { url: "https://o" }\nedge: { upstream: "${url}" }\n`, 'upstream-app');
    const options = one.typed_extension_protocol_options['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'];
    return [Object.keys(options.explicit_http_config), one.transport_socket !== undefined];
  };

  test.each([
    ['http://g:1', 'http_protocol_options', false],
    ['https://g:1', 'http_protocol_options', true],
    ['h2c://g:1', 'http2_protocol_options', false],
    ['h2://g:1', 'http2_protocol_options', true],
  ])('%s is spoken to by %s', (url, options, tls) => expect(protocols(url)).toEqual([[options], tls]));
});
