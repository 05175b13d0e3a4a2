// The authorizer in a cluster.
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../config/load.ts';
import { authorizerManifests } from './authorizer.ts';
import { manifestFiles, oneStream } from './manifest.ts';
import { checkNamespace } from './options.ts';

const FILE = `# what we allow
ory: { url: "https://o.example", api_key: "\${ORY_API_KEY}" }
tokens: { audiences: [a] }
serve: { http: 127.0.0.1:1, admin_token: "\${ADMIN_TOKEN}" }
edge: { upstream: "http://app.shop" }
`;
const ENV = { ORY_API_KEY: 'the-key', ADMIN_TOKEN: 'the-long-admin-token' };
const CALLERS = [{ namespaceSelector: { matchLabels: { a: 'b' } } }];

function objects(text: string) {
  return authorizerManifests({
    namespace: 'shop',
    image: 'ory-envoy:1',
    source: { text, file: 'ory-envoy.yaml' },
    callers: CALLERS,
  });
}

type Tree = Record<string, unknown>;
const at = (value: unknown, ...path: (string | number)[]): unknown =>
  path.reduce((node, key) => (node as Record<string | number, unknown> | undefined)?.[key], value);
const ofKind = (text: string, kind: string) =>
  objects(text).find(({ object }) => object.kind === kind)?.object as unknown as Tree;
const policyOf = (text: string) => String(at(ofKind(text, 'ConfigMap'), 'data', 'ory-envoy.yaml'));

test('the policy is the file, but for where it listens', () => {
  const before = parseConfig(FILE, 'x', { env: ENV });
  const { serve, edge, ...rest } = parseConfig(policyOf(FILE), 'x', { env: ENV });
  expect(serve).toEqual({
    http: { host: '0.0.0.0', port: 9191 },
    grpc: { host: '0.0.0.0', port: 9192 },
    admin: { host: '0.0.0.0', port: 9193 },
    adminToken: 'the-long-admin-token',
  });
  expect(rest).toEqual(Object.fromEntries(Object.entries(before).filter(([key]) => key in rest)));
  expect(edge.upstreams).toEqual(before.edge.upstreams);
  expect(policyOf(FILE)).toMatch(/^# what we allow\n/);
});

test.each([
  ['without serve', 'ory: { url: "https://o.example" }\nedge: { upstream: "http://a" }\n'],
  ['with an empty one', 'ory: { url: "https://o.example" }\nserve:\nedge: { upstream: "http://a" }\n'],
])('%s the ports are those of the Service', (_, text) => {
  expect(at(parse(policyOf(text)), 'serve', 'grpc')).toBe('0.0.0.0:9192');
});

test('no secret is in what is generated; each comes by reference', () => {
  const text = oneStream(manifestFiles(objects(FILE), 'head'));
  expect(text).not.toContain('the-key');
  expect(text).not.toContain('the-long-admin-token');
  const container = at(ofKind(FILE, 'Deployment'), 'spec', 'template', 'spec', 'containers', 0);
  expect(at(container, 'env')).toEqual(
    ['ORY_API_KEY', 'ADMIN_TOKEN'].map((name) => ({
      name,
      valueFrom: { secretKeyRef: { name: 'ory-envoy', key: name } },
    })),
  );
});

test('it runs as nobody, on a root that it cannot write', () => {
  const pod = at(ofKind(FILE, 'Deployment'), 'spec', 'template', 'spec');
  expect(at(pod, 'automountServiceAccountToken')).toBe(false);
  expect(at(pod, 'securityContext')).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(at(pod, 'containers', 0, 'securityContext')).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    expect(at(pod, 'containers', 0, probe, 'httpGet', 'port')).toBe('admin');
});

test('Envoy alone may ask, and nobody reaches the admin port through the Service', () => {
  expect(at(ofKind(FILE, 'NetworkPolicy'), 'spec', 'ingress')).toEqual([
    {
      from: CALLERS,
      ports: [
        { protocol: 'TCP', port: 9191 },
        { protocol: 'TCP', port: 9192 },
      ],
    },
  ]);
  expect(at(ofKind(FILE, 'Service'), 'spec', 'ports')).toHaveLength(2);
});

test('another policy is another rollout, and the same is none', () => {
  const digest = (text: string) =>
    at(ofKind(text, 'Deployment'), 'spec', 'template', 'metadata', 'annotations', 'ory-envoy/policy');
  expect(digest(FILE)).toBe(digest(FILE));
  expect(digest(FILE)).not.toBe(digest(FILE.replace('[a]', '[b]')));
});

test.each(['', 'Shop', 'a.b', '-a', 'x'.repeat(64)])('%j is no namespace', (name) => {
  expect(() => checkNamespace(name)).toThrow(/--namespace .*Correct it/);
});
