// What `ory-envoy generate istio` writes, before istioctl: it validates as a stream, and its analysis finds nothing.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { buildIstio } from '../istio/build.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}.yaml`, import.meta.url));

/** What Istio says of every EnvoyFilter, and of every DENY that names no port; docs/istio.md says why they are there. */
const KNOWN = [
  /^\t\* EnvoyFilter\/\S+: EnvoyFilter exposes internal implementation details that may change at any time\. .*$/,
  /^\t\* AuthorizationPolicy\/\S+\/ory-envoy-without-token: configured AuthorizationPolicy will deny all traffic to TCP ports .*$/,
];

const SIDECAR = ['--mode', 'sidecar', '--selector', 'app=web', '--namespace', 'shop'];
const CASES: readonly (readonly [file: string, flags: readonly string[]])[] = [
  ['mixed', []],
  ['mixed', SIDECAR],
  ['kubernetes', ['--edge-cache']],
  ['kubernetes', [...SIDECAR, '--edge-cache']],
  ['kubernetes', ['--selector', 'gateway/public', '--namespace', 'edge']],
  ['kubernetes', ['--target-version', '1.29']],
  ['tokens', []],
  ['tokens', SIDECAR],
];

/** JWTs and what is open: Istio's objects alone. */
const TOKENS = {
  ory: { hydra: { public_url: 'https://hydra.acme.com', issuer: 'https://hydra.acme.com/' } },
  tokens: { audiences: ['https://api.acme.com'] },
  rules: [
    { name: 'read', match: { path: '/orders/**', methods: ['GET'] }, require: { token: { scopes: ['orders:read'] } } },
    { name: 'write', match: { path: '/orders/**' }, require: { token: { scopes: ['orders:write'] } } },
    { name: 'public', match: { path: '/**' }, allow: 'anyone' },
  ],
  edge: { upstream: 'http://orders.shop' },
};

let dir: string;
let istioctl: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-istio-'));
  writeFileSync(join(dir, 'tokens.yaml'), stringify(TOKENS));
  istioctl = await buildIstio('istioctl');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const fileOf = (name: string) => (name === 'tokens' ? join(dir, 'tokens.yaml') : example(name));

test.each(CASES)('istioctl validate finds nothing in %s %j', async (name, flags) => {
  const { stdout } = await run(process.execPath, [MAIN, 'generate', 'istio', '-c', fileOf(name), ...flags]);
  const {
    status,
    stdout: out,
    stderr,
  } = spawnSync(istioctl, ['validate', '-f', '-'], {
    input: stdout,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(`${out}${stderr}`.split('\n').filter(isFinding)).toEqual([]);
  expect(status).toBe(0);
});

function isFinding(line: string): boolean {
  return (
    line !== '' &&
    line !== '"-" has warnings: ' &&
    line !== 'validation succeed' &&
    !KNOWN.some((known) => known.test(line))
  );
}

/** As docs/istio.md has it: the annotation that only records what a policy would refuse. */
test.each([
  ['tokens', 0, /EnvoyFilter/],
  ['kubernetes', 1, /istio\.io\/dry-run currently only supports action ALLOW\/DENY/],
] as const)(
  'istio.io/dry-run goes with policies of Istio’s own, and not with one that asks: %s',
  async (name, code, words) => {
    const { stdout } = await run(process.execPath, [MAIN, 'generate', 'istio', '-c', fileOf(name)]);
    const input = stdout.replaceAll(
      /(kind: AuthorizationPolicy\nmetadata:\n)/g,
      "$1  annotations: { istio.io/dry-run: 'true' }\n",
    );
    const { status, stdout: out, stderr } = spawnSync(istioctl, ['validate', '-f', '-'], { input, encoding: 'utf8' });
    expect(`${out}${stderr}`).toMatch(words);
    expect(status === 0 ? 0 : 1).toBe(code);
  },
);

test.each(CASES)('istioctl analyze finds nothing in %s %j', async (name, flags) => {
  const out = mkdtempSync(join(dir, 'out-'));
  await run(process.execPath, [MAIN, 'generate', 'istio', '-c', fileOf(name), '-o', out, ...flags]);
  const mesh = join(out, 'mesh.yaml');
  const helm = parse(readFileSync(join(out, 'mesh-config.txt'), 'utf8')) as {
    readonly meshConfig: object;
  };
  writeFileSync(mesh, stringify(helm.meshConfig));
  const around = join(out, 'around.yaml');
  writeFileSync(
    around,
    pods(flags)
      .map((object) => stringify(object))
      .join('---\n'),
  );
  const files = readdirSync(out).filter((file) => file.endsWith('.yaml') && file !== 'mesh.yaml');
  const args = ['analyze', '--use-kube=false', '--meshConfigFile', mesh, ...files.map((file) => join(out, file))];
  const { status, stdout, stderr } = spawnSync(istioctl, args, { encoding: 'utf8', timeout: 60_000 });
  expect(`${stdout}${stderr}`.trim()).toMatch(/^✔ No validation issues found/);
  expect(status).toBe(0);
});

/** What a cluster has: the namespace, the pods that are guarded, the Gateway. */
function pods(flags: readonly string[]): object[] {
  const flag = (name: string) => flags[flags.indexOf(name) + 1];
  const namespace = flags.includes('--namespace') ? flag('--namespace') : 'istio-system';
  const gateway = flags.includes('gateway/public');
  const labels = flags.includes('--mode')
    ? { app: 'web' }
    : gateway
      ? { 'gateway.networking.k8s.io/gateway-name': 'public' }
      : { istio: 'ingressgateway' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'istio-injection': 'enabled' } } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'edge', namespace, labels },
      spec: { containers: [{ name: 'istio-proxy', image: 'proxyv2:1.31.0' }] },
    },
  ];
}
