// The objects for Envoy Gateway: three streams that were reviewed, and what holds for every one.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../config/load.ts';
import { GenerateError } from '../generate-error.ts';
import { oneStream } from '../kubernetes/manifest.ts';
import { targetVersion } from '../target.ts';
import { type EnvoyGatewayOptions, generateEnvoyGateway } from './emit.ts';

const EVERYTHING = `
ory:
  kratos: { public_url: https://kratos.acme.internal }
  hydra: { public_url: "https://hydra.acme.internal:4444/", issuer: "https://id.acme.com/" }
  timeout: 500ms
tokens: { audiences: [https://api.acme.com], clock_skew: 10s }
identity_headers: { X-User-Id: [session.identity.id, token.sub], X_Tenant: [token.ext.tenant] }
rules:
  - { name: assets, match: { path: "/assets/**", methods: [GET, HEAD] }, allow: anyone }
  - { name: orders, match: { host: api.acme.com, path: "/orders/*/items" }, upstream: api, require: { token: { scopes: ["a:b"], claims: { ext.tenant: acme, ext.level: 3, ext.staff: true } } } }
  - { name: partners, match: { host: "*.partner.com", path: "/café/**", methods: [GET] }, upstream: v6, require: { any_of: [{ token: { audiences: [https://p] } }, { token: { audiences: [https://q], scopes: [x] } }] } }
  - { name: pages, match: { path: "/pages/**" }, upstream: grpc, require: { session: {} }, cors: { origins: [https://page.test] } }
  - { name: open, match: { path: "/open/**" }, allow: anyone }
  - { name: home, match: { path: "/" }, allow: anyone, identify: true }
edge:
  listen: "0.0.0.0:8443"
  public_url: https://acme.com
  tls: { cert: /etc/edge/tls.crt, key: /etc/edge/tls.key }
  trusted_hops: 2
  upstreams:
    app: http://app.shop.svc.cluster.local:3000
    api: https://api.other
    v6: "http://[2001:db8::1]:8443"
    grpc: h2c://grpc.shop:50051
`;

const TOKENS_ALONE = `
ory: { hydra: { public_url: http://hydra.ory:4444, issuer: http://hydra.ory:4444 } }
tokens: { any_audience: true }
rules: [{ name: api, match: { path: "/**" }, require: { token: {} } }]
edge: { upstream: http://api.acme.example }
`;

function generate(text: string, options: Partial<EnvoyGatewayOptions> = {}) {
  return generateEnvoyGateway(parseConfig(text, 'ory-envoy.yaml', { env: { ORY_API_KEY: 'k' } }), {
    source: { text, file: 'ory-envoy.yaml' },
    image: 'ory-envoy:1',
    namespace: undefined,
    version: targetVersion('envoy-gateway', undefined),
    edgeCache: false,
    ...options,
  });
}

const stream = (text: string, options: Partial<EnvoyGatewayOptions> = {}) => oneStream(generate(text, options).files);

// biome-ignore lint/suspicious/noExplicitAny: the shapes are those of Kubernetes, and a wrong step fails the test
type Anything = any;
const objects = (text: string, options: Partial<EnvoyGatewayOptions> = {}): Anything[] =>
  parseAllDocuments(stream(text, options)).map((document) => document.toJS());
const ofKind = (all: readonly Anything[], kind: string): Anything[] => all.filter((one) => one.kind === kind);

describe('the stream', () => {
  test.each([
    ['mixed', readFileSync('examples/mixed.yaml', 'utf8')],
    ['everything', EVERYTHING],
    ['tokens-alone', TOKENS_ALONE],
  ])('%s', async (name, text) => {
    await expect(stream(text)).toMatchFileSnapshot(`__snapshots__/${name}.yaml`);
  });

  test('is the same from run to run', () => {
    expect(stream(EVERYTHING)).toBe(stream(EVERYTHING));
  });

  test('is one file for each part with -o', () => {
    expect([...generate(EVERYTHING).files.keys()]).toEqual(['gateway.yaml', 'policy.yaml', 'authorizer.yaml']);
  });

  test('changes in the lines of a rule where that is changed', () => {
    const before = readFileSync('examples/mixed.yaml', 'utf8');
    const after = before.replace('scopes: [orders:read, orders:write]', 'scopes: [orders:write]');
    const lines = changedLines(stream(before), stream(after));
    // The rule is asked about: what it asks for stands in the policy of the authorizer alone.
    expect(lines.filter((line) => !/orders:write|ory-envoy\/policy/.test(line))).toEqual([]);
    const native = changedLines(stream(EVERYTHING), stream(EVERYTHING.replace('/orders/*/items', '/orders/*/lines')));
    expect(native.filter((line) => !/items|lines|ory-envoy\/policy/.test(line))).toEqual([]);
  });
});

