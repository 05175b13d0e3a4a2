// What is generated, as Envoy Gateway takes it: its translator validates every object against its CRD, CEL rules too.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { generate as generateCertificate } from 'selfsigned';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { TLS_SECRET } from '../../src/generate/envoy-gateway/gateway.ts';
import { admitted, clusterObjects } from './cluster.ts';
import { complaints, translate } from './translate.ts';

const run = promisify(execFile);
const env = { ...process.env, ORY_API_KEY: 'key' };

async function generated(example: string): Promise<string> {
  const args = ['src/cli/main.ts', 'generate', 'envoy-gateway', '-c', `examples/${example}.yaml`];
  const { stdout } = await run(process.execPath, args, { env, timeout: 60_000 });
  return stdout;
}

test.each(['mixed', 'kubernetes'])(
  'generate envoy-gateway -c examples/%s.yaml | egctl x translate',
  async (example) => {
    const configs = await translate(await generated(example));
    expect(JSON.stringify(configs)).toContain('httproute/shop/ory-envoy/rule/');
  },
);

const app = { name: 'app', namespace: 'shop', port: 8080 };
const snapshot = (name: string) => readFileSync(`src/generate/envoy-gateway/__snapshots__/${name}.yaml`, 'utf8');

/** As `kubectl create secret tls` makes it. */
async function certificate(): Promise<string> {
  const { cert, private: key } = await generateCertificate([{ name: 'commonName', value: 'acme.com' }]);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const data = { 'tls.crt': base64(cert), 'tls.key': base64(key) };
  const metadata = { name: TLS_SECRET, namespace: 'shop' };
  return stringify({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', data });
}

test.each([
  ['mixed', () => generated('mixed'), [app]],
  ['kubernetes', () => generated('kubernetes'), [app, { ...app, name: 'api' }]],
  [
    'everything',
    async () => `${snapshot('everything')}---\n${await certificate()}`,
    [
      { ...app, port: 3000 },
      { name: 'api', namespace: 'other', port: 443 },
    ],
  ],
  ['tokens alone', async () => snapshot('tokens-alone'), [app]],
] as const)('of %s Envoy Gateway has nothing to complain about', async (_, stream, services) => {
  const { stream: inCluster } = admitted(`${await stream()}---\n${clusterObjects(services)}`);
  expect(await complaints(inCluster)).toEqual([]);
});

test('and would complain, were a Service not there', async () => {
  const { stream } = admitted(await generated('mixed'));
  expect(await complaints(stream)).toMatchObject([{ of: expect.stringContaining('HTTPRoute'), type: 'ResolvedRefs' }]);
});
