// The generated Istio: streams that were reviewed, what holds for every one, and what is refused.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../config/load.ts';
import { GenerateError } from '../generate-error.ts';
import { oneStream } from '../kubernetes/manifest.ts';
import { generateIstio, type IstioOptions } from './emit.ts';

const KUBERNETES = readFileSync(new URL('../../../examples/kubernetes.yaml', import.meta.url), 'utf8');

const TOKENS = `
ory: { hydra: { public_url: "https://hydra.acme.com", issuer: "https://id.acme.com/" } }
tokens: { audiences: [https://api.acme.com] }
identity_headers: { X-User-Id: [session.identity.id, token.sub], X-Tenant: [token.ext.tenant], X-Mail: [session.identity.traits.email] }
rules:
  - { name: health, match: { path: /healthz, methods: [GET] }, allow: anyone }
  - { name: write, match: { path: "/orders/**", methods: [POST, PUT] }, require: { token: { scopes: [orders:read, orders:write] } } }
  - { name: read, match: { host: api.acme.com, path: "/orders/**" }, require: { any_of: [{ token: { scopes: [orders:read] } }, { token: { claims: { ext.tenant: acme } } }] } }
  - { name: public, match: { path: "/**" }, allow: anyone }
edge: { upstream: http://orders.shop }
`;

const OUTSIDE = `
ory: { url: https://acme.projects.oryapis.com, api_key: "\${ORY_API_KEY}" }
tokens: { audiences: [https://api.acme.com] }
rules:
  - { name: admin, match: { path: "/assets/admin/*", methods: [GET] }, require: { session: {} } }
  - { name: assets, match: { host: "*.acme.com", path: "/assets/**", methods: [GET, HEAD] }, allow: anyone }
  - { name: at, match: { path: "/@me/**" }, allow: anyone }
  - { name: api, match: { path: "/api/**" }, require: { token: {} }, cors: { origins: [https://app.acme.com] } }
  - { name: app, match: { path: "/**" }, require: { session: {} } }
edge: { upstream: http://app.shop }
`;

const SIDECAR = { mode: 'sidecar', selector: 'app=web', namespace: 'shop' } as const;

function generated(text: string, options: Partial<IstioOptions> = {}) {
  const config = parseConfig(text, 'ory-envoy.yaml', { env: { ORY_API_KEY: 'the-key' } });
  return generateIstio(config, {
    mode: undefined,
    selector: undefined,
    namespace: undefined,
    image: 'ory-envoy:1.2.3',
    source: { text, file: 'ory-envoy.yaml' },
    version: [1, 31, 0],
    edgeCache: false,
    separate: false,
    ...options,
  });
}

const streamOf = (text: string, options: Partial<IstioOptions> = {}) => oneStream(generated(text, options).files);

test.each([
  ['kubernetes-gateway', KUBERNETES, {}],
  ['tokens-sidecar', TOKENS, SIDECAR],
  ['outside-gateway-api', OUTSIDE, { selector: 'gateway/public', namespace: 'edge', edgeCache: true }],
] as const)('%s is as it was reviewed', async (name, text, options) => {
  await expect(streamOf(text, options)).toMatchFileSnapshot(`snapshots/${name}.yaml.snap`);
});

test('the same input has the same bytes, and no secret is among them', () => {
  expect(streamOf(OUTSIDE)).toBe(streamOf(OUTSIDE));
  expect(streamOf(OUTSIDE)).not.toContain('the-key');
});