function changedLines(before: string, after: string): string[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  expect(a.length).toBe(b.length);
  const changed = a.filter((line, i) => line !== b[i]);
  expect(changed).not.toEqual([]);
  return changed;
}

describe('what is asked and what is judged natively', () => {
  test('everything is asked about that has no policy of its own', () => {
    const policies = ofKind(objects(EVERYTHING), 'SecurityPolicy');
    const [whole, ...others] = policies;
    expect(whole.spec.targetRefs).toEqual([{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'ory-envoy' }]);
    expect(whole.spec.extAuth).toMatchObject({ failOpen: false, statusOnError: 503, timeout: '2000ms' });
    for (const { spec } of others) expect(spec.targetRefs[0].sectionName).toMatch(/^[a-z]/);
    const native = others.filter(({ spec }) => spec.extAuth === undefined);
    expect(native.map(({ metadata: { name } }) => name)).toEqual(
      ['refused', 'assets', 'orders', 'partners', 'open'].map((name) => `ory-envoy-${name}`),
    );
    for (const { spec } of others.filter((one) => !native.includes(one)))
      expect(spec.extAuth).toEqual(whole.spec.extAuth);
  });

  test('each rule has a policy under its name, so that one that it had before does not stay', () => {
    const all = objects(EVERYTHING);
    const sections = ofKind(all, 'HTTPRoute').flatMap(({ metadata, spec }) =>
      spec.rules.map(({ name }: Anything) => `${metadata.name} ${name}`),
    );
    const targets = ofKind(all, 'SecurityPolicy').map(({ spec: { targetRefs } }) => targetRefs);
    expect(targets.slice(1).map(([only]) => `${only.name} ${only.sectionName}`)).toEqual(sections);
  });

  test('the policy of the whole comes before every route', () => {
    const kinds = objects(EVERYTHING).map(({ kind }) => kind);
    expect(kinds.indexOf('SecurityPolicy')).toBeLessThan(kinds.indexOf('HTTPRoute'));
  });

  test('without a rule to ask about nobody is asked, and what no policy is for is refused', () => {
    const all = objects(TOKENS_ALONE);
    expect(ofKind(all, 'Deployment')).toEqual([]);
    expect(ofKind(all, 'SecurityPolicy')[0].spec.authorization).toEqual({ defaultAction: 'Deny' });
  });

  test('before 1.9 a token is asked about', () => {
    const policies = ofKind(objects(EVERYTHING, { version: [1, 8, 0] }), 'SecurityPolicy');
    expect(policies.some(({ spec }) => spec.jwt)).toBe(false);
    expect(ofKind(objects(EVERYTHING, { version: [1, 8, 0] }), 'ClientTrafficPolicy')[0].spec.timeout.http).toEqual({
      idleTimeout: '300s',
      streamIdleTimeout: '300s',
    });
  });

  test.each([
    ['keys at an address', 'public_url: http://hydra.ory:4444', 'public_url: "https://192.0.2.1"'],
    ['cors', 'require: { token: {} }', 'require: { token: {} }, cors: { origins: [https://a.test] }'],
    ['a clock skew above jwt_authn’s own', 'any_audience: true', 'any_audience: true, clock_skew: 61s'],
    [
      'nine audiences',
      'token: {}',
      `token: { audiences: [${[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `"${n}"`).join(', ')}] }`,
    ],
    ['a header of two claims', 'tokens:', 'identity_headers: { X-User-Id: [token.sub, token.client_id] }\ntokens:'],
    ['a method that Gateway API does not know', '"/**" }', '"/**", methods: [PURGE] }'],
    ['a path that is too long', '"/**"', `"/${'*/'.repeat(8)}x"`],
    ['a condition that is too long', 'token: {}', `token: { claims: { a: "${'x'.repeat(4_000)}" } }`],
  ])('%s is asked about', (_, from, to) => {
    const policies = ofKind(objects(TOKENS_ALONE.replace(from, to)), 'SecurityPolicy');
    expect(policies.some(({ spec }) => spec.jwt)).toBe(false);
    expect(policies[0].spec.extAuth).toBeDefined();
  });
});

