// The package as a stranger gets it: packed, installed into an empty folder, run and imported.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const exec = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ory-envoy-package-'));
  const { stdout } = await exec('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: ROOT });
  const tarball = stdout.trim().split('\n').at(-1) ?? '';
  writeFileSync(join(dir, 'package.json'), '{"private":true,"type":"module"}');
  await exec('npm', ['install', '--silent', '--no-audit', '--no-fund', `./${tarball}`], { cwd: dir });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the installed package', () => {
  const command = () => join(dir, 'node_modules', '.bin', 'ory-envoy');

  it('has a working command', async () => {
    const { stdout } = await exec(command(), ['--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    writeFileSync(
      join(dir, 'ory-envoy.yaml'),
      'ory: {url: "https://acme.projects.oryapis.com"}\nedge: {upstream: "http://127.0.0.1:3000"}\n',
    );
    const generated = await exec(command(), ['generate', 'envoy'], { cwd: dir });
    expect(generated.stdout).toContain('envoy.filters.http.ext_authz');
  });

  it('says usage faults with exit code 2 and keeps standard output clean', async () => {
    for (const args of [
      ['nonsense'],
      ['generate', 'nonsense'],
      ['validate', '-c', 'missing.yaml'],
      ['serve', '--nonsense'],
    ]) {
      const { code, stdout, stderr } = await exec(command(), args, { cwd: dir }).then(
        (done) => ({ ...done, code: 0 }),
        (error: { code: number; stdout: string; stderr: string }) => error,
      );
      expect([args[0], code, stdout]).toEqual([args[0], 2, '']);
      expect(stderr).not.toBe('');
    }
  });

  it('can be imported, with types', async () => {
    writeFileSync(
      join(dir, 'use.mts'),
      `import { parseConfig, generateEnvoy, type Config } from 'ory-envoy';
const config: Config = parseConfig('ory: {url: "https://a.test"}\\nedge: {upstream: "http://127.0.0.1:1"}', 'x.yaml');
const text: string = generateEnvoy(config, { part: 'bootstrap' });
console.log(text.length > 1000, config.rules[0]?.name);
`,
    );
    expect((await exec(process.execPath, ['use.mts'], { cwd: dir })).stdout).toBe('true default\n');
    await exec(
      join(ROOT, 'node_modules', '.bin', 'tsc'),
      [
        '--noEmit',
        '--strict',
        '--skipLibCheck',
        '--module',
        'nodenext',
        '--target',
        'es2024',
        '--lib',
        'es2024,dom',
        '--types',
        'node',
        '--typeRoots',
        join(ROOT, 'node_modules', '@types'),
        'use.mts',
      ],
      { cwd: dir },
    );
  });

  it('says one clear sentence under an older Node', async () => {
    const old = join(dir, 'old');
    mkdirSync(old);
    writeFileSync(join(old, 'package.json'), '{"private":true}');
    await exec(
      'npm',
      [
        'install',
        '--silent',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        `node-${process.platform}-${process.arch}@20`,
      ],
      { cwd: old },
    );
    const node = join(old, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
    const { code, stderr } = await exec(node, [
      join(dir, 'node_modules', 'ory-envoy', 'dist', 'cli', 'main.js'),
      '--version',
    ]).then(
      () => ({ code: 0, stderr: '' }),
      (error: { code: number; stderr: string }) => error,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ory-envoy needs Node 22\.19 or newer; this is Node 20\.\d+\.\d+\. .*\n$/);
  });
});
