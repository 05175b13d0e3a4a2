// The check of objects fails where an API server would: otherwise that generated ones pass says nothing.
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { checkObjects } from './crds.ts';

const metadata = { name: 'one', namespace: 'shop' };
const SECURITY_POLICY = {
  apiVersion: 'gateway.envoyproxy.io/v1alpha1',
  kind: 'SecurityPolicy',
  metadata,
  spec: {
    targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'web' }],
    extAuth: { grpc: { backendRefs: [{ name: 'ory-envoy', port: 9192 }] } },
  },
};
const AUTHORIZATION_POLICY = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata,
  spec: { selector: { matchLabels: { app: 'web' } }, action: 'CUSTOM', provider: { name: 'ory-envoy' }, rules: [{}] },
};
const HTTP_ROUTE = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata,
  spec: { parentRefs: [{ name: 'web' }], rules: [{ backendRefs: [{ name: 'web', port: 80 }] }] },
};
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80 }] },
};
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web' }] } },
  },
};

async function faultsOf(object: object): Promise<string> {
  const [checked] = await checkObjects(stringify(object));
  return checked?.faults.join('; ') ?? 'not seen';
}

/** A copy with something at a dotted path. */
function changed(object: object, path: string, value: unknown): object {
  const copy = structuredClone(object) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let place = copy;
  for (const key of keys) place = place[key] as Record<string, unknown>;
  place[last] = value;
  return copy;
}

it('takes what is right, and says of each object what became of it', async () => {
  const all = [SECURITY_POLICY, AUTHORIZATION_POLICY, HTTP_ROUTE, SERVICE, DEPLOYMENT];
  const checked = await checkObjects(all.map((one) => stringify(one)).join('---\n'));
  expect(checked).toEqual(
    all.map(({ apiVersion, kind }) => ({ apiVersion, kind, namespace: 'shop', name: 'one', faults: [] })),
  );
});

describe('refuses', () => {
  it.each<[string, object, string, unknown, RegExp]>([
    ['a field that nobody knows', SECURITY_POLICY, 'spec.jwks', {}, /unknown field "spec\.jwks"/],
    ['one within a list', HTTP_ROUTE, 'spec.rules', [{ backend: [] }], /unknown field "spec\.rules\[0\]\.backend"/],
    ['one in the metadata', AUTHORIZATION_POLICY, 'metadata.label', {}, /unknown field "metadata\.label"/],
    ['another type', SECURITY_POLICY, 'spec.extAuth.failOpen', 'never', /failOpen.*must be of type boolean/],
    ['a value that is none of those', AUTHORIZATION_POLICY, 'spec.action', 'MAYBE', /Unsupported value: "MAYBE"/],
    [
      'a broken rule of Envoy Gateway',
      SECURITY_POLICY,
      'spec.targetRefs',
      [{ group: 'v1', kind: 'Pod', name: 'a' }],
      /spec.*this policy can only/,
    ],
    [
      'a broken rule of Istio',
      AUTHORIZATION_POLICY,
      'spec.targetRef',
      { kind: 'Gateway', group: 'gateway.networking.k8s.io', name: 'a' },
      /only one of targetRefs or selector/,
    ],
    [
      'a broken rule of the Gateway API',
      HTTP_ROUTE,
      'spec.rules',
      [{ filters: [{ type: 'RequestRedirect' }] }],
      /filter\.requestRedirect must be specified/,
    ],
    [
      'what is missing',
      HTTP_ROUTE,
      'spec.rules',
      [{ backendRefs: [{ port: 80 }] }],
      /backendRefs\[0\]\.name: Required/,
    ],
    ['a name that is none', HTTP_ROUTE, 'metadata.name', 'One_Two', /metadata\.name: Invalid/],
    ['a label that is none', SECURITY_POLICY, 'metadata.labels', { a: 'b c' }, /metadata\.labels: Invalid/],
    ['a kind that is none', SERVICE, 'kind', 'Servise', /nobody has defined/],
    [
      'a field that Kubernetes does not know',
      DEPLOYMENT,
      'spec.template.spec.readOnly',
      true,
      /unknown field "spec\.template\.spec\.readOnly"/,
    ],
    ['a port that is none', SERVICE, 'spec.ports', [{ port: 70_000 }], /spec\.ports\[0\]\.port: Invalid/],
    [
      'labels that do not belong together',
      DEPLOYMENT,
      'spec.selector.matchLabels',
      { app: 'other' },
      /`selector` does not match template `labels`/,
    ],
  ])('%s', async (_, object, path, value, words) => {
    expect(await faultsOf(changed(object, path, value))).toMatch(words);
  });

  it('a key that is there twice', async () => {
    const [checked] = await checkObjects(`${stringify(SERVICE)}kind: Service\n`);
    expect(checked?.faults.join()).toMatch(/already set|already defined|duplicate/);
  });
});
