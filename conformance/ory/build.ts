// Builds the real Kratos and Hydra from the Go modules pinned beside this folder, once, into the cache. Files, processes.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDir } from '../../src/edge/cache-dir.ts';

const run = promisify(execFile);

const servers = {
  kratos: { title: 'Ory Kratos', module: 'github.com/ory/kratos' },
  hydra: { title: 'Ory Hydra', module: 'github.com/ory/hydra/v2' },
} as const;

export type ServerName = keyof typeof servers;

/** A tool that a suite needs is not on this machine; the message says what to install. The suite is skipped with it. */
export class ToolMissing extends Error {
  override readonly name = 'ToolMissing';
  readonly tool: string;

  constructor(tool: string, need: string) {
    super(`${tool} was not found: ${need}`);
    this.tool = tool;
  }
}

/**
 * The path of the built program. Later calls find it in the cache.
 * Two processes may build at once: each builds under a name of its own and renames at the end.
 * @throws {ToolMissing} without Go or a C compiler
 */
export async function buildServer(name: ServerName, cache: string = cacheDir()): Promise<string> {
  const { title, module } = servers[name];
  const folder = fileURLToPath(new URL(`../${name}/`, import.meta.url));
  const mod = await readFile(join(folder, 'go.mod'), 'utf8');
  const sum = await readFile(join(folder, 'go.sum'), 'utf8');
  const version = pinnedVersion(mod, module);
  const hash = createHash('sha256').update(mod).update('\0').update(sum).digest('hex').slice(0, 12);
  const program = join(cache, 'ory', `${name}-${version}-${hash}`);
  if (await exists(program)) return program;

  await needTools();
  await mkdir(dirname(program), { recursive: true });
  const unfinished = `${program}.${process.pid}-${randomBytes(4).toString('hex')}`;
  process.stderr.write(`Building ${title} ${version}, once (two minutes or so)...\n`);
  const startedAt = Date.now();
  try {
    await goBuild(folder, module, unfinished);
    await rename(unfinished, program);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  process.stderr.write(`Built ${title} ${version} in ${Math.round((Date.now() - startedAt) / 1000)} s.\n`);
  return program;
}

/** What to install before the real servers can be built; undefined where they have been. */
export async function missingTool(): Promise<string | undefined> {
  try {
    await buildServer('kratos');
    await buildServer('hydra');
    return undefined;
  } catch (error) {
    if (error instanceof ToolMissing) return error.message;
    throw error;
  }
}

function pinnedVersion(mod: string, module: string): string {
  const words = mod
    .split('\n')
    .map((line) => line.trim().replace(/^require /, ''))
    .find((line) => line.startsWith(`${module} v`))
    ?.split(' ');
  const version = words?.[1];
  if (version === undefined) throw new Error(`go.mod pins no version of ${module}`);
  return version;
}

/** SQLite is C, so Go needs a compiler; without one it would build a server that cannot open its database. */
async function needTools(): Promise<void> {
  const need = 'the suites against the real Ory servers build them from source.';
  const compiler = await run('go', ['env', 'CC']).then(
    ({ stdout }) => stdout.trim().split(' ')[0] || 'gcc',
    () => {
      throw new ToolMissing('go', `${need} Install Go 1.26 or newer.`);
    },
  );
  await run(compiler, ['--version']).catch(() => {
    throw new ToolMissing(compiler, `${need} Install a C compiler (apt-get install gcc libc6-dev).`);
  });
}

async function goBuild(folder: string, module: string, output: string): Promise<void> {
  const child = spawn('go', ['build', '-mod=readonly', '-tags', 'sqlite,json1', '-o', output, module], {
    cwd: folder,
    env: { ...process.env, CGO_ENABLED: '1', GOWORK: 'off' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`go build ${module} ended with ${code ?? signal}`));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
