// What a cluster holds beside what was generated last: objects of the policy before, which `kubectl apply` leaves, and
// routes of others on the same Gateway. None of them is a way past the lock.
import { afterEach, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { parseConfig } from '../../src/config/load.ts';
import { generateEnvoyGateway } from '../../src/generate/envoy-gateway/emit.ts';
import { oneStream } from '../../src/generate/kubernetes/manifest.ts';
import { sendRaw } from '../edge/envoy-rig.ts';
import { type Rig, startRig } from './rig.ts';

interface Named {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name: string };
}

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

function generated(rules: string): string {
  const text = `ory: { url: "https://o.example", hydra: { issuer: "https://o.example" } }\ntokens: { audiences: [a] }\n${rules}edge: { upstream: "http://app.shop:8080" }\n`;
  const config = parseConfig(text, 'before.yaml', { env: {} });
  const source = { text, file: 'before.yaml' };
  const options = { source, namespace: 'shop', image: 'ory-envoy:test', version: [1, 9, 0], edgeCache: false } as const;
  return oneStream(generateEnvoyGateway(config, options).files);
}

/** Both applied, one after the other, and nothing pruned. */
function applied(before: string, after: string): string {
  const objects = new Map<string, Named>();
  for (const stream of [before, after])
    for (const document of parseAllDocuments(stream)) {
      const object = document.toJS() as Named | null;
      if (object) objects.set(`${object.kind} ${object.metadata.namespace} ${object.metadata.name}`, object);
    }
  return [...objects.values()].map((object) => stringify(object)).join('---\n');
}

async function ask(path: string, host = 'app.test') {
  if (!rig) throw new Error('no rig');
  const checks = rig.checks.length;
  const { status } = await sendRaw(
    rig.port,
    Buffer.from(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`),
  );
  return `${status}, ${rig.checks.length > checks ? 'asked' : 'not asked'}, ${rig.received.length} received`;
}

const REFUSED = '401, asked, 0 received';
const rule = (name: string, access: string) => `  - { name: ${name}, match: { path: "/${name}/**" }, ${access} }\n`;
const SESSION = 'require: { session: {} }';

describe('a policy that takes the place of another', () => {
  it.each([
    ['an open rule', 'allow: anyone'],
    ['a rule of tokens', 'require: { token: { scopes: [s] } }'],
  ])('%s becomes one of sessions', async (_, access) => {
    const before = generated(`rules:\n${rule('page', access)}${rule('other', SESSION)}`);
    rig = await startRig({ policy: `rules:\n${rule('page', SESSION)}`, objects: (stream) => applied(before, stream) });
    expect(await ask('/page/x')).toBe(REFUSED);
    expect(await ask('/other/x')).not.toMatch(/^200/);
  });

  it('with fewer rules, so that an HTTPRoute stays behind', async () => {
    const rules = (count: number) => Array.from({ length: count }, (_, i) => rule(`r${i}`, SESSION)).join('');
    const before = generated(`rules:\n${rules(20)}`);
    rig = await startRig({ policy: `rules:\n${rules(10)}`, objects: (stream) => applied(before, stream) });
    for (const path of ['/r1/x', '/r9/x', '/r12/x', '/r15/x', '/r19/x']) {
      const outcome = await ask(path);
      expect(outcome, path).toMatch(/^(?:401, asked|403, not asked), 0 received$/);
    }
  });
});

it.each([
  ['a host', { hostnames: ['shop.test'], rules: [{ backendRefs: [{ name: 'app', port: 8080 }] }] }],
  [
    'an exact path',
    {
      rules: [{ matches: [{ path: { type: 'Exact', value: '/page/1' } }], backendRefs: [{ name: 'app', port: 8080 }] }],
    },
  ],
])('a route of somebody else, for %s, is asked about as well', async (_, spec) => {
  const route = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'mine', namespace: 'shop' },
    spec: { parentRefs: [{ name: 'ory-envoy' }], ...spec },
  };
  rig = await startRig({
    policy: `rules:\n${rule('page', SESSION)}`,
    objects: (stream) => `${stream}---\n${stringify(route)}`,
  });
  expect(await ask('/page/1', 'shop.test')).toBe(REFUSED);
});

it('the routes without the policies of their rules are asked about', async () => {
  const isOfRule = (text: string) => /^kind: SecurityPolicy$/m.test(text) && text.includes('sectionName:');
  rig = await startRig({
    policy: `rules:\n${rule('page', 'allow: anyone')}${rule('app', SESSION)}`,
    objects: (stream) =>
      stream
        .split('---\n')
        .filter((text) => !isOfRule(text))
        .join('---\n'),
  });
  expect(await ask('/page/x')).toBe(REFUSED);
});