describe('Kubernetes', () => {
  test('the namespace is the upstream’s, or the one that is given, or the default one', () => {
    const namespaces = (text: string, namespace?: string) =>
      new Set(
        objects(text, { namespace })
          .filter(({ kind }) => kind !== 'GatewayClass' && kind !== 'ReferenceGrant')
          .map(({ metadata }) => metadata.namespace),
      );
    expect([...namespaces(EVERYTHING)]).toEqual(['shop', 'other']);
    expect([...namespaces(TOKENS_ALONE)]).toEqual(['default']);
    expect([...namespaces(TOKENS_ALONE, 'edge')]).toEqual(['edge']);
  });

  test('a Service in another namespace is granted there', () => {
    const [grant] = ofKind(objects(EVERYTHING), 'ReferenceGrant');
    expect(grant.metadata.namespace).toBe('other');
    expect(grant.spec.to).toEqual([{ group: '', kind: 'Service', name: 'api' }]);
  });

  test('more rules than an HTTPRoute holds are several', () => {
    const rules = Array.from(
      { length: 40 },
      (_, i) => `  - { name: r${i}, match: { path: "/r${i}/**" }, require: { session: {} } }`,
    );
    const text = `ory: { kratos: { public_url: https://k.test } }\nrules:\n${rules.join('\n')}\nedge: { upstream: http://a.b }\n`;
    const routes = ofKind(objects(text), 'HTTPRoute');
    expect(routes.map(({ spec }) => spec.rules.length)).toEqual([16, 16, 10]);
  });

  test('rules of names that Kubernetes does not take, or that the gateway’s own rules have, get others', () => {
    const named = (name: string) => `  - { name: ${name}, match: { path: "/${name}" }, allow: anyone }`;
    const names = ['-x-', 'refused', 'no-rule', 'a'.repeat(63)];
    const text = `ory: { kratos: { public_url: https://k.test } }\nrules:\n${names.map(named).join('\n')}\nedge: { upstream: http://a.b }\n`;
    const all = objects(text);
    const sections = ofKind(all, 'HTTPRoute').flatMap(({ spec }) => spec.rules.map(({ name }: Anything) => name));
    const policies = ofKind(all, 'SecurityPolicy').map(({ metadata }) => metadata.name);
    for (const given of [sections, policies]) {
      expect(new Set(given).size).toBe(given.length);
      for (const name of given) expect(name).toMatch(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);
    }
  });

  test('what must be done beside is said', () => {
    expect(generate(EVERYTHING).notes).toEqual([
      'edge.tls: the certificate is read from a Secret: kubectl -n shop create secret tls ory-envoy-tls --cert=/etc/edge/tls.crt --key=/etc/edge/tls.key',
      expect.stringContaining('extensionApis.enableBackend: true'),
    ]);
    expect(generate(readFileSync('examples/mixed.yaml', 'utf8')).notes).toEqual([]);
  });
});

describe('what it cannot express', () => {
  test.each<[string, string, string, string, Partial<EnvoyGatewayOptions>]>([
    [
      'an upstream on the pod’s own machine',
      'http://api.acme.example',
      'http://127.0.0.1:3000',
      'edge.upstream: 127.0.0.1',
      {},
    ],
    ['by name', 'http://api.acme.example', 'http://localhost:3000', 'edge.upstream: localhost', {}],
    ['in IPv6', 'http://api.acme.example', '"http://[::1]:3000"', 'edge.upstream: ::1', {}],
    [
      'an issuer there',
      'public_url: http://hydra.ory:4444',
      'public_url: http://127.0.0.1:4444',
      'ory.hydra.jwks_url: 127.0.0.1:4444',
      {},
    ],
    ['Ory on the edge’s origin', 'edge: {', 'edge: { ory_path: /.ory,', 'edge.ory_path: ', {}],
    ['a cache of its own', '', '', '--edge-cache: ', { edgeCache: true }],
    ['a namespace that is none', '', '', '--namespace A_b: ', { namespace: 'A_b' }],
  ])('%s', (_, from, to, message, options) => {
    const text = TOKENS_ALONE.replace(from, to).replace(
      'ory: { hydra',
      'ory: { kratos: { public_url: http://kratos.ory }, hydra',
    );
    expect(() => generate(text, options)).toThrow(GenerateError);
    expect(() => generate(text, options)).toThrow(message);
  });

  test('a method that would take others to its own upstream', () => {
    const text = `
ory: { kratos: { public_url: https://k.test } }
rules:
  - { name: purge, match: { path: "/x", methods: [PURGE] }, upstream: b, require: { session: {} } }
edge: { upstreams: { a: http://a.b, b: http://b.b } }
`;
    expect(() => generate(text)).toThrow('rule purge: match.methods');
  });
});