test('every document of the stream is an object; the mesh’s configuration is a comment there and a file with -o', () => {
  for (const document of parseAllDocuments(streamOf(KUBERNETES))) {
    expect(document.errors).toEqual([]);
    expect(document.toJS()).toMatchObject({ apiVersion: expect.any(String), kind: expect.any(String) });
  }
  expect(streamOf(KUBERNETES)).toMatch(/^#.*\n(#.*\n)*# meshConfig:\n/);
  const apart = generated(KUBERNETES, { separate: true }).files;
  expect([...apart.keys()]).toEqual(['mesh-config.txt', 'guard.yaml', 'policy.yaml', 'authorizer.yaml']);
  expect(apart.get('mesh-config.txt')).toContain('\nmeshConfig:\n');
  for (const [name, text] of apart) if (name !== 'mesh-config.txt') expect(text).not.toContain('meshConfig');
});

test.each([
  ['its path', '/static/**', '/static/v2/**'],
  ['its access', 'allow: anyone # health', 'require: { session: {} }'],
  ['its methods', 'methods: [GET, HEAD]', 'methods: [GET]'],
])('a rule that changes %s changes its own lines, the policy and its digest', (_, from, to) => {
  const base = `
ory: { url: https://acme.projects.oryapis.com }
rules:
  - { name: health, match: { path: /healthz }, allow: anyone # health
    }
  - { name: assets, match: { path: "/assets/**", methods: [GET, HEAD] }, allow: anyone }
  - { name: static, match: { path: "/static/**", methods: [GET] }, allow: anyone }
  - { name: api, match: { path: "/api/**" }, require: { session: {} } }
  - { name: app, match: { path: "/**" }, require: { session: {} } }
edge: { upstream: http://app.shop }
`;
  const names = ['health', 'assets', 'static', 'api', 'app'];
  const of = names.find((name) =>
    base.split('\n').some((line) => line.includes(`name: ${name},`) && line.includes(from)),
  );
  const differing = difference(generated(base).files, generated(base.replace(from, to)).files);
  for (const line of differing) {
    const others = names.filter((name) => name !== of);
    expect(
      others.some((name) => new RegExp(`\\b${name}, for|# Rule ${name}\\b`, 'i').test(line)),
      line,
    ).toBe(false);
  }
  expect(differing.length).toBeGreaterThan(0);
  expect(differing.length).toBeLessThan(12);
});

/** Lines of the policies that are in one alone. */
function difference(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  const lines = (files: ReadonlyMap<string, string>) => (files.get('policy.yaml') ?? '').split('\n');
  const [a, b] = [new Set(lines(one)), new Set(lines(other))];
  expect(one.get('guard.yaml')?.replace(/^#.*\n/gm, '')).toBe(other.get('guard.yaml')?.replace(/^#.*\n/gm, ''));
  return [...[...a].filter((line) => !b.has(line)), ...[...b].filter((line) => !a.has(line))];
}

test.each([
  ['a sidecar without a selector', { mode: 'sidecar', namespace: 'shop' }, /--selector.*such as --selector app=web/],
  ['a sidecar without a namespace', { mode: 'sidecar', selector: 'app=web' }, /--namespace, such as --namespace shop/],
  [
    'a sidecar of a Gateway',
    { mode: 'sidecar', selector: 'gateway/public', namespace: 'a' },
    /Leave --mode sidecar out/,
  ],
  ['a Gateway without its namespace', { selector: 'gateway/public' }, /in any namespace.*--namespace/],
  ['a Gateway without a name', { selector: 'gateway/', namespace: 'a' }, /gateway\/public/],
  ['a selector that is no label', { selector: 'web' }, /KEY=VALUE/],
  ['a selector that would break out of YAML', { selector: 'app=a\nb: c' }, /KEY=VALUE/],
  ['a label twice', { selector: 'app=a,app=b' }, /KEY=VALUE/],
  ['a namespace that is none', { namespace: 'Shop_1' }, /--namespace Shop_1/],
] as const)('%s is refused with the way out', (_, options, words) => {
  expect(() => generated(KUBERNETES, options)).toThrow(GenerateError);
  expect(() => generated(KUBERNETES, options)).toThrow(words);
});

test('a route to Ory, and a cache of nothing, are refused', () => {
  const withPath = KUBERNETES.replace('edge:\n', 'edge:\n  ory_path: /.ory\n');
  expect(() => generated(withPath)).toThrow(/edge\.ory_path.*take edge\.ory_path out/);
  expect(() => generated(TOKENS, { edgeCache: true })).toThrow(/asks nobody.*Leave it out/);
  expect(() => generated(`${KUBERNETES}\ncache: { edge_ttl: 0s }\n`, { edgeCache: true })).toThrow(
    /cache\.edge_ttl is 0s/,
  );
});

test('the authorizer can be asked by the Envoys of the workload alone', () => {
  const policy = parseAllDocuments(streamOf(KUBERNETES, { ...SIDECAR }))
    .map((document) => document.toJS() as { kind: string; spec: { ingress: { from: unknown }[] } })
    .find(({ kind }) => kind === 'NetworkPolicy');
  expect(policy?.spec.ingress[0]?.from).toEqual([
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } },
      podSelector: { matchLabels: { app: 'web' } },
    },
  ]);
});
