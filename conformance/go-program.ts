// Builds a program from a Go module of this repository, once, into the cache. Files, processes.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from '../src/edge/cache-dir.ts';

const run = promisify(execFile);

/** A tool that a suite needs is not on this machine; the message says what to install. The suite is skipped with it. */
export class ToolMissing extends Error {
  override readonly name = 'ToolMissing';
  readonly tool: string;

  constructor(tool: string, need: string) {
    super(`${tool} was not found: ${need}`);
    this.tool = tool;
  }
}

export interface GoProgram {
  /** Begins the name of the built file. */
  readonly name: string;
  readonly title: string;
  /** With go.mod and go.sum, and sources where the program is of this repository. */
  readonly folder: string;
  /** What go.mod pins and the program is named after. */
  readonly module: string;
  /** What is built; default the module. */
  readonly target?: string;
  readonly tags?: string;
  /** Whether parts of it are C, so that a compiler is needed. */
  readonly c: boolean;
  /** Who wants it, for the message where Go is missing. */
  readonly need: string;
}

/**
 * The path of the built program. Later calls find it in the cache.
 * Two processes may build at once: each builds under a name of its own and renames at the end.
 * @throws {ToolMissing} without Go, or without a C compiler where one is needed
 */
export async function buildGoProgram(program: GoProgram, cache: string = cacheDir()): Promise<string> {
  const { name, title, folder } = program;
  const version = await pinnedVersion(program);
  const path = join(cache, 'ory', `${name}-${version}-${await hashOf(folder)}`);
  if (await exists(path)) return path;

  await needTools(program);
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  process.stderr.write(`Building ${title} ${version}, once (two minutes or so)...\n`);
  const startedAt = Date.now();
  try {
    await goBuild(program, unfinished);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  process.stderr.write(`Built ${title} ${version} in ${Math.round((Date.now() - startedAt) / 1000)} s.\n`);
  return path;
}

/** Such as `v1.3.1`. */
export async function pinnedVersion({ folder, module }: Pick<GoProgram, 'folder' | 'module'>): Promise<string> {
  const words = (await readFile(join(folder, 'go.mod'), 'utf8'))
    .split('\n')
    .map((line) => line.trim().replace(/^require /, ''))
    .find((line) => line.startsWith(`${module} v`))
    ?.split(' ');
  const version = words?.[1];
  if (version === undefined) throw new Error(`go.mod pins no version of ${module}`);
  return version;
}

/** Of all that is built from. */
async function hashOf(folder: string): Promise<string> {
  const sources = (await readdir(folder)).filter((name) => name.endsWith('.go') && name !== 'tools.go').sort();
  const hash = createHash('sha256');
  for (const [i, name] of ['go.mod', 'go.sum', ...sources].entries()) {
    if (i > 0) hash.update('\0');
    hash.update(await readFile(join(folder, name), 'utf8'));
  }
  return hash.digest('hex').slice(0, 12);
}

/** SQLite is C, so Go needs a compiler; without one it would build a server that cannot open its database. */
async function needTools({ c, need }: GoProgram): Promise<void> {
  const compiler = await run('go', ['env', 'CC']).then(
    ({ stdout }) => stdout.trim().split(' ')[0] || 'gcc',
    () => {
      throw new ToolMissing('go', `${need} Install Go 1.26 or newer.`);
    },
  );
  if (!c) return;
  await run(compiler, ['--version']).catch(() => {
    throw new ToolMissing(compiler, `${need} Install a C compiler (apt-get install gcc libc6-dev).`);
  });
}

async function goBuild({ folder, module, target = module, tags, c }: GoProgram, output: string): Promise<void> {
  const args = ['build', '-mod=readonly', ...(tags === undefined ? [] : ['-tags', tags]), '-o', output, target];
  const child = spawn('go', args, {
    cwd: folder,
    env: { ...process.env, CGO_ENABLED: c ? '1' : '0', GOWORK: 'off' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`go build ${target} ended with ${code ?? signal}`));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
