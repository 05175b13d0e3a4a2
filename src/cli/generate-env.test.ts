// Generating needs no secrets.
import { expect, test } from 'vitest';
import { parseConfig } from '../config/load.ts';
import { generateEnvoy } from '../generate/envoy/emit.ts';
import { withoutSecrets } from './generate-env.ts';

const FILE = `
ory: { url: "https://o.example", api_key: "\${KEY}" }
tokens: { audiences: [a] }
serve: { admin_token: "\${TOKEN}" }
edge: { upstream: "http://\${HOST}", ory_path: /.ory }
`;

test('a missing secret has a stand-in that is in no output', () => {
  const env = withoutSecrets(FILE, { HOST: 'app.shop' });
  const config = parseConfig(FILE, 'x.yaml', { env });
  const standIn = config.serve.adminToken ?? '';
  expect(standIn.length).toBeGreaterThan(15);
  for (const part of ['bootstrap', 'filters', 'clusters', 'routes'] as const)
    expect(generateEnvoy(config, { part })).not.toContain(standIn);
});

test('one that is there is kept', () => {
  expect(withoutSecrets(FILE, { KEY: 'k', TOKEN: 't' })).toEqual({ KEY: 'k', TOKEN: 't' });
});

test('whatever else is missing stays a fault', () => {
  expect(() => parseConfig(FILE, 'x.yaml', { env: withoutSecrets(FILE, {}) })).toThrow(/HOST is not set/);
});

test('of a file that is no YAML there is nothing to say', () => {
  expect(withoutSecrets('a: [', {})).toEqual({});
  expect(withoutSecrets('- a', {})).toEqual({});
  expect(withoutSecrets('ory: *x', {})).toEqual({});
});
