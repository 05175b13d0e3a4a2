// What `generate` takes for which target, and what it says where it does not.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { TARGETS } from '../generate/target.ts';
import { run } from './program.ts';

const POLICY = `
ory: { url: "https://o.example", hydra: { issuer: "https://o.example" } }
tokens: { audiences: [a] }
rules:
  - { name: open, match: { path: /o }, allow: anyone }
  - { name: app, match: { path: "/**" }, require: { session: {} } }
edge: { upstream: "http://app.shop" }
`;

let dir: string;
let file: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-generate-'));
  file = join(dir, 'policy.yaml');
  writeFileSync(file, POLICY);
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(dir, { recursive: true }));

async function generate(...args: string[]) {
  let [out, err] = ['', ''];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
  const code = await run(['generate', '-c', file, ...args]);
  vi.restoreAllMocks();
  return { code, out, err };
}

describe.each(TARGETS)('%s', (target) => {
  it('writes YAML to standard output, the same from run to run', async () => {
    const { code, out } = await generate(target);
    expect(code).toBe(0);
    expect(parseAllDocuments(out).flatMap((one) => ('errors' in one ? one.errors : []))).toEqual([]);
    expect((await generate(target)).out).toBe(out);
  });

  it('writes the same into files with -o', async () => {
    const folder = join(dir, target);
    const { code, out, err } = await generate(target, '-o', folder);
    expect([code, out]).toEqual([0, '']);
    const files = readdirSync(folder);
    expect(files.length).toBeGreaterThan(0);
    for (const name of files) {
      expect(err).toContain(`wrote ${join(folder, name)}\n`);
      expect(readFileSync(join(folder, name), 'utf8').length).toBeGreaterThan(100);
    }
  });

  it('says with --plan what each rule is', async () => {
    const { code, out } = await generate(target, '--plan', '--json');
    expect(code).toBe(0);
    const { rules } = JSON.parse(out) as { rules: { name: string; asked: string | null }[] };
    expect(rules.map(({ name }) => name)).toEqual(['open', 'app']);
    expect(rules[1]?.asked).toMatch(/^everything: /);
  });

  it.each(['0.1', '99.0', 'latest'])('has no version %s', async (version) => {
    const { code, out, err } = await generate(target, '--target-version', version);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/--target-version .*: not a version.* Give one from /);
  });
});

it.each([
  [['istio', '--part', 'routes'], '--part is for envoy alone, and not for istio: leave it out'],
  [['envoy', '--namespace', 'shop'], '--namespace is for istio, envoy-gateway alone, and not for envoy: leave it out'],
  [['oathkeeper', '--selector', 'app=web'], '--selector is for istio alone, and not for oathkeeper: leave it out'],
  [['istio', '--no-authorizer'], '--no-authorizer is for envoy, not for istio: leave it out'],
  [['istio', '--json'], '--json goes with --plan: what is generated is YAML'],
  [['ai-gateway'], 'the target ai-gateway is not supported yet. Choose envoy-gateway.'],
  [['nginx'], 'there is no target nginx. Choose from envoy, istio, envoy-gateway, oathkeeper.'],
  [['istio', '--mode', 'sidecar'], '--mode sidecar: without --selector every pod'],
  [['istio', '--mode', 'sidecar', '--selector', 'app=web'], 'Say which with --namespace'],
  [['envoy-gateway', '--namespace', 'My.Shop'], '--namespace My.Shop: Kubernetes takes'],
  [['envoy-gateway', '--edge-cache'], '--edge-cache: '],
  [['istio', '--image', ''], '--image : not the name of an image'],
  [['istio', '--image', 'a b'], '--image a b: not the name of an image'],
])('%j is refused, and says what to do', async (args, message) => {
  const { code, out, err } = await generate(...args);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
});

it('what cannot be generated has no plan', async () => {
  const strict = join(dir, 'strict.yaml');
  writeFileSync(strict, POLICY.replace('session: {}', 'session: { aal: aal2 }'));
  const { code, out, err } = await generate('oathkeeper', '--plan', '-c', strict);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain('app: session.aal: ');
});
