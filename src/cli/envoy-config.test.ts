// `--envoy-config` on the command line: what it does not go with, and a folder that filters may not come from.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { run } from './program.ts';

let dir: string;
let file: string;
let said: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-cli-'));
  file = join(dir, 'ory-envoy.yaml');
  writeFileSync(
    file,
    `ory: { url: "http://127.0.0.1:9" }
rules: [{ name: all, match: { path: "/**" }, require: { session: {} } }]
edge: { upstream: "http://127.0.0.1:9" }
serve: { http: "127.0.0.1:0", grpc: "127.0.0.1:0", admin: "127.0.0.1:0" }
`,
  );
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true, force: true });
});

test('generate has no files without an authorizer, and says so', async () => {
  expect(await run(['generate', 'envoy', '-c', file, '--no-authorizer', '--envoy-config', '/x'])).toBe(2);
  expect(said).toMatch(/leave one of --envoy-config and --no-authorizer out/);
});

test('serve refuses a folder that others may write, and one that it cannot make', async () => {
  const folder = join(dir, 'open');
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  expect(await run(['serve', '-c', file, '--envoy-config', folder])).toBe(2);
  expect(said).toMatch(/^ory-envoy: --envoy-config: others may write into .*chmod 700/);
  said = '';
  expect(await run(['serve', '-c', file, '--envoy-config', join(file, 'x')])).toBe(2);
  expect(said).toMatch(/^ory-envoy: --envoy-config: .* cannot be used \(ENOTDIR\)/);
});

test('a folder without a name is no folder, for either command', async () => {
  for (const folder of ['', ' ']) {
    expect(await run(['serve', '-c', file, '--envoy-config', folder])).toBe(2);
    expect(await run(['generate', 'envoy', '-c', file, '--envoy-config', folder])).toBe(2);
  }
  expect(said.match(/Name a folder/g)).toHaveLength(4);
});
