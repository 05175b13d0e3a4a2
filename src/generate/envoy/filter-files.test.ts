// The filters by file: named by their settings, other content with each version, and what holds without a file.
import { describe, expect, test } from 'vitest';
import { NO_KEYS } from '../../check/identity/jwks.ts';
import { parseConfig } from '../../config/load.ts';
import { makePlan, makeSteadyPlan, type Plan } from '../plan.ts';
import type { Block } from '../yaml.ts';
import { generateEnvoy } from './emit.ts';
import { filterFiles, filterPath, keysIn } from './filter-files.ts';

const RULES = `
rules:
  - { name: api, match: { path: "/api/**" }, require: { token: {} } }
  - { name: open, match: { path: "/open/**" }, allow: anyone }
  - { name: app, match: { path: "/**" }, require: { session: {} } }
edge: { upstream: "http://127.0.0.1:1" }`;
const SMALL = `ory: { url: http://127.0.0.1:9 }
tokens: { audiences: [api] }${RULES}`;
const configOf = (text: string) => parseConfig(text, 'f', { env: {} });
const planOf = (text: string) => makePlan(configOf(text));
const JWKS = '{"keys":[{"kty":"EC","kid":"k"}]}';

function fileOf(kind: 'keys' | 'script', plan: Plan = planOf(SMALL)) {
  const file = filterFiles(plan).find((one) => one.kind === kind);
  if (!file) throw new Error(`no ${kind}`);
  return file;
}

function configIn(content: string): Block {
  const { resources } = JSON.parse(content) as { resources: { typed_config: Block }[] };
  return resources[0]?.typed_config ?? {};
}

describe('a name', () => {
  test('follows from the settings alone: not from keys, rules, or how often it is asked for', () => {
    const other = planOf(SMALL.replace('/open/**', '/else/**').replace('http://127.0.0.1:1"', 'http://127.0.0.1:2"'));
    for (const kind of ['keys', 'script'] as const) {
      expect(fileOf(kind, other).name).toBe(fileOf(kind).name);
      expect(fileOf(kind, makeSteadyPlan(configOf(SMALL))).name).toBe(fileOf(kind).name);
    }
    expect(fileOf('keys').name).toMatch(/^jwt-authn-[\da-f]{12}$/);
    expect(fileOf('script').name).toMatch(/^edge-cache-[\da-f]{12}$/);
  });

  test.each([
    ['keys', 'another issuer', `tokens: { audiences: [api] }`, `tokens: { audiences: [other] }`],
    ['keys', 'another clock skew', `tokens: { audiences: [api] }`, `tokens: { audiences: [api], clock_skew: 9s }`],
    [
      'keys',
      'keys from elsewhere',
      `{ url: http://127.0.0.1:9 }`,
      `{ url: http://127.0.0.1:9, hydra: { jwks_url: "http://127.0.0.1:8/k" } }`,
    ],
    ['keys', 'other identity headers', 'rules:', 'identity_headers: { X-Sub: [token.sub] }\nrules:'],
    ['script', 'other identity headers', 'rules:', 'identity_headers: { X-Sub: [session.identity.id] }\nrules:'],
    ['script', 'another lifetime', 'rules:', 'cache: { edge_ttl: 5s }\nrules:'],
  ] as const)('of %s is another with %s', (kind, _, from, to) => {
    expect(SMALL).toContain(from);
    expect(fileOf(kind, planOf(SMALL.replace(from, to))).name).not.toBe(fileOf(kind).name);
  });

  test('is that of one file, wherever the folder ends', () => {
    expect(filterPath('/a/b//', 'x')).toBe('/a/b/x.json');
    expect(filterPath('rel', 'x')).toBe('rel/x.json');
    expect(filterPath('/', 'x')).toBe('//x.json');
  });
});

describe('the content', () => {
  test('is another with each version, also with the same keys and with none: of equal content Envoy does nothing', () => {
    for (const jwks of [JWKS, NO_KEYS])
      for (const kind of ['keys', 'script'] as const) {
        const [one, two] = [fileOf(kind).content('v-1', jwks), fileOf(kind).content('v-2', jwks)];
        expect(configIn(one)).not.toEqual(configIn(two));
        expect(JSON.parse(one)).toMatchObject({ version_info: 'v-1', resources: [{ name: fileOf(kind).name }] });
      }
  });

  test('of keys has them, and without any asks the authorizer about every token, and refuses none', () => {
    expect(keysIn(fileOf('keys').content('v', JWKS))).toBe(JWKS);
    for (const content of [fileOf('keys').content('v', NO_KEYS), fileOf('keys').asking('v')]) {
      expect(keysIn(content)).toBe(NO_KEYS);
      const config = configIn(content);
      expect(config['providers']).toBeUndefined();
      expect(config['requirement_map']).toMatchObject({ token: { allow_missing_or_failed: {} } });
    }
    expect(keysIn('{"local_jwks":{"inline_string":"\\x"}}')).toBe(NO_KEYS);
  });

  test('caches verified tokens only where the keys come by file: elsewhere they would outlive their key', () => {
    expect(fileOf('keys').content('v', JWKS)).toContain('jwt_cache_config');
    expect(generateEnvoy(configOf(SMALL), { part: 'bootstrap' })).not.toContain('jwt_cache_config:');
  });
});

describe('a configuration with filters from a folder', () => {
  const yaml = (part: 'bootstrap' | 'filters' | 'routes' | 'clusters') =>
    generateEnvoy(configOf(SMALL), { part, envoyConfig: '/shared/envoy' });

  test('names each file, and what holds without it neither refuses nor allows', () => {
    const [keys, script] = [fileOf('keys').name, fileOf('script').name];
    const text = yaml('filters');
    for (const name of [keys, script]) expect(text).toContain(`path: '/shared/envoy/${name}.json'`);
    expect(text.match(/apply_default_config_without_warming: true/g)).toHaveLength(2);
    expect(text).toMatch(/default_config:\n.*\n.*\n +requirement_map:\n +token:\n +allow_missing_or_failed: \{ ?\}/);
    expect(text).toContain("inline_string: ' '");
  });

  test('has routes that name the filters as they are called there, and as the plain ones no more', () => {
    const text = yaml('routes');
    expect(text).toContain(`${fileOf('keys').name}:`);
    expect(text).toContain(`${fileOf('script').name}:`);
    expect(text).not.toMatch(/envoy\.filters\.http\.jwt_authn:|ory-envoy\.edge-cache:/);
  });

  test('fetches no keys', () => {
    expect(yaml('clusters')).not.toContain('jwks');
    expect(yaml('bootstrap')).not.toContain('remote_jwks');
  });
});
